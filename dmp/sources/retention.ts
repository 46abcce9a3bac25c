import type { Warehouse } from '../clickhouse/warehouse.ts';
import type { Things } from '../things/things.ts';
import { TABLE_OF } from './presence.ts';
import { SOURCE_KINDS, type SourceKind, termsOf } from './source.ts';

const DAY_MS = 86_400_000;

/** How long rows of a kind are kept at most, days after they came in; null: as long as the source. As the tables' own TTL. */
export const MOST_DAYS: Readonly<Record<SourceKind, number | null>> = {
  purchase: 1_096,
  ping: 92,
  identify: null,
  page: 183,
  redemption: 1_096,
  action: 396,
  product: null,
  stock: 396,
};

/** Days that rows of a kind of a source are kept: the contract's, but never more than the table's. */
export function daysOf(things: Things, source: string, kind: SourceKind): number | null {
  const body = things.get('source', source)?.body;
  const agreed = body === undefined ? null : (termsOf(body).retention[kind] ?? null);
  const most = MOST_DAYS[kind];
  if (agreed === null || most === null) return agreed ?? most;
  return Math.min(agreed, most);
}

/** What is kept of one kind of a source. */
export interface Kept {
  readonly source: string;
  readonly kind: SourceKind;
  /** Null: without end. */
  readonly days: number | null;
  readonly rows: number;
  /** Rows whose time is over; a run deletes them. */
  readonly past: number;
  /** When the oldest and the newest came in, epoch ms. */
  readonly oldest: number;
  readonly newest: number;
}

interface Row {
  readonly source: string;
  readonly kind: SourceKind;
  readonly rows: string;
  readonly oldest: number;
  readonly newest: number;
}

/** Every kind of every source that has rows, with what is past its time at `now`. */
export async function readKept(warehouse: Warehouse, things: Things, now: number): Promise<Kept[]> {
  const sql = SOURCE_KINDS.map((kind) => {
    const { table, arrived } = TABLE_OF[kind];
    return `SELECT toString(source) AS source, '${kind}' AS kind, count() AS rows, ${ms(`min(${arrived})`)} AS oldest, ${ms(`max(${arrived})`)} AS newest
      FROM ${table} GROUP BY source`;
  }).join(' UNION ALL ');
  const rows = await warehouse.query<Row>({ sql: `SELECT * FROM (${sql}) ORDER BY source, kind` });
  const kept: Kept[] = [];
  for (const { source, kind, rows: count, oldest, newest } of rows) {
    const days = daysOf(things, source, kind);
    const cutoff = days === null ? null : now - days * DAY_MS;
    const past = cutoff === null || oldest >= cutoff ? 0 : await countPast(warehouse, source, kind, cutoff);
    kept.push({ source, kind, days, rows: Number(count), past, oldest, newest });
  }
  return kept;
}

function ms(expression: string): string {
  return `toFloat64(toUnixTimestamp64Milli(${expression}))`;
}

const past = (kind: SourceKind): string =>
  `source = {source:String} AND ${TABLE_OF[kind].arrived} < fromUnixTimestamp64Milli({cutoff:Int64})`;

async function countPast(warehouse: Warehouse, source: string, kind: SourceKind, cutoff: number): Promise<number> {
  const sql = `SELECT count() AS n FROM ${TABLE_OF[kind].table} WHERE ${past(kind)}`;
  const [row] = await warehouse.query<{ n: string }>({ sql, params: { source, cutoff } });
  return Number(row?.n ?? 0);
}

const LIMITS = { seconds: 600, memoryBytes: 4 * 1024 ** 3 };

/**
 * Deletes exactly the rows of a kind of a source that came in before the cutoff. They are hidden at once, and the parts that
 * held them are written anew. A row that was sent again counts from the last time; older copies of it go with it, so that
 * deleting never brings one back.
 */
export async function deletePast(warehouse: Warehouse, { source, kind }: Kept, cutoff: number): Promise<void> {
  const { table, arrived } = TABLE_OF[kind];
  const params = { source, cutoff };
  // What is deleted was no duplicate: the counts of arrivals know it.
  await warehouse.command({
    sql: `INSERT INTO arrivals (source, kind, day, rows, removed)
      SELECT source, '${kind}', toDate(${arrived}), 0, count() FROM ${table} FINAL WHERE ${past(kind)} GROUP BY source, toDate(${arrived})`,
    params,
  });
  await warehouse.command({ sql: `DELETE FROM ${table} WHERE ${past(kind)}`, params }, LIMITS);
  await rewrite(warehouse, table);
}

/** Everything that came from a source: its facts, what they linked, what was refused, and the visits that its pings made. */
export async function deleteSource(warehouse: Warehouse, source: string): Promise<void> {
  const tables = [...new Set(Object.values(TABLE_OF).map(({ table }) => table)), 'edges', 'links', 'sealed', 'quarantine'];
  for (const table of tables) {
    await warehouse.command({ sql: `DELETE FROM ${table} WHERE source = {source:String}`, params: { source } }, LIMITS);
    await rewrite(warehouse, table);
  }
  await warehouse.command({ sql: 'DELETE FROM visits WHERE has(sources, {source:String})', params: { source } }, LIMITS);
  await rewrite(warehouse, 'visits');
}

/** Sources whose contract ended and whose rows are to go. */
export function sourcesToErase(things: Things): string[] {
  return things.list('source').flatMap(({ id, body }) => (termsOf(body).revoked?.erase === true ? [id] : []));
}

/** Without it the bytes stay on the disk until a merge happens to meet them. */
async function rewrite(warehouse: Warehouse, table: string): Promise<void> {
  await warehouse.command({ sql: `ALTER TABLE ${table} APPLY DELETED MASK SETTINGS mutations_sync = 2` }, LIMITS);
}
