import type { Redis } from 'ioredis';

/** Hash by segment: JSON `{at, version, lag}`. */
const PUBLISHED_KEY = 'walkin:publication:segments';

/** What of a segment the bidders have. */
export interface PublishedSegment {
  /** When the last publication that took it in ended, epoch ms. */
  readonly at: number;
  /** Of the members that are published. */
  readonly version: number;
  /** Seconds from the evaluation that made this version to its being visible. */
  readonly lag: number;
}

export async function notePublished(redis: Redis, published: ReadonlyMap<string, PublishedSegment>): Promise<void> {
  if (published.size > 0)
    await redis.hset(PUBLISHED_KEY, Object.fromEntries([...published].map(([id, one]) => [id, JSON.stringify(one)])));
}

/** Null: bidders do not have it, since no live line item needs it. */
export async function publishedSegment(redis: Redis, segment: string): Promise<PublishedSegment | null> {
  const text = await redis.hget(PUBLISHED_KEY, segment);
  return text === null ? null : (JSON.parse(text) as PublishedSegment);
}

export async function forgetPublished(redis: Redis, segments: readonly string[]): Promise<void> {
  if (segments.length > 0) await redis.hdel(PUBLISHED_KEY, ...segments);
}
