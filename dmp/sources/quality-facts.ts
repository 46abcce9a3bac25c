import type { Warehouse } from '../clickhouse/warehouse.ts';
import type { Things } from '../things/things.ts';
import { PERSONAL } from './count.ts';
import { TABLE_OF } from './presence.ts';
import { SOURCE_KINDS, type SourceKind, termsOf } from './source.ts';

/** UTC days of arrival, both included. */
export interface Days {
  readonly from: string;
  readonly to: string;
}

/** Kinds whose rows carry both when they happened and when they came in. */
const DATED: readonly SourceKind[] = ['purchase', 'ping', 'page', 'redemption', 'action', 'stock'];
const LATE_HOURS = 72;
const LIMITS = { seconds: 60, memoryBytes: 2 * 1024 ** 3 };
const WITHIN =
  "ingested >= toDateTime64({from:String}, 3, 'UTC') AND ingested < toDateTime64({to:String}, 3, 'UTC') + INTERVAL 1 DAY";

export interface ArrivalFact {
  readonly source: string;
  readonly day: string;
  readonly kind: SourceKind;
  /** Repeated ones too. */
  readonly received: number;
  /** Of what was deleted since. */
  readonly removed: number;
  readonly stored: number;
  readonly late: number;
}

/** Rows that came and rows that are there, by source, day of arrival and kind. */
export async function readArrivals(warehouse: Warehouse, things: Things, days: Days): Promise<ArrivalFact[]> {
  const sources = things.list('source');
  const late = `toInt64(transform(toString(source), {ids:Array(String)}, {hours:Array(UInt32)}, ${LATE_HOURS})) * 3600000`;
  const params = { ...days, ids: sources.map(({ id }) => id), hours: sources.map(({ body }) => termsOf(body).lateHours) };
  const stored = SOURCE_KINDS.filter((kind) => kind !== 'identify').map((kind) => {
    const isLate = DATED.includes(kind)
      ? `countIf(toUnixTimestamp64Milli(ingested) - toUnixTimestamp64Milli(at) > ${late})`
      : '0';
    return `SELECT toString(source) AS source, '${kind}' AS kind, toDate(ingested) AS day, 0 AS received, 0 AS removed, count() AS stored, ${isLate} AS late
      FROM ${TABLE_OF[kind].table} FINAL WHERE ${WITHIN} GROUP BY source, day`;
  });
  const arrived = `SELECT toString(source) AS source, toString(kind) AS kind, day, sum(rows) AS received, sum(removed) AS removed, 0 AS stored, 0 AS late
    FROM arrivals WHERE day BETWEEN {from:String} AND {to:String} GROUP BY source, kind, day`;
  const sql = `SELECT source, kind, toString(day) AS day, sum(received) AS received, sum(removed) AS removed, sum(stored) AS stored, sum(late) AS late
    FROM (${[arrived, ...stored].join(' UNION ALL ')}) GROUP BY source, kind, day ORDER BY source, day, kind`;
  type Row = Record<keyof ArrivalFact, string> & { kind: SourceKind };
  const rows = await warehouse.query<Row>({ sql, params }, LIMITS);
  return rows.map(({ source, kind, day, received, removed, stored: there, late: slow }) => ({
    ...{ source, kind, day, received: Number(received), removed: Number(removed), stored: Number(there), late: Number(slow) },
  }));
}

export interface RejectedFact {
  readonly source: string;
  readonly day: string;
  readonly code: string;
  readonly rows: number;
}

export async function readRejected(warehouse: Warehouse, days: Days): Promise<RejectedFact[]> {
  const sql = `SELECT toString(source) AS source, toString(toDate(at)) AS day, toString(code) AS code, count() AS rows FROM quarantine FINAL
    WHERE ${WITHIN.replaceAll('ingested', 'at')} GROUP BY source, day, code ORDER BY source, day, code`;
  const rows = await warehouse.query<Omit<RejectedFact, 'rows'> & { rows: string }>({ sql, params: { ...days } }, LIMITS);
  return rows.map((row) => ({ ...row, rows: Number(row.rows) }));
}

export interface MatchFact {
  readonly source: string;
  readonly day: string;
  /** Different identifiers that the day's rows name. */
  readonly identifiers: number;
  /** Of those: whose person a bid request can name. */
  readonly matched: number;
}

