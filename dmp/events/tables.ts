import { createHash } from 'node:crypto';
import type { Warehouse } from '../clickhouse/warehouse.ts';
import { noteRows } from '../sources/arrivals.ts';
import type { EdgeMemory } from './edge-memory.ts';
import type { QuarantineRow, TableName, Tables } from './rows.ts';
import { columnsOf, stamped, textOf } from './text-rows.ts';

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
