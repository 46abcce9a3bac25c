import type { Redis } from 'ioredis';
import { SNAPSHOT_CHANNEL, SNAPSHOT_KEY, SNAPSHOT_PARTS_KEY, SNAPSHOT_VERSION_KEY } from '../../proto/keys.ts';
import { encodeHead, type SplitSnapshot } from '../../proto/snapshot-parts.ts';

/** As the dmp does: parts that are not there yet, then the head; parts that it does not name go. */
export async function publishSnapshot(redis: Redis, { head, parts }: SplitSnapshot): Promise<void> {
  const there = new Set(await redis.hkeys(SNAPSHOT_PARTS_KEY));
  for (const [digest, bytes] of parts) if (!there.delete(digest)) await redis.hset(SNAPSHOT_PARTS_KEY, digest, bytes);
  await redis.set(SNAPSHOT_KEY, encodeHead(head));
  await redis.set(SNAPSHOT_VERSION_KEY, head.version);
  await redis.publish(SNAPSHOT_CHANNEL, String(head.version));
  if (there.size > 0) await redis.hdel(SNAPSHOT_PARTS_KEY, ...there);
}
