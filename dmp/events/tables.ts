import { createHash } from 'node:crypto';
import type { Warehouse } from '../clickhouse/warehouse.ts';
import { noteRows } from '../sources/arrivals.ts';
import type { EdgeMemory } from './edge-memory.ts';
import { columnsOf, stamped, textOf } from './text-rows.ts';

/** Rows of the fact tables, as the migrations name their columns. Times are RFC 3339. */

export interface PurchaseRow {
  source: string;
  receipt: string;
  line: string;
  at: string;
  identifier: string;
  store: string;
  product: string;
  category: string;
  department: string;
  brand: string;
  /** Decimal(18, 3) */
  quantity: string;
  /** micros */
  amount: number;
  currency: string;
  deleted: 0 | 1;
}

export interface PingRow {
  source: string;
  identifier: string;
  at: string;
  lat: number;
  lon: number;
  error: number;
  class: string;
  /** UInt64 */
  cell: string;
}

export interface PageRow {
  source: string;
  id: string;
  identifier: string;
  at: string;
  url: string;
  title: string;
}

export interface RedemptionRow {
  source: string;
  id: string;
  identifier: string;
  at: string;
  coupon: string;
  promotion: string;
}

export interface ActionRow {
  source: string;
  id: string;
  identifier: string;
  at: string;
  name: string;
  store: string;
  item: string;
  value: string;
}

export interface AttributeRow {
  source: string;
  identifier: string;
  name: string;
  text: string;
  number: number | null;
  at: string;
}

export interface EdgeRow {
  a: string;
  kind_a: string;
  b: string;
  kind_b: string;
  source: string;
  first_seen: string;
  /** 0 to 1 */
  confidence: number;
}

export interface SealedRow {
  identifier: string;
  kind: string;
  source: string;
  sealed: string;
}

export interface ProductRow {
  source: string;
  product: string;
  name: string;
  category: string;
  department: string;
  brand: string;
  deleted: 0 | 1;
}

export interface StockRow {
  source: string;
  store: string;
  product: string;
  at: string;
  /** Decimal(18, 3) */
  quantity: string;
  /** micros */
  price: number | null;
  currency: string;
  deleted: 0 | 1;
}

/** What a person said by a consent string, see the migration of `consents`. */
export interface ConsentRow {
  identifier: string;
  kind: string;
  purpose: string;
  advertiser: string;
  at: string;
  granted: 0 | 1;
  expires: string;
  source: string;
  document: string;
  version: string;
  channel: string;
  actor: string;
  id: string;
}

export interface QuarantineRow {
  id: string;
  at: string;
  source: string;
  import: string;
  type: string;
  line: number;
  pointer: string;
  value: string;
  code: string;
  message: string;
  original: string;
}

export interface Tables {
  readonly purchases: PurchaseRow[];
  readonly pings: PingRow[];
  readonly pages: PageRow[];
  readonly redemptions: RedemptionRow[];
  readonly actions: ActionRow[];
  readonly attributes: AttributeRow[];
  readonly products: ProductRow[];
  readonly stocks: StockRow[];
  readonly edges: EdgeRow[];
  readonly consents: ConsentRow[];
  readonly sealed: SealedRow[];
  readonly quarantine: QuarantineRow[];
}

export type TableName = keyof Tables;

export const TABLE_NAMES = [
  'purchases',
  'pings',
  'pages',
  'redemptions',
  'actions',
  'attributes',
  'products',
  'stocks',
  'edges',
  'consents',
  'sealed',
  'quarantine',
] as const satisfies readonly TableName[];

export function emptyTables(): Tables {
  return {
    purchases: [],
    pings: [],
    pages: [],
    redemptions: [],
    actions: [],
    attributes: [],
    products: [],
    stocks: [],
    edges: [],
    consents: [],
    sealed: [],
    quarantine: [],
  };
}

export function rowCount(tables: Tables): number {
  let count = 0;
  for (const name of TABLE_NAMES) count += tables[name].length;
  return count;
}

/**
 * Writes the rows, one insert a table, and returns when all are durable. Each insert has a token made of its rows, so repeating
 * the same batch changes nothing; where only some tables were written before a fault, the repetition writes the others.
 */
export async function writeTables(warehouse: Warehouse, tables: Tables, edges: EdgeMemory, now: number): Promise<void> {
  const unknown = edges.unknown(tables.edges, now);
  await Promise.all(
    TABLE_NAMES.map((name) =>
      name === 'edges' ? writeRows(warehouse, name, unknown, now, edges.era()) : writeRows(warehouse, name, tables[name], now),
    ),
  );
  edges.remember(unknown, now);
  for (const name of TABLE_NAMES) noteRows(warehouse, name, tables[name], now);
}

async function writeRows(warehouse: Warehouse, table: TableName, rows: readonly object[], now: number, era = ''): Promise<void> {
  if (rows.length === 0) return;
  // When rows came in is no part of what they are: their token is made without it.
  const text = textOf(table, rows);
  const token = digestOf(`${table}${era}`, table === 'quarantine' ? idsOf(rows as readonly QuarantineRow[]) : text);
  await warehouse.insertText(table, columnsOf(table), Buffer.from(stamped(table, text, now)), token);
}

/** The id of a refused row is made of what was refused, and so stands for it. */
function idsOf(rows: readonly QuarantineRow[]): string {
  return rows.map((row) => row.id).join();
}

/** A token for rows that are inserted as JSON. */
export function tokenOf(table: string, rows: readonly object[]): string {
  return digestOf(table, JSON.stringify(rows));
}

function digestOf(table: string, content: string): string {
  return createHash('sha256').update(`${table}\n${content}`).digest('hex');
}
