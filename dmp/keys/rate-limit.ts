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

// A token bucket that fills at a rate up to a burst; a call takes one token, and who calls often some at once. The clock is Redis's own, so all
// processes count together. KEYS[1] the bucket, ARGV[1] tokens a second, ARGV[2] burst, ARGV[3] tokens wanted at most. Returns {tokens taken,
// tokens left, ms until one is there, ms until the bucket is full}. Should the process die before or after, at most those taken are lost.
const TAKE = `
local time = redis.call('time')
local now = time[1] * 1000 + time[2] / 1000
local rate = tonumber(ARGV[1]) / 1000
local burst = tonumber(ARGV[2])
local kept = redis.call('hmget', KEYS[1], 'tokens', 'at')
local tokens = math.min(burst, (tonumber(kept[1]) or burst) + math.max(0, now - (tonumber(kept[2]) or now)) * rate)
local taken = math.min(tonumber(ARGV[3]), math.floor(tokens))
tokens = tokens - taken
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
    const within = take(id, limit).then((call) => tell(reply, limit, call));
    if (request.routeOptions.config.limitedBeside !== true) return within;
    request.limit = within;
    // The fault is met where it is awaited, unless the call has another one before.
    within.catch(() => undefined);
    return undefined;
  });
}

/** Says how much is left. Throws where it is nothing. */
function tell(reply: FastifyReply, { perSecond, burst }: RateLimit, call: Call | null): void {
  if (call === null) return;
  const { isTaken, left, waitMs, fullMs } = call;
  const headers = {
    'ratelimit-limit': String(burst),
    'ratelimit-remaining': String(left),
    'ratelimit-reset': String(Math.ceil(fullMs / 1000)),
  };
  if (!reply.sent) reply.headers(headers);
  if (isTaken) return;
  limited.inc();
  const seconds = Math.max(1, Math.ceil(waitMs / 1000));
  throw new Problem(429, 'rate_limited', 'The API key calls more often than it may', {
    detail: `${perSecond} calls a second, ${burst} at once`,
    headers: { ...headers, 'retry-after': String(seconds) },
  });
}

/** One call of a key, as its bucket was when it was asked last. */
interface Call {
  readonly isTaken: boolean;
  readonly left: number;
  readonly waitMs: number;
  readonly fullMs: number;
}

type Bucket = readonly [taken: number, left: number, waitMs: number, fullMs: number];
type Take = (key: string, perSecond: number, burst: number, wanted: number) => Promise<Bucket>;

/** Tokens that were taken of a key's bucket, to be spent here. */
interface Purse {
  tokens: number;
  /** Monotonic, ms. */
  until: number;
  bucket: Bucket;
  asking: Promise<Bucket | null> | null;
}

const PURSE_MS = 1_000;

/**
 * Takes a call from a key's bucket; null: it is not counted. Of a key that may call often a tenth of a second's calls are taken at once, and more
 * before the last is spent: so a call waits for no Redis, which answers a write when it is on the disk. What is not spent within a second is
 * lost to the key, a tenth of its burst at most.
 */
function takerOf(redis: Redis): (id: string, limit: RateLimit) => Promise<Call | null> {
  const ask = askerOf(redis);
  const purses = new Map<string, Purse>();
  const fill = (id: string, limit: RateLimit, wanted: number): Promise<Bucket | null> => {
    const purse = purses.get(id) ?? { tokens: 0, until: 0, bucket: [0, 0, 0, 0] as const, asking: null };
    purses.set(id, purse);
    purse.asking ??= ask(id, limit, wanted).then((bucket) => {
      const now = performance.now();
      purse.asking = null;
      if (now >= purse.until) purse.tokens = 0;
      if (bucket === null) return null;
      purse.tokens += bucket[0];
      purse.until = now + PURSE_MS;
      purse.bucket = bucket;
      return bucket;
    });
    return purse.asking;
  };
  const spend = (id: string, limit: RateLimit, wanted: number): Call | null => {
    const purse = purses.get(id);
    if (purse === undefined || purse.tokens === 0 || performance.now() >= purse.until) return null;
    purse.tokens--;
    if (purse.tokens < wanted / 2) void fill(id, limit, wanted);
    return callOf(purse.bucket, true, purse.bucket[1] + purse.tokens);
  };
  return async (id, limit) => {
    const wanted = Math.floor(Math.min(limit.perSecond, limit.burst) / 10);
    if (wanted < 2) {
      const bucket = await ask(id, limit, 1);
      return bucket === null ? null : callOf(bucket, bucket[0] === 1, bucket[1]);
    }
    for (;;) {
      const call = spend(id, limit, wanted);
      if (call !== null) return call;
      const bucket = await fill(id, limit, wanted);
      if (bucket === null) return null;
      // Others may have spent what came meanwhile.
      if (bucket[0] === 0) return callOf(bucket, false, bucket[1]);
    }
  };
}

function callOf([, , waitMs, fullMs]: Bucket, isTaken: boolean, left: number): Call {
  return { isTaken, left, waitMs, fullMs };
}

/** Asks a key's bucket; null: Redis is away. */
function askerOf(redis: Redis): (id: string, limit: RateLimit, wanted: number) => Promise<Bucket | null> {
  // Sent by its digest: the text goes over the wire once.
  redis.defineCommand('walkin_take', { numberOfKeys: 1, lua: TAKE });
  const { walkin_take: takeSome } = redis as unknown as { readonly walkin_take: Take };
  return async (id, { perSecond, burst }, wanted) => {
    if (redis.status !== 'ready') return null;
    let timer: NodeJS.Timeout | undefined;
    const late = new Promise<null>((resolve) => {
      // Where this process stood still itself, the answer is there and only has to be read.
      timer = setTimeout(() => setImmediate(() => resolve(null)), PATIENCE_MS);
    });
    const answer = takeSome.call(redis, `walkin:rate:${id}`, perSecond, burst, wanted).catch(() => null);
    return Promise.race([answer, late]).finally(() => clearTimeout(timer));
  };
}