export async function readMatches(warehouse: Warehouse, days: Days, addressable: readonly string[]): Promise<MatchFact[]> {
  const parts = PERSONAL.filter((kind) => kind !== 'identify').map(
    (kind) =>
      `SELECT DISTINCT toString(source) AS source, toDate(ingested) AS day, identifier FROM ${TABLE_OF[kind].table} FINAL WHERE ${WITHIN}`,
  );
  const sql = `WITH known AS (SELECT identifier, profile, kind FROM identities FINAL),
      reachable AS (SELECT DISTINCT profile FROM known WHERE kind IN {addressable:Array(String)})
    SELECT source, toString(day) AS day, uniqExact(identifier) AS identifiers,
      uniqExactIf(identifier, identifier IN (SELECT identifier FROM known WHERE profile IN reachable)) AS matched
    FROM (${parts.join(' UNION DISTINCT ')}) GROUP BY source, day ORDER BY source, day`;
  const rows = await warehouse.query<{ source: string; day: string; identifiers: string; matched: string }>(
    { sql, params: { ...days, addressable } },
    LIMITS,
  );
  return rows.map((row) => ({ ...row, identifiers: Number(row.identifiers), matched: Number(row.matched) }));
}

/** What is watched of each kind, as a bucket. Amounts and errors by powers of two. */
export const MEASURES = [
  { name: 'purchase.amount', kind: 'purchase', bucket: 'toString(sign(amount) * floor(log2(abs(amount) + 1)))' },
  { name: 'purchase.hour', kind: 'purchase', bucket: 'toString(toHour(at))' },
  { name: 'purchase.store', kind: 'purchase', bucket: 'store' },
  { name: 'ping.error', kind: 'ping', bucket: 'toString(floor(log2(error + 1)))' },
  { name: 'ping.hour', kind: 'ping', bucket: 'toString(toHour(at))' },
  { name: 'page.hour', kind: 'page', bucket: 'toString(toHour(at))' },
  { name: 'redemption.hour', kind: 'redemption', bucket: 'toString(toHour(at))' },
  { name: 'action.name', kind: 'action', bucket: 'toString(name)' },
] as const satisfies readonly { name: string; kind: SourceKind; bucket: string }[];
export type Measure = (typeof MEASURES)[number]['name'];

export interface BucketFact {
  readonly source: string;
  readonly day: string;
  readonly measure: Measure;
  readonly bucket: string;
  readonly rows: number;
}

export async function readBuckets(warehouse: Warehouse, days: Days): Promise<BucketFact[]> {
  const parts = MEASURES.map(
    ({ name, kind, bucket }) =>
      `SELECT toString(source) AS source, toDate(ingested) AS day, '${name}' AS measure, ${bucket} AS bucket, count() AS rows
      FROM ${TABLE_OF[kind].table} FINAL WHERE ${WITHIN} GROUP BY source, day, bucket`,
  );
  const sql = `SELECT source, toString(day) AS day, measure, bucket, rows FROM (${parts.join(' UNION ALL ')})`;
  const rows = await warehouse.query<Omit<BucketFact, 'rows'> & { rows: string }>({ sql, params: { ...days } }, LIMITS);
  return rows.map((row) => ({ ...row, rows: Number(row.rows) }));
}

export interface FreshFact {
  readonly source: string;
  /** Epoch ms: when the newest row came in, and when the newest event happened. */
  readonly arrived: number;
  readonly happened: number;
}

export async function readFreshness(warehouse: Warehouse): Promise<FreshFact[]> {
  const parts = SOURCE_KINDS.map((kind) => {
    const { table, arrived } = TABLE_OF[kind];
    const happened = kind === 'product' ? 'toDateTime64(0, 3)' : 'max(at)';
    return `SELECT toString(source) AS source, max(${arrived}) AS arrived, ${happened} AS happened FROM ${table} GROUP BY source`;
  });
  const ms = (name: string) => `toFloat64(toUnixTimestamp64Milli(max(${name})))`;
  const sql = `SELECT source, ${ms('p.arrived')} AS arrived, ${ms('p.happened')} AS happened FROM (${parts.join(' UNION ALL ')}) AS p
    GROUP BY source ORDER BY source`;
  return warehouse.query<FreshFact>({ sql }, LIMITS);
}
