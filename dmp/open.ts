import { mkdir } from 'node:fs/promises';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import type { FastifyInstance } from 'fastify';
import type { Logger } from 'pino';
import { startIntake } from './ad-events/intake.ts';
import { buildApp } from './app.ts';
import { migrate } from './clickhouse/migrate.ts';
import { openWarehouse, type WarehouseOptions } from './clickhouse/warehouse.ts';
import type { DmpDeps } from './deps.ts';
import { startExports } from './destinations/schedule.ts';
import { buildMetricsApp } from './http/metrics.ts';
import { startImportWorker } from './imports/worker.ts';
import { createJobs } from './jobs/queue.ts';
import { openRedis } from './redis.ts';
import { startPublisher } from './snapshot/publish.ts';
import { openThings } from './things/open.ts';

export interface DmpOptions {
  /** redis://… or the path of a unix socket. */
  readonly redisUrl: string;
  readonly clickhouse: WarehouseOptions;
  /** Uploaded files are kept below it. */
  readonly dataDir: string;
  readonly pepper: string;
  /** Imports may be fetched from addresses that point inside. */
  readonly fetchInside?: boolean;
  /** Where ClickHouse finds this dmp to read S3 through; null: on this machine. */
  readonly guardUrl?: string | null;
  /** Our id in the Global Vendor List. */
  readonly vendor?: number;
  /** The first key, which may do everything; null: none. */
  readonly adminKey: string | null;
  readonly host: string;
  /** 0: any free one. */
  readonly port: number;
  readonly metricsPort: number;
  readonly log: Logger;
}

export interface Dmp {
  readonly deps: DmpDeps;
  readonly app: FastifyInstance;
  /** Stops accepting, finishes what runs, closes all that was opened. */
  close(): Promise<void>;
}

/** How long work that can be done again by another process may hold up the end of this one. */
const PATIENCE_MS = 3_000;

/** Opens everything that a dmp is and listens on both ports. What fails on the way closes what was opened before. */
export async function openDmp(options: DmpOptions): Promise<Dmp> {
  const closings: (() => Promise<unknown>)[] = [];
  const close = async (): Promise<void> => {
    for (let closing = closings.pop(); closing !== undefined; closing = closings.pop())
      await closing().catch((error: unknown) => options.log.error({ err: error }, 'closing'));
  };
  try {
    const deps = await openDeps(options, closings);
    const app = await listenAll(deps, options, closings);
    return { deps, app, close };
  } catch (error) {
    await close();
    throw error;
  }
}

/** What a dmp and a segmenter work with. What closes it is added to `closings`, to be called from the last to the first. */
export async function openDeps(
  options: Pick<DmpOptions, 'redisUrl' | 'clickhouse' | 'dataDir' | 'pepper' | 'fetchInside' | 'vendor' | 'log'>,
  closings: (() => Promise<unknown>)[],
): Promise<DmpDeps> {
  const { log, pepper } = options;
  const uploads = join(options.dataDir, 'uploads');
  await mkdir(uploads, { recursive: true });
  const warehouse = await openWarehouse(options.clickhouse);
  closings.push(() => warehouse.close());
  const migrations = await migrate(warehouse);
  if (migrations.length > 0) log.info({ migrations }, 'the schema is up to date');
  const redis = openRedis(options.redisUrl, log);
  closings.push(async () => redis.disconnect());
  const now = Date.now;
  const things = await openThings({ warehouse, redis, now });
  closings.push(() => things.close());
  const jobs = createJobs({ redisUrl: options.redisUrl });
  closings.push(() => within(PATIENCE_MS, jobs.close()));
  const fetchInside = options.fetchInside === true;
  const vendor = options.vendor ?? 0;
  return { warehouse, redis, things, jobs, pepper, uploads, fetchInside, vendor, now, log };
}

async function listenAll(deps: DmpDeps, options: DmpOptions, closings: (() => Promise<unknown>)[]): Promise<FastifyInstance> {
  const publisher = startPublisher(deps);
  closings.push(() => publisher.close());
  const intake = startIntake(deps);
  closings.push(() => within(PATIENCE_MS, intake.close()));
  const { guardUrl: url = null, host } = options;
  const imports = startImportWorker(url === null ? deps : { ...deps, guard: { host, url } });
  closings.push(() => within(PATIENCE_MS, imports.close()));
  const exports = startExports(deps);
  closings.push(() => within(PATIENCE_MS, exports.close()));
  const app = buildApp(deps, { adminKey: options.adminKey });
  closings.push(() => app.close());
  await app.listen({ host: options.host, port: options.port });
  // Last, since who finds this port ready calls the API next.
  const metrics = buildMetricsApp(deps);
  closings.push(() => metrics.close());
  await metrics.listen({ host: options.host, port: options.metricsPort });
  options.log.info({ host: options.host, port: options.port, metricsPort: options.metricsPort }, 'the admin API listens');
  return app;
}

async function within(ms: number, work: Promise<unknown>): Promise<void> {
  const end = new AbortController();
  const late = sleep(ms, undefined, { signal: end.signal }).catch(() => undefined);
  await Promise.race([work, late]).finally(() => end.abort());
}
