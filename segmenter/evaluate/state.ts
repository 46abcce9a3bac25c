import type { Redis } from 'ioredis';

/** Hash in Redis: segment → what its members are of. Of those that are not in it nothing is known: they are evaluated whole. */
const STATE_KEY = 'walkin:segmenter:evaluated-segments';
/** Versions that a run may have begun to write: what is there of them is not known. */
const BEGUN_KEY = 'walkin:segmenter:evaluated-begun';
/** Segments that are evaluated alone, since their last evaluation failed. */
const FAILED_KEY = 'walkin:segmenter:evaluated-failed';

/** Hash: leaf → what its kept set is of. */
const LEAVES_KEY = 'walkin:segmenter:evaluated-leaves';

/** What the last evaluation of a segment that succeeded had taken in. */
export interface Evaluated {
  /** Of its members. */
  readonly version: number;
  /** Of what its rule comes to: rule, stores, sources, rates. */
  readonly digest: string;
  /** The fold of facts, and the end of sliding windows, epoch ms. */
  readonly fold: number;
  readonly at: number;
  /** When everybody was asked last, epoch ms. */
  readonly whole: number;
  /** Versions of the segments that its rule names. */
  readonly nested: Readonly<Record<string, number>>;
  /** Its leaves, by what they come to; of states of before there is none. */
  readonly sets?: readonly string[];
  /** Versions that are kept to be restored, oldest first: the last of each rule that it had. */
  readonly kept: readonly number[];
}

/** What the kept set of a leaf has taken in. */
export interface Kept {
  /** The fold of facts, and the end of sliding windows, epoch ms. */
  readonly fold: number;
  readonly at: number;
  /** When everybody was asked last, epoch ms. */
  readonly whole: number;
  /** It is that of those of whom the leaf does not hold. */
  readonly isOpposite: boolean;
}

/** A segment whose evaluation failed, and has not succeeded since. */
export interface Failed {
  readonly digest: string;
  readonly times: number;
  /** Last, epoch ms. */
  readonly at: number;
}

export interface EvaluatedStates {
  readonly known: ReadonlyMap<string, Evaluated>;
  readonly begun: ReadonlyMap<string, number>;
  readonly failed: ReadonlyMap<string, Failed>;
  readonly leaves: ReadonlyMap<string, Kept>;
}

export async function readEvaluated(redis: Redis): Promise<EvaluatedStates> {
  const keys = [STATE_KEY, BEGUN_KEY, FAILED_KEY, LEAVES_KEY];
  const [states, begun, failed, leaves] = await Promise.all(keys.map((key) => redis.hgetall(key)));
  return {
    known: new Map(Object.entries(states ?? {}).map(([id, text]) => [id, JSON.parse(text) as Evaluated])),
    begun: new Map(Object.entries(begun ?? {}).map(([id, version]) => [id, Number(version)])),
    failed: new Map(Object.entries(failed ?? {}).map(([id, text]) => [id, JSON.parse(text) as Failed])),
    leaves: new Map(Object.entries(leaves ?? {}).map(([key, text]) => [key, keptOf(text)])),
  };
}

/** Fields of one call: of a million segments an argument each would be more than a call may have, and Redis would hear nobody else. */
const AT_ONCE = 10_000;

function* inParts<T>(all: Iterable<T>): Generator<T[]> {
  let part: T[] = [];
  for (const one of all) {
    part.push(one);
    if (part.length < AT_ONCE) continue;
    yield part;
    part = [];
  }
  if (part.length > 0) yield part;
}

/** Before anything of the versions is written. */
export async function beginVersions(redis: Redis, versions: ReadonlyMap<string, number>): Promise<void> {
  for (const part of inParts(versions)) await redis.hset(BEGUN_KEY, ...part.flat());
}

/** When all of them is; of each segment at once. */
export async function saveEvaluated(redis: Redis, states: ReadonlyMap<string, Evaluated>): Promise<void> {
  for (const part of inParts(states)) {
    const writes = redis.multi();
    const ids = part.map(([id]) => id);
    writes.hset(STATE_KEY, ...part.flatMap(([id, state]) => [id, JSON.stringify(state)]));
    writes.hdel(BEGUN_KEY, ...ids).hdel(FAILED_KEY, ...ids);
    for (const [error] of (await writes.exec()) ?? []) if (error !== null) throw error;
  }
}

export async function readFailed(redis: Redis): Promise<string[]> {
  return redis.hkeys(FAILED_KEY);
}

export async function saveFailed(redis: Redis, id: string, failed: Failed): Promise<void> {
  await redis.hset(FAILED_KEY, id, JSON.stringify(failed));
}

export async function forgetEvaluated(redis: Redis, ids: readonly string[]): Promise<void> {
  for (const part of inParts(ids))
    await redis
      .multi()
      .hdel(STATE_KEY, ...part)
      .hdel(BEGUN_KEY, ...part)
      .exec();
}

function keptOf(text: string): Kept {
  const [fold, at, whole, opposite] = text.split(' ').map(Number) as [number, number, number, number];
  return { fold, at, whole, isOpposite: opposite === 1 };
}

export async function saveLeaves(redis: Redis, leaves: ReadonlyMap<string, Kept>): Promise<void> {
  for (const part of inParts(leaves)) {
    const fields = part.flatMap(([key, { fold, at, whole, isOpposite }]) => [
      key,
      `${fold} ${at} ${whole} ${isOpposite ? 1 : 0}`,
    ]);
    await redis.hset(LEAVES_KEY, ...fields);
  }
}

export async function forgetLeaves(redis: Redis, keys: readonly string[]): Promise<void> {
  for (const part of inParts(keys)) await redis.hdel(LEAVES_KEY, ...part);
}
