import type { Redis } from 'ioredis';

/** The last refresh of all segments, as JSON. */
const ROUND_KEY = 'walkin:segmenter:round';

/** A refresh of all segments that went through. Of whom nobody's facts changed there is no run of it: their last one is still right. */
export interface Round {
  /** Epoch ms. */
  readonly at: number;
  /** Segments that could not be evaluated. */
  readonly failed: readonly string[];
}

export async function keepRound(redis: Redis, round: Round): Promise<void> {
  await redis.set(ROUND_KEY, JSON.stringify(round));
}

/** Null: there was none yet. */
export async function lastRound(redis: Redis): Promise<Round | null> {
  const text = await redis.get(ROUND_KEY);
  return text === null ? null : (JSON.parse(text) as Round);
}
