import Fastify, { type FastifyInstance } from 'fastify';
import type { Redis } from 'ioredis';
import type { Logger } from 'pino';
import { collectDefaultMetrics, register } from 'prom-client';
import { answerLookups } from '../destinations/lookup-call.ts';
import { createLookupUses, handOver } from '../destinations/lookup-uses.ts';
import { createApi, useRedisGuard } from '../http/api.ts';
import { useJson } from '../http/json-body.ts';
import { useAuthentication } from '../keys/authenticate.ts';
import { useRateLimit } from '../keys/rate-limit.ts';
import { notCurrent, type OffersTold } from './offers-told.ts';

export interface PagesDeps {
  readonly redis: Redis;
  readonly offers: OffersTold;
  readonly pepper: string;
  readonly now: () => number;
  readonly log: Logger;
}

const BODY_LIMIT = 64 * 1024;

/** Answers pages which segments their visitor is in, as the dmp does, and nothing else: whatever the dmp is at, no page waits for it. */
export function buildPagesApp(deps: PagesDeps): FastifyInstance {
  const { redis, offers, log } = deps;
  const app = createApi(log, BODY_LIMIT);
  app.addHook('onRequest', async () => {
    if (!offers.isCurrent()) throw notCurrent();
  });
  useAuthentication(app, offers.keyOf, null);
  useRateLimit(app, redis);
  useRedisGuard(app, redis);
  useJson(app);
  const uses = createLookupUses(async (counts) => {
    if (redis.status === 'ready') await handOver(redis, counts);
  }, log);
  app.register(async (api) => answerLookups(api, { ...deps, uses }));
  return app;
}

/** The app of the metrics port: /livez, /readyz, /metrics. */
export function buildPagesHealth({ redis, offers }: PagesDeps): FastifyInstance {
  if (register.getSingleMetric('process_cpu_seconds_total') === undefined) collectDefaultMetrics();
  const app = Fastify();
  app.get('/livez', () => ({ live: true }));
  app.get('/readyz', async (_, reply) => {
    const reasons = [
      ...(redis.status === 'ready' ? [] : ['Redis does not answer']),
      ...(offers.isCurrent() ? [] : ['the dmp has not said what is on offer']),
    ];
    return reply.code(reasons.length === 0 ? 200 : 503).send({ ready: reasons.length === 0, reasons });
  });
  app.get('/metrics', async (_, reply) => reply.type(register.contentType).send(await register.metrics()));
  return app;
}
