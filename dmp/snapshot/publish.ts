import type { DmpDeps } from '../deps.ts';
import { heldBack } from '../segments/guards.ts';
import { noteLive } from '../segments/uses.ts';
import { kindsBrought } from '../sources/arrivals.ts';
import { readDataPrices } from '../sources/data-prices.ts';
import { buildSnapshot } from './build.ts';
import { createCovers } from './covers.ts';
import { putSnapshot, readFenced, readHead } from './published.ts';
import { restoreSpend } from './spend.ts';
import { announceStops } from './stops.ts';

const DEBOUNCE_MS = 100;
const RETRIES_MS = 60_000;
const RETRY_MS = 1_000;
/** How soon a line item is held back after one of its segments shrank, and is live after it grew. */
const GUARDS_MS = 5_000;
/** Further off than this since the last publication, the wall clock was set: a flight that seemed over may not be. */
const JUMP_MS = 5_000;

export interface Publisher {
  /** Publishes what is live now, where it differs from what is published, and returns the version that is. */
  publish(): Promise<number>;
  close(): Promise<void>;
}

type PublisherDeps = Pick<DmpDeps, 'warehouse' | 'redis' | 'things' | 'now' | 'log'>;

/**
 * Publishes at the start, shortly after any change, when Redis comes back, since it may have lost what it knew, and when the clock was set.
 *
 * @param guardsMs how often it is looked for what changes without anybody's word
 */
export function startPublisher(deps: PublisherDeps, guardsMs = GUARDS_MS): Publisher {
  const { warehouse, redis, things, log } = deps;
  const covers = createCovers(log);
  let version = 0;
  let tail: Promise<unknown> = Promise.resolve();
  let timer: NodeJS.Timeout | null = null;
  let closed = false;
  let held: ReadonlySet<string> = new Set();
  let kinds = 0;
  /** The wall clock less the monotonic one, when what is published was made. */
  let offset: number | null = null;

  const publish = (): Promise<number> => {
    const result = tail.then(async () => {
      const before = version === 0 ? await readHead(redis) : null;
      if (before !== null) covers.learn(await readFenced(redis, before));
      held = await heldBack(warehouse, things);
      // Before what they decide is read, so that what comes in between is seen the next time.
      kinds = await kindsBrought(warehouse);
      const dataPriceOf = await readDataPrices(deps);
      const now = deps.now();
      offset = now - performance.now();
      const live = await covers.with((cover) => buildSnapshot(things, cover, 0, now, { held, dataPriceOf }));
      // Before they are live: no use goes unrecorded.
      const ids = live.lineItems.map(({ id }) => id);
      await noteLive(deps, ids);
      await restoreSpend(warehouse, redis, live);
      const put = await putSnapshot(redis, live, Math.max(version, before?.version ?? 0));
      version = put.version;
      if (put.written !== null) log.info({ version, lineItems: ids.length, written: put.written }, 'snapshot published');
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
    if (offset !== null && Math.abs(deps.now() - performance.now() - offset) > JUMP_MS) soon();
    Promise.all([heldBack(warehouse, things), kindsBrought(warehouse)])
      .then(([now, brought]) => {
        // A source that brought its first rows has its price in the bids of those who stand on it.
        if (brought !== kinds || now.size !== held.size || [...now].some((id) => !held.has(id))) soon();
      })
      // Asked again in a moment.
      .catch(() => undefined);
  }, guardsMs);
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
