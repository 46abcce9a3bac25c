import { randomUUID } from 'node:crypto';
import { setTimeout as sleep } from 'node:timers/promises';
import type { Redis } from 'ioredis';
import { Problem } from '../problem.ts';

/** A holder that died keeps the others waiting this long. */
const LEASE_MS = 5_000;
const RENEW_MS = 1_500;
const PATIENCE_MS = 20_000;
const POLL_MS = 10;

// KEYS[1] the lock, ARGV[1] the holder, ARGV[2] ms (0 = let go). Returns 1 where the holder still held it. Should the process
// die before or after, the lock ends by itself.
const HOLD = `
if redis.call('get', KEYS[1]) ~= ARGV[1] then return 0 end
if ARGV[2] == '0' then return redis.call('del', KEYS[1]) end
return redis.call('pexpire', KEYS[1], ARGV[2])`;

/** Runs work under a name one after the other: in this process by a chain, among processes by a lease in Redis. */
export interface WriteLock {
  run<T>(name: string, work: () => Promise<T>): Promise<T>;
}

export function createWriteLock(redis: Redis): WriteLock {
  const tails = new Map<string, Promise<unknown>>();
  return {
    run: (name, work) => {
      const result = (tails.get(name) ?? Promise.resolve()).then(() => underLease(redis, `walkin:lock:${name}`, work));
      tails.set(
        name,
        result.catch(() => undefined),
      );
      return result;
    },
  };
}

async function underLease<T>(redis: Redis, key: string, work: () => Promise<T>): Promise<T> {
  const holder = randomUUID();
  await acquire(redis, key, holder);
  const renewal = setInterval(() => void redis.eval(HOLD, 1, key, holder, LEASE_MS).catch(() => undefined), RENEW_MS);
  try {
    return await work();
  } finally {
    clearInterval(renewal);
    // Not waited for: where Redis is away the lease ends by itself.
    redis.eval(HOLD, 1, key, holder, 0).catch(() => undefined);
  }
}

async function acquire(redis: Redis, key: string, holder: string): Promise<void> {
  for (const until = performance.now() + PATIENCE_MS; ; ) {
    if ((await redis.set(key, holder, 'PX', LEASE_MS, 'NX')) === 'OK') return;
    if (performance.now() > until)
      throw new Problem(503, 'unavailable', 'Other writes take too long', { headers: { 'retry-after': '5' } });
    await sleep(POLL_MS * (1 + Math.random()));
  }
}
