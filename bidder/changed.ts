import type { Redis } from 'ioredis';
import { ADDED_CHANNEL } from '../proto/keys.ts';

/**
 * Identifiers whose profile value an event changed a moment ago: who is known from before is read again. Without it an event would reach
 * the next bid within the life of the person cache, with it within milliseconds; where a message is lost it is the former again.
 */
export interface Changed {
  has(identifier: string): boolean;
}

const KEY_BYTES = 36;
/** Of each generation; beyond, the cache's life is waited for. */
const MOST = 50_000;

/**
 * Listens on a connection for subscribing only.
 *
 * @param lifeMs longest life of what is known from before
 */
export function followChanged(redis: Redis, lifeMs: number): Changed {
  let young = new Set<string>();
  let old = new Set<string>();
  let turned = 0;
  const subscribe = (): void => void redis.subscribe(ADDED_CHANNEL).catch(() => undefined);
  redis.on('ready', subscribe);
  if (redis.status === 'ready') subscribe();
  redis.on('message', (channel: string, identifiers: string) => {
    if (channel !== ADDED_CHANNEL) return;
    turn();
    for (let at = 0; at < identifiers.length && young.size < MOST; at += KEY_BYTES)
      young.add(identifiers.slice(at, at + KEY_BYTES));
  });
  return {
    has: (identifier) => {
      if (young.size + old.size === 0) return false;
      turn();
      return young.has(identifier) || old.has(identifier);
    },
  };

  function turn(): void {
    const now = performance.now();
    if (now - turned < lifeMs) return;
    old = now - turned < 2 * lifeMs ? young : new Set();
    young = new Set();
    turned = now;
  }
}
