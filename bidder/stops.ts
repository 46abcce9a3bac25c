import type { Redis } from 'ioredis';
import { STOPPED_CHANNEL } from '../proto/keys.ts';
import { decodeStop, type Stop } from '../proto/stop.ts';

/** Listens for line items that must not bid any more, on a connection for subscribing only. What is missed the next snapshot does. */
export function followStops(subscriber: Redis, onStop: (stop: Stop) => void): void {
  const subscribe = (): void => void subscriber.subscribe(STOPPED_CHANNEL).catch(() => undefined);
  subscriber.on('ready', subscribe);
  if (subscriber.status === 'ready') subscribe();
  subscriber.on('message', (channel: string, message: string) => {
    const stop = channel === STOPPED_CHANNEL ? decodeStop(message) : null;
    if (stop !== null) onStop(stop);
  });
}
