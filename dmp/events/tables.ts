import { createHash } from 'node:crypto';
import type { Warehouse } from '../clickhouse/warehouse.ts';
import type { EdgeMemory } from './edge-memory.ts';

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
}

export interface ProductRow {
  source: string;
  product: string;
  name: string;
  category: string;
  department: string;
  brand: string;
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
  readonly attributes: AttributeRow[];
  readonly products: ProductRow[];
  readonly edges: EdgeRow[];
  readonly quarantine: QuarantineRow[];
}

export const TABLE_NAMES = [
  'purchases',
  'pings',
  'pages',
  'redemptions',
  'attributes',
  'products',
  'edges',
  'quarantine',
] as const satisfies readonly (keyof Tables)[];

/** The tables whose rows carry when they came in. */
const INGESTED: ReadonlySet<string> = new Set(['purchases', 'pings', 'pages', 'redemptions', 'products', 'edges']);

export function emptyTables(): Tables {
  return { purchases: [], pings: [], pages: [], redemptions: [], attributes: [], products: [], edges: [], quarantine: [] };
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
  const unknown = edges.unknown(tables.edges);
  await Promise.all(
    TABLE_NAMES.map((name) => writeRows(warehouse, name, name === 'edges' ? unknown : tables[name], new Date(now).toISOString())),
  );
  edges.remember(unknown);
}

async function writeRows(warehouse: Warehouse, table: string, rows: readonly object[], ingested: string): Promise<void> {
  if (rows.length === 0) return;
  const dated = INGESTED.has(table);
  // When rows came in is no part of what they are: their token is made without it.
  if (dated) stamp(rows, '');
  const token = tokenOf(table, rows);
  if (dated) stamp(rows, ingested);
  await warehouse.insert(table, rows, token);
}

function stamp(rows: readonly object[], ingested: string): void {
  for (const row of rows) (row as { ingested?: string }).ingested = ingested;
}

/** The id of a refused row is made of what was refused, and so stands for it. */
export function tokenOf(table: string, rows: readonly object[]): string {
  const content = table === 'quarantine' ? (rows as readonly QuarantineRow[]).map((row) => row.id) : rows;
  return createHash('sha256')
    .update(`${table}\n${JSON.stringify(content)}`)
    .digest('hex');
}
