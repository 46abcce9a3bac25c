import type { Warehouse } from '../clickhouse/warehouse.ts';
import type { Reason } from '../segments/guards.ts';

export const EXPORT_STATES = ['queued', 'ready', 'delivered', 'failed', 'dead', 'superseded'] as const;

/** A segment's part of an export: which version of its members, and what became of them. */
export interface ExportedSegment {
  readonly segment: string;
  /** 0: never evaluated. */
  readonly version: number;
  /** `held`: nobody is added, for the reasons; who is to be removed is. */
  readonly state: 'sent' | 'held';
  readonly reasons: readonly Reason[];
  /** People in that version, and those of them who have an identifier that may be sent there. */
  readonly members: number;
  readonly matched: number;
  /** Identifiers. */
  readonly added: number;
  readonly removed: number;
  /** That the destination holds after it. */
  readonly held: number;
}

export interface ExportedFile {
  readonly name: string;
  readonly segment: string | null;
  readonly operation: 'replace' | 'add' | 'remove' | 'update';
  /** Without the header. */
  readonly rows: number;
  readonly identifiers: number;
  /** Left out, since the destination cannot read such a value. */
  readonly skipped: number;
  readonly bytes: number;
  readonly sha256: string;
}

/** What the destination said of it. */
export interface ExportResult {
  readonly at: string;
  /** Null: it does not say. */
  readonly received: number | null;
  readonly matched: number | null;
  readonly rejected: number;
  /** Shares within which the match rate is, where no more is told. */
  readonly range?: { readonly from: number; readonly to: number };
  /** The same by kind of identifier, where it is known. */
  readonly kinds?: readonly {
    readonly kind: string;
    readonly received: number;
    readonly matched: number;
    readonly rejected: number;
  }[];
  /** What was refused, by its reason there. */
  readonly errors?: readonly { readonly code: string; readonly count: number }[];
}

export interface Attempt {
  readonly at: string;
  /** Of what was sent: a file or a message. */
  readonly name: string;
  /** HTTP status; null: no answer. */
  readonly status: number | null;
  readonly error: string | null;
}

/** One delivery of a destination's segments. Kept whole with every change. */
export interface Export {
  readonly id: string;
  readonly destination: string;
  readonly advertiser: string;
  /** 1, 2, 3 … of the destination. */
  readonly number: number;
  readonly mode: 'full' | 'delta';
  readonly state: (typeof EXPORT_STATES)[number];
  readonly job: string | null;
  readonly actor: string;
  readonly createdAt: string;
  readonly deliveredAt: string | null;
  /** What is sent is decided and written down: from here on a repetition sends the same. */
  readonly prepared: boolean;
  readonly segments: readonly ExportedSegment[];
  readonly files: readonly ExportedFile[];
  /** Names of files that were fetched, or of messages that were taken. */
  readonly done: readonly string[];
  /** The last ones, newest last. */
  readonly attempts: readonly Attempt[];
  readonly failures: number;
  readonly error: string | null;
  readonly result: ExportResult | null;
}

interface Row {
  readonly record: string;
}

export async function saveExport(warehouse: Warehouse, record: Export, now: number): Promise<void> {
  const { id, destination, number, state } = record;
  // Changes follow each other within a millisecond: micros of this process tell them apart.
  const written = Math.round((now + (performance.now() % 1)) * 1000 + ++changes);
  await warehouse.insert('exports', [{ id, destination, number, state, record: JSON.stringify(record), written }]);
}

let changes = 0;

export async function readExport(warehouse: Warehouse, id: string): Promise<Export | null> {
  const sql = 'SELECT argMax(record, written) AS record FROM exports WHERE id = {id:String} GROUP BY id';
  const [row] = await warehouse.query<Row>({ sql, params: { id } });
  return row === undefined ? null : (JSON.parse(row.record) as Export);
}

/** Newest first. */
export async function listExports(warehouse: Warehouse, destination: string, limit: number, below?: number): Promise<Export[]> {
  const sql = `SELECT argMax(record, written) AS record FROM exports
    WHERE destination = {destination:String} AND number < {below:UInt32}
    GROUP BY number, id ORDER BY number DESC LIMIT {limit:UInt32}`;
  const rows = await warehouse.query<Row>({ sql, params: { destination, limit, below: below ?? 0xffff_ffff } });
  return rows.map(({ record }) => JSON.parse(record) as Export);
}

/** Number of the newest export that the destination has; 0: none. */
export async function lastDelivered(warehouse: Warehouse, destination: string): Promise<number> {
  const sql = `SELECT max(number) AS number FROM (
      SELECT number, argMax(state, written) AS last FROM exports WHERE destination = {destination:String} GROUP BY number, id)
    WHERE last = 'delivered'`;
  const [row] = await warehouse.query<{ number: number }>({ sql, params: { destination } });
  return row?.number ?? 0;
}
