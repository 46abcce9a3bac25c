import { createHash } from 'node:crypto';
import type { Redis } from 'ioredis';
import { SNAPSHOT_CHANNEL, SNAPSHOT_KEY, SNAPSHOT_VERSION_KEY } from '../../proto/keys.ts';
import { decodeSnapshot, encodeSnapshot, type Snapshot } from '../../proto/snapshot.ts';
import type { DmpDeps } from '../deps.ts';
import { heldBack } from '../segments/guards.ts';
import { noteLive } from '../segments/uses.ts';
import { kindsBrought } from '../sources/arrivals.ts';
import { readDataPrices } from '../sources/data-prices.ts';
import { buildSnapshot } from './build.ts';
import { createCovers } from './covers.ts';
import { restoreSpend } from './spend.ts';
import { announceStops } from './stops.ts';

/** Digest of what the published snapshot says, so that nothing is published twice. */
const DIGEST_KEY = 'walkin:snapshot:digest';
const DEBOUNCE_MS = 100;
const RETRIES_MS = 60_000;
const RETRY_MS = 1_000;
/** How soon a line item is held back after one of its segments shrank, and is live after it grew. */
const GUARDS_MS = 5_000;

export interface Publisher {
  /** Publishes what is live now, where it differs from what is published, and returns the version that is. */
  publish(): Promise<number>;
  close(): Promise<void>;
}

type PublisherDeps = Pick<DmpDeps, 'warehouse' | 'redis' | 'things' | 'now' | 'log'>;

/** Publishes at the start, shortly after any change, and when Redis comes back, since it may have lost what it knew. */
export function startPublisher(deps: PublisherDeps): Publisher {
  const { redis, things, log } = deps;
  const covers = createCovers(log);
  let version = 0;
  let tail: Promise<unknown> = Promise.resolve();
  let timer: NodeJS.Timeout | null = null;
  let closed = false;
  let held: ReadonlySet<string> = new Set();
  let kinds = 0;

  const publish = (): Promise<number> => {
    const result = tail.then(async () => {
      const before = version === 0 ? await readPublished(redis) : null;
      if (before !== null) covers.learn(before);
      held = await heldBack(deps.warehouse, things);
      // Before what they decide is read, so that what comes in between is seen the next time.
      kinds = await kindsBrought(deps.warehouse);
      const dataPriceOf = await readDataPrices(deps);
      const live = await covers.with((cover) => buildSnapshot(things, cover, 0, deps.now(), { held, dataPriceOf }));
      // Before they are live: no use goes unrecorded.
      const ids = live.lineItems.map(({ id }) => id);
      await noteLive(deps, ids);
      version = await publishOnce(deps, live, Math.max(version, before?.version ?? 0));
      return version;
    });
    tail = result.catch(() => undefined);
    return result;
  };
  const soon = (delay = DEBOUNCE_MS): void => {
    if (closed || timer !== null) return;
    timer = setTimeout(() => {
      timer = null;
      publish().catch((error: unknown) => {
        log.error({ err: error }, 'the snapshot was not published');
        soon(RETRY_MS);
      });
    }, delay);
  };
  const onReady = (): void => soon();
  things.onChange(() => soon());
  announceStops(deps);
  redis.on('ready', onReady);
  // That an exchange is to be asked again about a creative comes with time, not with a change.
  const retries = setInterval(() => {
    if (things.list('approval').some(({ body }) => body.state === 'pending' && body.retry !== null)) soon();
  }, RETRIES_MS);
  retries.unref();
  const guards = setInterval(() => {
    Promise.all([heldBack(deps.warehouse, things), kindsBrought(deps.warehouse)])
      .then(([now, brought]) => {
        // A source that brought its first rows has its price in the bids of those who stand on it.
        if (brought !== kinds || now.size !== held.size || [...now].some((id) => !held.has(id))) soon();
      })
      // Asked again in a moment.
      .catch(() => undefined);
  }, GUARDS_MS);
  guards.unref();
  soon(0);
  return {
    publish,
    close: async () => {
      closed = true;
      redis.off('ready', onReady);
      clearInterval(retries);
      clearInterval(guards);
      if (timer !== null) {
        clearTimeout(timer);
        timer = null;
        // A change just made must not wait for the next start.
        await publish().catch(() => undefined);
      }
      await tail;
    },
  };
}

// KEYS[1] the version, ARGV[1] the newest version that the caller knows of. Returns a version above both, so that versions
// rise even where Redis lost its data.
const NEXT_VERSION = `
local version = math.max(redis.call('incr', KEYS[1]), tonumber(ARGV[1]) + 1)
redis.call('set', KEYS[1], version)
return version`;

// KEYS[1] the version, KEYS[2] the snapshot, KEYS[3] its digest, ARGV[1] version, ARGV[2] snapshot, ARGV[3] digest, ARGV[4]
// channel. Returns 1 where it was set, 0 where a later version was begun meanwhile: that one is to win. Atomic: all or nothing.
const SET_SNAPSHOT = `
if redis.call('get', KEYS[1]) ~= ARGV[1] then return 0 end
redis.call('set', KEYS[2], ARGV[2])
redis.call('set', KEYS[3], ARGV[3])
redis.call('publish', ARGV[4], ARGV[1])
return 1`;

async function publishOnce(deps: PublisherDeps, live: Snapshot, known: number): Promise<number> {
  const { redis, warehouse, log } = deps;
  await restoreSpend(warehouse, redis, live);
  const digest = createHash('sha256')
    .update(JSON.stringify({ ...live, at: 0 }))
    .digest('hex');
  const published = await publishedVersion(redis, digest);
  if (published !== null) return published;
  const version = Number(await redis.eval(NEXT_VERSION, 1, SNAPSHOT_VERSION_KEY, known));
  const value = encodeSnapshot({ ...live, version });
  const keys = [SNAPSHOT_VERSION_KEY, SNAPSHOT_KEY, DIGEST_KEY];
  const isSet = await redis.eval(SET_SNAPSHOT, keys.length, ...keys, version, value, digest, SNAPSHOT_CHANNEL);
  if (isSet === 1) log.info({ version, lineItems: live.lineItems.length, bytes: value.length }, 'snapshot published');
  return version;
}

/** Null where there is none, or none of this format. */
async function readPublished(redis: Redis): Promise<Snapshot | null> {
  const value = await redis.getBuffer(SNAPSHOT_KEY);
  try {
    return value === null ? null : decodeSnapshot(value);
  } catch {
    return null;
  }
}

/** The version that is published, where it says the same; null where it does not or is not there. */
async function publishedVersion(redis: Redis, digest: string): Promise<number | null> {
  const [there, said, version] = await Promise.all([
    redis.exists(SNAPSHOT_KEY),
    redis.get(DIGEST_KEY),
    redis.get(SNAPSHOT_VERSION_KEY),
  ]);
  return there === 1 && said === digest && version !== null ? Number(version) : null;
}
