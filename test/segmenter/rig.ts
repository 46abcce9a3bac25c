import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { Redis } from 'ioredis';
import { type Logger, pino } from 'pino';
import type { Warehouse } from '../../dmp/clickhouse/warehouse.ts';
import type { Jobs } from '../../dmp/jobs/jobs.ts';
import { createJobs } from '../../dmp/jobs/queue.ts';
import type { Rule } from '../../dmp/segments/rule.ts';
import type { Things } from '../../dmp/things/things.ts';
import { plainThings } from '../support/plain-things.ts';
import { startRedis, type TestRedis } from '../support/redis.ts';
import { startWarehouse } from '../support/warehouse.ts';

/** What the steps of the segmenter are given: a real Redis and warehouse, plain things, and a clock that the test moves. */
export interface Rig {
  readonly warehouse: Warehouse;
  readonly redis: Redis;
  readonly server: TestRedis;
  things: Things;
  readonly log: Logger;
  readonly now: () => number;
  readonly pepper: string;
  /** There are none. */
  readonly uploads: string;
  readonly jobs: Jobs;
  /** Moves the clock, milliseconds. */
  pass(ms: number): void;
  /** Empties everything. */
  reset(): Promise<void>;
  segment(id: string, rule: Rule, number: number, advertiser?: string | null): Promise<void>;
  store(id: string, lat: number, lon: number, radius?: number, more?: object): Promise<void>;
  stop(): Promise<void>;
}

export const uuid = (n: number): string => `00000000-0000-8000-8000-${String(n).padStart(12, '0')}`;
const BY = { actor: 'test' };
const TABLES = [
  'identities',
  'identity_scope',
  'opt_outs',
  'links',
  'edges',
  'pings',
  'visits',
  'memberships',
  'segment_runs',
  'purchases',
  'attributes',
  'pages',
  'redemptions',
  'actions',
  'ad_events',
  'products',
  'consents',
  'facts',
  'touches',
  'placements',
  'segment_members',
  'leaf_members',
];

export async function startRig(): Promise<Rig> {
  const server = await startRedis();
  const redis = server.connect();
  const { warehouse, stop } = await startWarehouse();
  const uploads = await mkdtemp(join(tmpdir(), 'walkin-uploads-'));
  const jobs = createJobs({ connection: server.connect(), prefix: 'rig' });
  let clock = Date.now();
  const rig: Rig = {
    warehouse,
    redis,
    server,
    things: plainThings(),
    log: pino({ level: process.env['WALKIN_TEST_LOG'] ?? 'silent' }),
    now: () => clock,
    pepper: 'pepper',
    uploads,
    jobs,
    pass: (ms) => {
      clock += ms;
    },
    reset: async () => {
      await redis.flushall();
      for (const table of TABLES) await warehouse.command({ sql: `TRUNCATE TABLE ${table}` });
      rig.things = plainThings();
    },
    segment: async (id, rule, number, advertiser = null) => {
      // One person is enough for it to be used.
      await rig.things.put('segment', id, { advertiser, name: id, rule, number, minimumSize: 1 } as never, BY);
      await putLineItem(rig, `of-${id}`, [id]);
    },
    store: async (id, lat, lon, radius = 75, more = {}) => {
      const body = { advertiser: 'adv', name: id, address: '', lat, lon, timeZone: 'UTC', hours: null, ...more };
      await rig.things.put('store', id, { ...body, fence: { type: 'circle', radius } }, BY);
    },
    stop: async () => {
      await jobs.close();
      await rm(uploads, { recursive: true, force: true });
      await stop();
      await server.stop();
    },
  };
  return rig;
}

/** A line item that is live and wants people of these segments: what no line item needs is not published. */
export async function putLineItem(
  { things }: Pick<Rig, 'things'>,
  id: string,
  segments: readonly string[],
  status = 'active',
): Promise<void> {
  const flight = { start: '2020-01-01T00:00:00Z', end: '2100-01-01T00:00:00Z' };
  await things.put('campaign', 'live', { advertiser: 'adv', name: 'live', status: 'active', ...flight } as never, BY);
  const lineItem = { campaign: 'live', name: id, status, targeting: { segments: [segments] }, creatives: ['c'], caps: [] };
  await things.put('line-item', id, lineItem as never, BY);
}

/** One identifier of each of these profiles. */
export async function putPeople(rig: Rig, profiles: readonly number[]): Promise<void> {
  const rows = profiles.map((profile) => ({
    identifier: uuid(profile),
    kind: 'ifa',
    profile,
    anchor: uuid(profile),
    version: 1,
  }));
  await rig.warehouse.insert('identities', rows);
}

/** What a source says of people: newest wins. */
export async function putAttribute(rig: Rig, name: string, profiles: readonly number[], value: number): Promise<void> {
  const at = new Date(rig.now()).toISOString();
  const rows = profiles.map((profile) => ({
    source: 's',
    identifier: uuid(profile),
    name,
    text: String(value),
    number: value,
    at,
  }));
  await rig.warehouse.insert('attributes', rows);
}

/** Members of a segment as the newest version says. */
export async function membersOf(rig: Rig, segment: string): Promise<number[]> {
  const sql = `SELECT profile FROM memberships WHERE segment = {segment:String} GROUP BY profile
    HAVING argMax(status, version) = 1 ORDER BY profile`;
  return (await rig.warehouse.query<{ profile: number }>({ sql, params: { segment } })).map((row) => row.profile);
}
