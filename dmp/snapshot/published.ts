import { setImmediate as turn } from 'node:timers/promises';
import type { Redis } from 'ioredis';
import { SNAPSHOT_CHANNEL, SNAPSHOT_KEY, SNAPSHOT_PARTS_KEY, SNAPSHOT_VERSION_KEY } from '../../proto/keys.ts';
import type { LiveGeofence, LiveStore, Snapshot } from '../../proto/snapshot.ts';
import {
  decodeHead,
  encodeHead,
  type SnapshotHead,
  type SplitSnapshot,
  splitting,
  thingsIn,
} from '../../proto/snapshot-parts.ts';

/** The snapshot as it lies in Redis, for who publishes. */

/** Null where there is none, or none of this format. */
export async function readHead(redis: Redis): Promise<SnapshotHead | null> {
  const value = await redis.getBuffer(SNAPSHOT_KEY);
  try {
    return value === null ? null : decodeHead(value);
  } catch {
    return null;
  }
}

/** What of it has a fence and a cover. Parts that are not there are left out. */
export async function readFenced(redis: Redis, { parts }: SnapshotHead): Promise<(LiveStore | LiveGeofence)[]> {
  const read = async (kind: 'stores' | 'geofences') => {
    const fenced: (LiveStore | LiveGeofence)[] = [];
    for (const digest of parts[kind]) {
      const bytes = await redis.hgetBuffer(SNAPSHOT_PARTS_KEY, digest);
      if (bytes !== null) fenced.push(...thingsIn(kind, bytes));
    }
    return fenced;
  };
  return [...(await read('stores')), ...(await read('geofences'))];
}

// KEYS[1] the version, ARGV[1] the newest version that the caller knows of. Returns a version above both, so that versions
// rise even where Redis lost its data.
const NEXT_VERSION = `
local version = math.max(redis.call('incr', KEYS[1]), tonumber(ARGV[1]) + 1)
redis.call('set', KEYS[1], version)
return version`;

// KEYS[1] the version, KEYS[2] the head, KEYS[3] the parts, ARGV[1] version, ARGV[2] head, ARGV[3] channel, further ARGV the digests of
// its parts. Returns 1 where it was set, 0 where a later version was begun meanwhile: that one is to win; -1 where a part is not there.
// Atomic: all or nothing. Parts that the head does not name are taken away: who reads them reads the new head then.
const SET_HEAD = `
if redis.call('get', KEYS[1]) ~= ARGV[1] then return 0 end
local named = {}
for i = 4, #ARGV do
  if redis.call('hexists', KEYS[3], ARGV[i]) == 0 then return -1 end
  named[ARGV[i]] = true
end
redis.call('set', KEYS[2], ARGV[2])
redis.call('publish', ARGV[3], ARGV[1])
for _, digest in ipairs(redis.call('hkeys', KEYS[3])) do
  if not named[digest] then redis.call('hdel', KEYS[3], digest) end
end
return 1`;

/** Parts written at once, a megabyte together. */
const AT_ONCE = 4;

export interface Put {
  /** The version that is published now, which is another one's where somebody else was later. */
  readonly version: number;
  /** Bytes of the parts that were written; null where the same was published already. */
  readonly written: number | null;
}

/** Publishes a snapshot, where it says anything new, under a version above `known`. */
export async function putSnapshot(redis: Redis, live: Snapshot, known: number): Promise<Put> {
  const { head, parts } = await splitInTurns(live);
  const digests = [...parts.keys()];
  const published = await readHead(redis);
  if (published !== null && sayTheSame(published, head) && (await missingOf(redis, digests)).length === 0)
    return { version: published.version, written: null };
  const version = Number(await redis.eval(NEXT_VERSION, 1, SNAPSHOT_VERSION_KEY, known));
  // From here on only who takes a later version takes parts away, and then ours is not to be published any more.
  const missing = await missingOf(redis, digests);
  let written = 0;
  for (let at = 0; at < missing.length; at += AT_ONCE) {
    const entries = missing.slice(at, at + AT_ONCE).map((digest) => [digest, parts.get(digest) as Buffer] as const);
    await redis.hset(SNAPSHOT_PARTS_KEY, ...entries.flat());
    for (const [, bytes] of entries) written += bytes.length;
  }
  const keys = [SNAPSHOT_VERSION_KEY, SNAPSHOT_KEY, SNAPSHOT_PARTS_KEY];
  const value = encodeHead({ ...head, version });
  if ((await redis.eval(SET_HEAD, keys.length, ...keys, version, value, SNAPSHOT_CHANNEL, ...digests)) === -1)
    throw new Error('parts of the snapshot went from Redis while it was published');
  return { version, written };
}

/** How long it is worked on before the event loop turns: others call the dmp meanwhile. */
const SLICE_MS = 5;

async function splitInTurns(live: Snapshot): Promise<SplitSnapshot> {
  let until = performance.now() + SLICE_MS;
  for (const steps = splitting(live); ; ) {
    const { done, value } = steps.next();
    if (done === true) return value;
    if (performance.now() < until) continue;
    await turn();
    until = performance.now() + SLICE_MS;
  }
}

function sayTheSame(one: SnapshotHead, other: SnapshotHead): boolean {
  const said = (head: SnapshotHead): string => JSON.stringify({ ...head, version: 0, at: 0 });
  return said(one) === said(other);
}

async function missingOf(redis: Redis, digests: readonly string[]): Promise<string[]> {
  const there = new Set(await redis.hkeys(SNAPSHOT_PARTS_KEY));
  return digests.filter((digest) => !there.has(digest));
}
