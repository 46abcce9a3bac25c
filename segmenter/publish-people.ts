import type { Limits, Statement, Warehouse } from '../dmp/clickhouse/warehouse.ts';
import { ADDRESSABLE_KINDS } from '../proto/identifier.ts';

/** Somebody as ClickHouse tells it, in bytes that are used again for the next: copy what must last. */
export interface PersonRow {
  profile: number;
  /** `anchor` is 16 bytes from here, `identifiers` are 36 characters each. */
  bytes: Buffer;
  anchorAt: number;
  identifiersAt: number;
  identifiers: number;
  /** Number of a segment and hour of entering, by turns, ascending by number. */
  memberships: Uint32Array;
  count: number;
}

/** A condition over `profile`: whose membership or identifiers changed. */
export type Change = Required<Statement>;

/** People with ids from `first` to `last`, both included. */
export interface Range {
  readonly first: number;
  readonly last: number;
}

/** Segments that only identifiers carry which are surely the person's, by id: how surely, in percent. */
export type Sures = ReadonlyMap<string, number>;

const LIMITS: Limits = { seconds: 300, memoryBytes: 4 * 1024 ** 3 };
export const EVERYBODY: Change = { sql: '1', params: {} };

/** Bid requests name people without a kind: an identifier of none came from one. */
const ADDRESSABLE = [...ADDRESSABLE_KINDS, ''];
const KEY_BYTES = 36;

/** How many people a change is about, in ranges of about `most`. Ids are dense, so equal ranges hold equally many. */
export async function rangesOf(warehouse: Warehouse, { sql: condition, params }: Change, most: number): Promise<Range[]> {
  const sql = `SELECT uniq(profile) AS n, min(profile) AS first, max(profile) AS last FROM identities WHERE ${condition}`;
  const [row] = await warehouse.query<{ n: string; first: number; last: number }>({ sql, params }, LIMITS);
  const count = Number(row?.n ?? 0);
  if (row === undefined || count === 0) return [];
  const parts = Math.ceil(count / most);
  const width = Math.ceil((row.last - row.first + 1) / parts);
  return Array.from({ length: parts }, (_, part) => {
    const first = row.first + part * width;
    return { first, last: Math.min(row.last, first + width - 1) };
  });
}

/**
 * The people of a range who changed, as bytes for `eachPerson`: all identifiers by which a bid request can name them, and those of their
 * memberships that `numbers` (of segments, by id) has.
 */
export async function readPeople(
  warehouse: Warehouse,
  { sql: condition, params }: Change,
  { first, last }: Range,
  numbers: ReadonlyMap<string, number>,
  sures: Sures = new Map(),
): Promise<Buffer[]> {
  const chosen = `profile BETWEEN {first:UInt32} AND {last:UInt32} AND ${condition}`;
  // No FINAL, which would merge all there are: only rows of identifiers that were theirs once are looked at.
  const newest = `SELECT identifier, argMax(i.profile, version) AS profile, argMax(i.anchor, version) AS anchor, argMax(i.kind, version) AS sort${sures.size === 0 ? '' : ', argMax(i.person_sure, version) AS sure'}
    FROM identities AS i WHERE identifier IN (SELECT identifier FROM identities WHERE ${chosen}) GROUP BY identifier`;
  const people = `SELECT profile, UUIDStringToNum(toString(any(anchor))) AS anchor, arrayStringConcat(groupArray(toString(identifier))) AS keys${sures.size === 0 ? '' : `, ${MOST_SURE} AS up_to`}
    FROM (${newest}) WHERE sort IN {kinds:Array(String)} AND ${chosen} GROUP BY profile${sures.size === 0 ? '' : ', up_to'}`;
  // All rows of a person, as numbers: which is the newest of a segment is found where they are read. A fifth of what argMax for each pair
  // of segment and person takes.
  const members = `SELECT profile, groupArray(row) AS rows, groupArray(told) AS says FROM (
      SELECT profile, bitOr(bitShiftLeft(toUInt64(transform(segment, {ids:Array(String)}, {numbers:Array(UInt32)}, toUInt32(0))), 32), toUInt64(version)) AS row,
        toUInt32(intDiv(toUnixTimestamp(at), 3600) * 2 + (status = 1)) AS told
      FROM memberships WHERE segment IN {ids:Array(String)} AND ${chosen})
    GROUP BY profile`;
  const [rows, says] = sures.size === 0 ? ['rows', 'says'] : SURE_ROWS;
  const sql = `SELECT profile, anchor, keys, ${rows}, ${says} FROM (${people}) AS people LEFT JOIN (${members}) AS members USING profile`;
  const bound = {
    ...params,
    first,
    last,
    kinds: ADDRESSABLE,
    ids: [...numbers.keys()],
    numbers: [...numbers.values()],
    ...suresBound(numbers, sures),
  };
  const pieces: Buffer[] = [];
  for await (const piece of warehouse.scan({ sql, params: bound }, LIMITS)) pieces.push(piece);
  return pieces;
}

