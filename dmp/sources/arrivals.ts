import type { Warehouse } from '../clickhouse/warehouse.ts';
import { TABLE_OF } from './presence.ts';
import { SOURCE_KINDS, type SourceKind } from './source.ts';

/**
 * How many rows came in, repeated ones too, by source, kind and UTC day. Counted in memory, one number a
 * source, kind and day, and written with each batch of a file and every second: of what is streamed a process that is killed loses the
 * counts of its last second. They serve the report of quality, and nothing else.
 */

const FLUSH_MS = 1_000;
const DAY_MS = 86_400_000;

interface Count {
  source: string;
  kind: SourceKind;
  /** yyyy-mm-dd */
  day: string;
  rows: number;
  removed: number;
}

interface Pending {
  counts: Map<string, Count>;
  timer: NodeJS.Timeout | null;
}

const pendings = new WeakMap<Warehouse, Pending>();

const KIND_OF: ReadonlyMap<string, SourceKind> = new Map(SOURCE_KINDS.map((kind) => [TABLE_OF[kind].table, kind]));

/** Rows of one source that were written to a table; those that only take others away are told apart. Other tables are not counted. */
export function noteArrivals(
  warehouse: Warehouse,
  table: string,
  source: string,
  rows: number,
  removed: number,
  now: number,
): void {
  const kind = KIND_OF.get(table);
  if (kind === undefined || rows + removed === 0) return;
  const pending = pendings.get(warehouse) ?? { counts: new Map(), timer: null };
  pendings.set(warehouse, pending);
  const day = new Date(Math.floor(now / DAY_MS) * DAY_MS).toISOString().slice(0, 10);
  const key = `${source}\n${kind}\n${day}`;
  const count = pending.counts.get(key) ?? { source, kind, day, rows: 0, removed: 0 };
  count.rows += rows;
  count.removed += removed;
  pending.counts.set(key, count);
  pending.timer ??= setTimeout(() => void flushArrivals(warehouse).catch(() => undefined), FLUSH_MS);
  pending.timer.unref();
}

/** The rows of a batch of several sources. */
export function noteRows(
  warehouse: Warehouse,
  table: string,
  rows: readonly { readonly source?: string; readonly deleted?: number }[],
  now: number,
): void {
  if (!KIND_OF.has(table)) return;
  const counts = new Map<string, [rows: number, removed: number]>();
  for (const { source = '', deleted } of rows) {
    const count = counts.get(source) ?? [0, 0];
    count[deleted === 1 ? 1 : 0]++;
    counts.set(source, count);
  }
  for (const [source, [arrived, removed]] of counts) noteArrivals(warehouse, table, source, arrived, removed, now);
}

/** How many kinds of rows sources have brought so far: more where a source brought the first of a kind. */
export async function kindsBrought(warehouse: Warehouse): Promise<number> {
  const [row] = await warehouse.query<{ n: string }>({ sql: 'SELECT uniqExact(source, kind) AS n FROM arrivals' });
  return Number(row?.n ?? 0);
}

/** Writes what is counted; on a fault it is counted on. */
export async function flushArrivals(warehouse: Warehouse): Promise<void> {
  const pending = pendings.get(warehouse);
  if (pending === undefined) return;
  if (pending.timer !== null) clearTimeout(pending.timer);
  const { counts } = pending;
  pending.timer = null;
  pending.counts = new Map();
  try {
    await warehouse.insert('arrivals', [...counts.values()]);
  } catch (error) {
    for (const { source, kind, day, rows, removed } of counts.values())
      noteArrivals(warehouse, TABLE_OF[kind].table, source, rows, removed, Date.parse(day));
    throw error;
  }
}
