import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import Fastify, { type FastifyInstance } from 'fastify';
import { pino } from 'pino';
import type { DmpDeps } from '../../dmp/deps.ts';
import { registerEventRoutes } from '../../dmp/events/routes.ts';
import { useProblems } from '../../dmp/http/errors.ts';
import { SCHEMA_COMPILERS } from '../../dmp/http/validation.ts';
import { registerImportRoutes } from '../../dmp/imports/routes.ts';
import { createJobs } from '../../dmp/jobs/queue.ts';
import { registerJobRoutes } from '../../dmp/jobs/routes.ts';
import type { Principal } from '../../dmp/keys/auth.ts';
import { registerQuarantineRoutes } from '../../dmp/quarantine/routes.ts';
import { plainThings } from '../support/plain-things.ts';
import { startRedis, type TestRedis } from '../support/redis.ts';
import { startWarehouse } from '../support/warehouse.ts';

export const PEPPER = 'pepper';
/** 2026-11-22T12:00:00Z */
export const NOW = Date.UTC(2026, 10, 22, 12);

/** The routes of the data side over a real Redis and a real ClickHouse, called by whoever `principal` is. */
export interface DataApp {
  readonly app: FastifyInstance;
  readonly deps: DmpDeps;
  readonly redis: TestRedis;
  principal: Principal;
  rows<Row>(sql: string): Promise<Row[]>;
  /** Forgets all facts. */
  clear(): Promise<void>;
  stop(): Promise<void>;
}

const TABLES = [
  'purchases',
  'products',
  'stocks',
  'actions',
  'pings',
  'pages',
  'redemptions',
  'attributes',
  'edges',
  'quarantine',
  'ad_events',
];

export async function startDataApp(): Promise<DataApp> {
  const { warehouse, stop } = await startWarehouse();
  const redis = await startRedis();
  const uploads = await mkdtemp(join(tmpdir(), 'walkin-uploads-'));
  const connection = redis.connect();
  const jobs = createJobs({ connection });
  const deps: DmpDeps = {
    warehouse,
    redis: connection,
    things: plainThings(),
    jobs,
    pepper: PEPPER,
    uploads,
    now: () => NOW,
    log: pino({ level: 'silent' }),
  };
  const app = Fastify({ schemaController: { compilersFactory: SCHEMA_COMPILERS } });
  useProblems(app, deps.log);
  const data: DataApp = {
    app,
    deps,
    redis,
    principal: { id: 'key_admin', advertiser: null, scopes: ['admin'] },
    rows: (sql) => warehouse.query({ sql }),
    clear: async () => {
      for (const table of TABLES) await warehouse.command({ sql: `TRUNCATE TABLE ${table}` });
    },
    stop: async () => {
      await app.close();
      await jobs.close();
      await redis.stop();
      await stop();
      await rm(uploads, { recursive: true, force: true });
    },
  };
  app.addHook('onRequest', async (request) => {
    request.principal = data.principal;
  });
  registerEventRoutes(app, deps);
  registerImportRoutes(app, deps);
  registerQuarantineRoutes(app, deps);
  registerJobRoutes(app, deps);
  await app.ready();
  return data;
}
