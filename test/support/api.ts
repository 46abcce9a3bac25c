import type { FastifyInstance, InjectOptions, LightMyRequestResponse } from 'fastify';
import { type Logger, pino } from 'pino';
import { buildApp } from '../../dmp/app.ts';
import type { DmpDeps } from '../../dmp/deps.ts';
import { createJobs } from '../../dmp/jobs/queue.ts';
import { openThings } from '../../dmp/things/open.ts';
import { startRedis } from './redis.ts';
import { startWarehouse } from './warehouse.ts';

export const ADMIN_KEY = `wk_admin_${'a'.repeat(64)}`;

/** The admin API on a Redis and a ClickHouse of the test's own, called in process. */
export interface TestApi {
  readonly app: FastifyInstance;
  readonly deps: DmpDeps;
  /** A call with a key, the admin's by default. */
  call(method: InjectOptions['method'], url: string, body?: unknown, options?: CallOptions): Promise<LightMyRequestResponse>;
  /** As `call`, but throws unless it answers 2xx; returns the JSON. */
  ok<T = Record<string, unknown>>(
    method: InjectOptions['method'],
    url: string,
    body?: unknown,
    options?: CallOptions,
  ): Promise<T>;
  stop(): Promise<void>;
}

export interface CallOptions {
  readonly key?: string | null;
  readonly headers?: Record<string, string>;
}

export async function startApi(log: Logger = pino({ level: process.env['WALKIN_TEST_LOG'] ?? 'silent' })): Promise<TestApi> {
  const redis = await startRedis();
  const { warehouse, stop } = await startWarehouse();
  const connection = redis.connect();
  const things = await openThings({ warehouse, redis: connection, now: Date.now });
  const jobs = createJobs({ connection });
  const deps: DmpDeps = {
    warehouse,
    redis: connection,
    things,
    jobs,
    pepper: 'a pepper of the tests',
    uploads: redis.folder,
    now: Date.now,
    log,
  };
  const app = buildApp(deps, { adminKey: ADMIN_KEY });
  const call: TestApi['call'] = (method = 'GET', url, body, { key = ADMIN_KEY, headers = {} } = {}) =>
    app.inject({
      method,
      url,
      headers: { ...(key === null ? {} : { authorization: `Bearer ${key}` }), ...headers },
      ...(body === undefined ? {} : { payload: body as object }),
    });
  return {
    app,
    deps,
    call,
    ok: async <T>(method: InjectOptions['method'], url: string, body?: unknown, options?: CallOptions) => {
      const response = await call(method, url, body, options);
      if (response.statusCode >= 300) throw new Error(`${String(method)} ${url}: ${response.statusCode} ${response.body}`);
      return (response.body === '' ? undefined : response.json()) as T;
    },
    stop: async () => {
      await app.close();
      await jobs.close();
      await things.close();
      await stop();
      await redis.stop();
    },
  };
}
