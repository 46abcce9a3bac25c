import { createHash } from 'node:crypto';
import type { Warehouse } from '../clickhouse/warehouse.ts';
import { noteRows } from '../sources/arrivals.ts';
import type { EdgeMemory } from './edge-memory.ts';
import type { QuarantineRow, TableName, Tables } from './rows.ts';
import { createSlices, type Slices } from './slices.ts';
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
  const era = edges.era();
  const slices = createSlices();
  const writing: Promise<void>[] = [];
  // One table's text after the other, while those before are written.
  for (const name of TABLE_NAMES) {
    const rows = name === 'edges' ? unknown : tables[name];
    if (rows.length === 0) continue;
    const { token, text } = await linesOf(name, rows, now, name === 'edges' ? era : '', slices);
    const written = warehouse.insertText(name, columnsOf(name), text, token);
    // The fault is met where all are awaited.
    written.catch(() => undefined);
    writing.push(written);
  }
  await Promise.all(writing);
  for (let from = 0; from < unknown.length; from += PIECE) {
    // Of an era that has ended meanwhile nothing is known to be durable.
    if (edges.era() !== era) break;
    edges.remember(unknown.slice(from, from + PIECE), now);
    if (slices.step(PIECE)) await slices.next();
  }
  for (const name of TABLE_NAMES) noteRows(warehouse, name, tables[name], now);
}

/** Rows that are worked on in one go. */
const PIECE = 64;

/** What is inserted, and the token of the insert. When rows came in is no part of what they are: their token is made without it. */
async function linesOf(table: TableName, rows: readonly object[], now: number, era: string, slices: Slices) {
  const hash = createHash('sha256').update(`${table}${era}\n`);
  if (table === 'quarantine') hash.update(idsOf(rows as readonly QuarantineRow[]));
  const pieces: Buffer[] = [];
  for (let from = 0; from < rows.length; from += PIECE) {
    const text = textOf(table, rows.slice(from, from + PIECE));
    if (table !== 'quarantine') hash.update(text);
    pieces.push(Buffer.from(stamped(table, text, now)));
    if (slices.step(PIECE)) await slices.next();
  }
  return { token: hash.digest('hex'), text: Buffer.concat(pieces) };
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
