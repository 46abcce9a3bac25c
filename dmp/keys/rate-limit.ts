import type { FastifyInstance, FastifyReply } from 'fastify';
import type { Redis } from 'ioredis';
import { Counter } from 'prom-client';
import { Problem } from '../problem.ts';
import type { RateLimit } from './api-key.ts';

const limited = new Counter({ name: 'walkin_api_rate_limited_total', help: 'Calls that were answered 429' });

declare module 'fastify' {
  interface FastifyRequest {
    /** Of routes with `limitedBeside`: rejected with the 429 where the key has no call left. */
    limit: Promise<void> | null;
  }
  interface FastifyContextConfig {
    /** The route awaits `limit` itself, beside its own question to Redis: two round trips in the time of one. */
    limitedBeside?: boolean;
  }
}

/** Of keys that name none: far above what a console does, and what one sender of batches needs. */
const PRESET: RateLimit = { perSecond: 500, burst: 1_000 };
/** Redis that does not answer must not stop the API. */
const PATIENCE_MS = 250;

// A token bucket that fills at a rate up to a burst; a call takes one token. The clock is Redis's own, so all processes count
// together. KEYS[1] the bucket, ARGV[1] tokens a second, ARGV[2] burst. Returns {1 or 0, tokens left, ms until one is there,
// ms until the bucket is full}. Should the process die before or after, at most one token is lost.
const TAKE = `
local time = redis.call('time')
local now = time[1] * 1000 + time[2] / 1000
local rate = tonumber(ARGV[1]) / 1000
local burst = tonumber(ARGV[2])
local kept = redis.call('hmget', KEYS[1], 'tokens', 'at')
local tokens = math.min(burst, (tonumber(kept[1]) or burst) + math.max(0, now - (tonumber(kept[2]) or now)) * rate)
local taken = 0
if tokens >= 1 then
  tokens = tokens - 1
  taken = 1
end
redis.call('hset', KEYS[1], 'tokens', tostring(tokens), 'at', tostring(now))
redis.call('pexpire', KEYS[1], math.ceil(burst / rate) + 1000)
return {taken, math.floor(tokens), math.ceil(math.max(0, 1 - tokens) / rate), math.ceil((burst - tokens) / rate)}`;

/**
 * Each key has a bucket of calls; one that is empty answers 429 with Retry-After before the body is read. Where Redis is away
 * nothing is counted. The operator's first key is not limited. Call after the keys are known.
 */
export function useRateLimit(app: FastifyInstance, redis: Redis): void {
  const take = takerOf(redis);
  app.decorateRequest('limit', null);
  app.addHook('onRequest', async (request, reply) => {
    // Open routes have no key.
    if (request.principal === null) return;
    const { id, rateLimit } = request.principal;
    if (rateLimit === undefined) return;
    const limit = rateLimit ?? PRESET;
    const within = take(id, limit).then((bucket) => tell(reply, limit, bucket));
    if (request.routeOptions.config.limitedBeside !== true) return within;
    request.limit = within;
    // The fault is met where it is awaited, unless the call has another one before.
    within.catch(() => undefined);
    return undefined;
  });
}

/** Says how much is left. Throws where it is nothing. */
function tell(reply: FastifyReply, { perSecond, burst }: RateLimit, bucket: Bucket | null): void {
  if (bucket === null) return;
  const [taken, left, waitMs, fullMs] = bucket;
  const headers = {
    'ratelimit-limit': String(burst),
    'ratelimit-remaining': String(left),
    'ratelimit-reset': String(Math.ceil(fullMs / 1000)),
  };
  if (!reply.sent) reply.headers(headers);
  if (taken === 1) return;
  limited.inc();
  const seconds = Math.max(1, Math.ceil(waitMs / 1000));
  throw new Problem(429, 'rate_limited', 'The API key calls more often than it may', {
    detail: `${perSecond} calls a second, ${burst} at once`,
    headers: { ...headers, 'retry-after': String(seconds) },
  });
}

type Bucket = readonly [taken: number, left: number, waitMs: number, fullMs: number];
type Take = (key: string, perSecond: number, burst: number) => Promise<Bucket>;

/** Takes a call from a key's bucket; null: it is not counted. */
function takerOf(redis: Redis): (id: string, limit: RateLimit) => Promise<Bucket | null> {
  // Sent by its digest: the text goes over the wire once.
  redis.defineCommand('walkin_take', { numberOfKeys: 1, lua: TAKE });
  const { walkin_take: takeOne } = redis as unknown as { readonly walkin_take: Take };
  return async (id, { perSecond, burst }) => {
    if (redis.status !== 'ready') return null;
    let timer: NodeJS.Timeout | undefined;
    const late = new Promise<null>((resolve) => {
      // Where this process stood still itself, the answer is there and only has to be read.
      timer = setTimeout(() => setImmediate(() => resolve(null)), PATIENCE_MS);
    });
    const answer = takeOne.call(redis, `walkin:rate:${id}`, perSecond, burst).catch(() => null);
    return Promise.race([answer, late]).finally(() => clearTimeout(timer));
  };
}