/** How much of what segments want an identifier reaches: those of a person that reach equally far are written together. */
const MOST_SURE = 'arrayMax(arrayFilter(least -> least <= sure, {sures:Array(UInt8)}))';
const REACHED =
  'transform(toUInt32(bitShiftRight(r, 32)), {sureNumbers:Array(UInt32)}, {sures:Array(UInt8)}, toUInt8(0)) <= up_to';
const SURE_ROWS = [`arrayFilter(r -> ${REACHED}, rows) AS reached`, `arrayFilter((s, r) -> ${REACHED}, says, rows) AS told`];

/** A segment of no number wants nothing: so there is always something that is reached. */
function suresBound(numbers: ReadonlyMap<string, number>, sures: Sures): Record<string, readonly number[]> {
  return { sureNumbers: [0, ...[...sures.keys()].map((id) => numbers.get(id) ?? 0)], sures: [0, ...sures.values()] };
}

/** Takes people out of pieces that may end within one, in order; waits for what `take` returns. */
export async function eachPerson(pieces: readonly Buffer[], take: (person: PersonRow) => void | Promise<void>): Promise<void> {
  const person: PersonRow = {
    profile: 0,
    bytes: EMPTY,
    anchorAt: 0,
    identifiersAt: 0,
    identifiers: 0,
    memberships: NONE,
    count: 0,
  };
  let rest = EMPTY;
  for (const piece of pieces) {
    const bytes: Buffer = rest.length === 0 ? piece : Buffer.concat([rest, piece]);
    let at = 0;
    for (let next = readPerson(bytes, at, person); next > 0; next = readPerson(bytes, at, person)) {
      at = next;
      const taken = take(person);
      if (taken !== undefined) await taken;
    }
    rest = bytes.subarray(at);
  }
  if (rest.length > 0) throw new Error(`${rest.length} bytes are no person`);
}

const EMPTY: Buffer = Buffer.alloc(0);
const NONE = new Uint32Array(0);

/** RowBinary: UInt32, FixedString(16), String, Array(UInt64), Array(UInt32). Returns where the next begins, 0 where it is not whole. */
function readPerson(bytes: Buffer, start: number, person: PersonRow): number {
  const { length } = bytes;
  if (start + 22 > length) return 0;
  let at = start + 20;
  let size = 0;
  for (let shift = 0; ; shift += 7) {
    if (at >= length) return 0;
    const byte = bytes[at++] as number;
    size |= (byte & 127) << shift;
    if (byte < 128) break;
  }
  const identifiersAt = at;
  at += size;
  let rows = 0;
  let varint = 0;
  for (let shift = 0; ; shift += 7, varint++) {
    if (at >= length) return 0;
    const byte = bytes[at++] as number;
    rows |= (byte & 127) << shift;
    if (byte < 128) break;
  }
  const rowsAt = at;
  // The second array is as long as the first: so are the bytes of its length.
  const saysAt = rowsAt + rows * 8 + varint + 1;
  if (saysAt + rows * 4 > length) return 0;
  person.profile = bytes.readUInt32LE(start);
  person.bytes = bytes;
  person.anchorAt = start + 4;
  person.identifiersAt = identifiersAt;
  person.identifiers = size / KEY_BYTES;
  person.count = newestOf(bytes, rowsAt, saysAt, rows, person);
  return saysAt + rows * 4;
}

/** Versions of the memberships that are being read, beside their numbers and hours. */
let versions = new Uint32Array(64);

/** The newest word on each segment, ascending by number; those that say that it was left are taken out. Returns how many remain. */
function newestOf(bytes: Buffer, rowsAt: number, saysAt: number, rows: number, person: PersonRow): number {
  if (person.memberships.length < rows * 2) person.memberships = new Uint32Array(rows * 2 + 64);
  if (versions.length < rows) versions = new Uint32Array(rows + 64);
  const { memberships } = person;
  let count = 0;
  for (let row = 0; row < rows; row++) {
    const version = bytes.readUInt32LE(rowsAt + row * 8);
    const number = bytes.readUInt32LE(rowsAt + row * 8 + 4);
    const told = bytes.readUInt32LE(saysAt + row * 4);
    // People are in few segments, and rows come nearly in order: from the end is where it belongs.
    let place = count;
    while (place > 0 && (memberships[place * 2 - 2] as number) > number) place--;
    if (place > 0 && memberships[place * 2 - 2] === number) {
      if ((versions[place - 1] as number) > version) continue;
      memberships[place * 2 - 1] = told;
      versions[place - 1] = version;
      continue;
    }
    memberships.copyWithin((place + 1) * 2, place * 2, count * 2);
    versions.copyWithin(place + 1, place, count);
    memberships[place * 2] = number;
    memberships[place * 2 + 1] = told;
    versions[place] = version;
    count++;
  }
  let held = 0;
  for (let place = 0; place < count; place++) {
    const told = memberships[place * 2 + 1] as number;
    if ((told & 1) === 0) continue;
    memberships[held * 2] = memberships[place * 2] as number;
    memberships[held * 2 + 1] = told >>> 1;
    held++;
  }
  return held;
}
