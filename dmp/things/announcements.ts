import type { Redis } from 'ioredis';
import { THINGS_CHANNEL } from '../../proto/keys.ts';
import type { Kind } from './things.ts';

export interface Announcement {
  readonly kind: Kind;
  readonly id: string;
  readonly revision: number;
}

/** Tells the other processes what was changed. They also look for themselves now and then, so a lost message is only late. */
export function announce(redis: Redis, changed: readonly Announcement[]): void {
  const pipeline = redis.pipeline();
  for (const { kind, id, revision } of changed) pipeline.publish(THINGS_CHANNEL, JSON.stringify({ kind, id, revision }));
  pipeline.exec().catch(() => undefined);
}

/**
 * Listens to the others on a connection of its own. `onSubscribed` runs whenever listening (again) began: what was said
 * before was not heard.
 */
export async function listen(
  redis: Redis,
  onAnnouncement: (announcement: Announcement) => void,
  onSubscribed: () => void,
): Promise<{ close(): void }> {
  const subscriber = redis.duplicate({ autoResubscribe: false });
  subscriber.on('error', () => undefined);
  subscriber.on('message', (_channel: string, message: string) => onAnnouncement(JSON.parse(message) as Announcement));
  await subscriber.subscribe(THINGS_CHANNEL);
  subscriber.on('ready', () => void subscriber.subscribe(THINGS_CHANNEL).then(onSubscribed, () => undefined));
  return { close: () => subscriber.disconnect() };
}
