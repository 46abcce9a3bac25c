import type { Redis } from 'ioredis';
import { SNAPSHOT_KEY, SNAPSHOT_PARTS_KEY } from '../../proto/keys.ts';
import type { Snapshot } from '../../proto/snapshot.ts';
import { decodeHead, surroundingsOf, thingsIn } from '../../proto/snapshot-parts.ts';

/** The snapshot that bidders would read now, whole; null: none is published. */
export async function readSnapshot(redis: Redis): Promise<Snapshot | null> {
  // At once, since parts go with the head that named them.
  const replies = await redis.multi().getBuffer(SNAPSHOT_KEY).hgetallBuffer(SNAPSHOT_PARTS_KEY).exec();
  const [value, parts] = (replies ?? []).map(([, reply]) => reply) as [Buffer | null, Record<string, Buffer>];
  if (value === null) return null;
  const head = decodeHead(value);
  const lineItems = head.parts.lineItems.flatMap((digest) => thingsIn('lineItems', parts[digest] as Buffer));
  return { ...surroundingsOf(head, (kind, digest) => thingsIn(kind, parts[digest] as Buffer)), lineItems };
}
