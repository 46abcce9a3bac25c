import type { Statement, Warehouse } from '../clickhouse/warehouse.ts';
import type { Sealer } from '../identity/seal.ts';
import { boundTo, SENDABLE_KINDS, type SendableKind } from '../identity/sendable.ts';
import { keyRanges } from './key-ranges.ts';

/** An identifier that is sent, opened. `person` groups what is of one. */
export interface Sent {
  readonly segment: string;
  readonly person: number;
  readonly kind: SendableKind;
  /** 1: to be added, 0: to be removed. */
  readonly op: 0 | 1;
  readonly value: string;
}

export interface Which {
  readonly destination: string;
  readonly segments: readonly string[];
  readonly number: number;
  /** Of the export: all who are held after it (`whole`: and whom it removes), or what it changes. */
  readonly what: 'all' | 'whole' | 'added' | 'removed' | 'changed';
  /** What comes together: all that is sent of a person, or of an identifier. */
  readonly by: 'person' | 'identifier';
}

const LIMITS = { seconds: 600, memoryBytes: 4 * 1024 ** 3 };
/** Rows that are asked for at once: 14 MB, and as many again while they are read. */
const PART = 100_000;
/** Rows that are opened at once: what is made of them dies young. */
const TOGETHER = 4_000;

/** In batches of whole people or identifiers, so that a file of millions needs no more memory than one of thousands. */
export async function* readSent(warehouse: Warehouse, sealer: Sealer, which: Which): AsyncGenerator<Sent[]> {
  const statements = await statementsOf(warehouse, which);
  let reading: Promise<Buffer> | null = null;
  for (const [part, statement] of statements.entries()) {
    const bytes: Buffer = await (reading ?? read(warehouse, statement));
    // The warehouse reads the next part while this one is opened and written.
    const next = statements[part + 1];
    reading = next === undefined ? null : read(warehouse, next);
    // The fault is met where it is awaited.
    reading?.catch(() => undefined);
    yield* opened(bytes, sealer, which);
  }
}

async function read(warehouse: Warehouse, statement: Statement): Promise<Buffer> {
  const pieces: Buffer[] = [];
  for await (const piece of warehouse.scan(statement, LIMITS)) pieces.push(piece);
  return pieces.length === 1 ? (pieces[0] as Buffer) : Buffer.concat(pieces);
}

const OPS = { all: [1], whole: [0, 1], added: [1], removed: [0], changed: [0, 1] } as const;

async function statementsOf(warehouse: Warehouse, { what, by, ...which }: Which): Promise<Statement[]> {
  const isNow = what === 'all' || what === 'whole';
  const own = `destination = {destination:String} AND segment IN {segments:Array(String)} AND number ${isNow ? '<=' : '='} {number:UInt32}`;
  const sql = `SELECT count() AS n FROM sent WHERE ${own}`;
  const [count] = await warehouse.query<{ n: string }>({ sql, params: which }, LIMITS);
  const ranges = keyRanges(Math.ceil(Number(count?.n ?? 0) / PART));
  const chosen = isNow ? (by === 'person' ? peopleNow(own, what) : keysNow(own, what)) : changesOf(own, what, by);
  const columns = `person, toUInt8(op), toUInt8(indexOf({kinds:Array(String)}, toString(kind))), toUInt16(indexOf({segments:Array(String)}, toString(segment))),
    toFixedString(toString(identifier), ${KEY_BYTES}), sealed`;
  const order = by === 'person' ? 'person, segment, kind, identifier' : 'identifier, kind, segment';
  return ranges.map((range, part) => ({
    sql: `SELECT ${columns} FROM (${chosen}) ORDER BY ${order} SETTINGS optimize_aggregation_in_order = 1`,
    params: { ...which, ...range, part, parts: ranges.length, kinds: SENDABLE_KINDS },
  }));
}

const HERE = { person: 'person % {parts:UInt32} = {part:UInt32}', identifier: 'identifier BETWEEN {first:UUID} AND {last:UUID}' };
const COLUMNS = 'segment, kind, identifier, sealed, person, op';

function changesOf(own: string, what: Which['what'], by: Which['by']): string {
  return `SELECT ${COLUMNS} FROM sent WHERE ${own} AND op IN (${OPS[what].join(', ')}) AND ${HERE[by]}`;
}

/** Each key's newest row. */
function keysNow(own: string, what: 'all' | 'whole', and = HERE.identifier): string {
  return `SELECT segment, kind, identifier, argMax(s.sealed, number) AS sealed, argMax(s.person, number) AS person, argMax(s.op, number) AS op
    FROM sent AS s WHERE ${own} AND ${and}
    GROUP BY segment, kind, identifier HAVING op = 1${what === 'whole' ? ' OR max(number) = {number:UInt32}' : ''}`;
}

/** The person of a key may be another than at first, so first the keys that were ever theirs. */
function peopleNow(own: string, what: 'all' | 'whole'): string {
  const theirs = `identifier IN (SELECT identifier FROM sent WHERE ${own} AND ${HERE.person})`;
  return `SELECT ${COLUMNS} FROM (${keysNow(own, what, theirs)}) WHERE ${HERE.person}`;
}

const KEY_BYTES = 36;
const FIXED_BYTES = 8 + KEY_BYTES;

/** Opens RowBinary: UInt32 person, UInt8 op, UInt8 kind, UInt16 segment (both counted from 1), FixedString(36), String. */
function* opened(bytes: Buffer, sealer: Sealer, { segments, by }: Which): Generator<Sent[]> {
  let rows: Sent[] = [];
  let last = '';
  const flush = (): Sent[] => {
    const sent = rows;
    rows = [];
    return sent;
  };
  for (let at = 0; at < bytes.length; ) {
    const person = bytes.readUInt32LE(at);
    const kind = SENDABLE_KINDS[(bytes[at + 5] as number) - 1] as SendableKind;
    const identifier = bytes.toString('latin1', at + 8, at + FIXED_BYTES);
    const group = by === 'person' ? String(person) : identifier;
    if (rows.length >= TOGETHER && group !== last) yield flush();
    last = group;
    const segment = segments[bytes.readUInt16LE(at + 6) - 1] as string;
    const op = bytes[at + 4] === 1 ? 1 : 0;
    at += FIXED_BYTES;
    let size = 0;
    for (let shift = 0; ; shift += 7) {
      const byte = bytes[at++] as number;
      size |= (byte & 127) << shift;
      if (byte < 128) break;
    }
    const value = sealer.open(bytes.toString('latin1', at, at + size), boundTo(kind, identifier));
    at += size;
    rows.push({ segment, person, kind, op, value });
  }
  if (rows.length > 0) yield flush();
}
