import type { Warehouse } from '../clickhouse/warehouse.ts';
import { grantedProfiles, refusedProfiles } from '../consents/state.ts';
import type { Sealer } from '../identity/seal.ts';
import { boundTo, type SendableKind } from '../identity/sendable.ts';

/** What is to be compared with what a destination holds. */
export interface Difference {
  readonly destination: string;
  readonly segment: string;
  /** Of the export that is made, and of the last that was delivered. */
  readonly number: number;
  readonly last: number;
  /** Of the members. */
  readonly version: number;
  /** `all`: who is in it; `held`: of those only whom the destination holds already; `none`: nobody. */
  readonly wanted: 'all' | 'held' | 'none';
  readonly kinds: readonly SendableKind[];
  /** Sources whose identifiers may be sent there, and those of them that need a consent on record. */
  readonly sources: readonly string[];
  readonly recorded: readonly string[];
  /** Whose consents count: '' and the advertiser. */
  readonly audience: readonly string[];
  /** Identifiers that are less surely the person's, in percent, are not sent. */
  readonly sure: number;
  readonly now: number;
}

export interface Counted {
  readonly matched: number;
  readonly added: number;
  readonly removed: number;
  readonly held: number;
}

const LIMITS = { seconds: 600, memoryBytes: 4 * 1024 ** 3 };

/** Members of the version, as the log of who entered and left says. */
const MEMBERS = `SELECT profile FROM memberships WHERE segment = {segment:String} AND version <= {version:UInt32}
  GROUP BY profile HAVING argMax(status, version) = 1`;
const OPTED_OUT = `SELECT profile FROM identities FINAL WHERE identifier IN (SELECT identifier FROM opt_outs FINAL WHERE active = 1)`;

/** Whom a file may name: members who did not withdraw, opt out or get erased, by identifiers that are theirs alone. */
const ALLOWED = `SELECT toString(s.kind) AS kind, s.identifier AS identifier, any(s.sealed) AS sealed, any(i.profile) AS person
  FROM sealed AS s FINAL
  INNER JOIN (
    SELECT identifier, profile FROM identities FINAL WHERE shared = 0 AND person_sure >= {sure:UInt8} AND profile IN (${MEMBERS})
      AND profile NOT IN (${OPTED_OUT}) AND profile NOT IN (${refusedProfiles(['ads', 'profiles', 'personalised_ads'])})) AS i
    ON i.identifier = s.identifier
  WHERE s.kind IN {kinds:Array(String)} AND s.source IN {sources:Array(String)}
    AND (s.source NOT IN {recorded:Array(String)} OR i.profile IN (${grantedProfiles('profiles')}))
  GROUP BY kind, identifier`;

/** What the destination holds: the newest word of all that was delivered. */
const HELD = `SELECT toString(kind) AS kind, identifier, argMax(sealed, number) AS sealed, argMax(person, number) AS person FROM sent
  WHERE destination = {destination:String} AND segment = {segment:String} AND number <= {last:UInt32}
  GROUP BY kind, identifier HAVING argMax(op, number) = 1`;

const WANTED = {
  all: ALLOWED,
  held: `SELECT * FROM (${ALLOWED}) WHERE (kind, identifier) IN (SELECT kind, identifier FROM (${HELD}))`,
  none: `SELECT * FROM (${ALLOWED}) WHERE 0`,
} as const;

/**
 * Writes down what the export changes for one segment: rows that the destination has to add and to remove so that it holds who is
 * wanted. A set against a set: a withdrawal, an erasure, a merge, a contract that ended or a delivery that was missed need no
 * rule of their own. What an earlier try or an export that was never delivered has left is taken away first.
 */
export async function writeDifference(warehouse: Warehouse, difference: Difference): Promise<Counted> {
  const { wanted, ...params } = difference;
  const own = 'destination = {destination:String} AND segment = {segment:String}';
  const stale = `${own} AND number > {last:UInt32}`;
  const [left] = await warehouse.query({ sql: `SELECT 1 FROM sent WHERE ${stale} LIMIT 1`, params });
  if (left !== undefined) await warehouse.command({ sql: `DELETE FROM sent WHERE ${stale}`, params }, LIMITS);
  const sql = `INSERT INTO sent (destination, segment, kind, identifier, number, op, sealed, person) SETTINGS insert_deduplicate = 0
    WITH wanted AS (${WANTED[wanted]}), held AS (${HELD})
    SELECT {destination:String}, {segment:String}, kind, identifier, {number:UInt32}, op, sealed, person FROM (
      SELECT kind, identifier, sealed, person, toUInt8(1) AS op FROM wanted
        WHERE (kind, identifier) NOT IN (SELECT kind, identifier FROM held)
      UNION ALL
      SELECT kind, identifier, sealed, person, toUInt8(0) AS op FROM held
        WHERE (kind, identifier) NOT IN (SELECT kind, identifier FROM wanted))`;
  await warehouse.command({ sql, params: { ...params, consentNow: params.now } }, LIMITS);
  const counted = `SELECT countIf(number = {number:UInt32} AND op = 1) AS added, countIf(number = {number:UInt32} AND op = 0) AS removed FROM sent WHERE ${own}`;
  const after = `SELECT count() AS held, uniqExact(person) AS matched FROM (
      SELECT argMax(person, number) AS person FROM sent WHERE ${own} GROUP BY kind, identifier HAVING argMax(op, number) = 1)`;
  const [changes] = await warehouse.query<{ added: string; removed: string }>({ sql: counted, params }, LIMITS);
  const [rest] = await warehouse.query<{ held: string; matched: string }>({ sql: after, params }, LIMITS);
  return {
    added: Number(changes?.added ?? 0),
    removed: Number(changes?.removed ?? 0),
    held: Number(rest?.held ?? 0),
    matched: Number(rest?.matched ?? 0),
  };
}

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
}

const OPS = { added: [1], removed: [0], changed: [0, 1] } as const;
const PART = 100_000;

/** In parts of whole people, so that a file of millions needs little memory. */
export async function* readSent(warehouse: Warehouse, sealer: Sealer, { what, ...which }: Which): AsyncGenerator<Sent[]> {
  const own = 'destination = {destination:String} AND segment IN {segments:Array(String)}';
  const rows =
    what === 'all' || what === 'whole'
      ? `SELECT segment, kind, identifier, argMax(sealed, number) AS sealed, argMax(person, number) AS person, argMax(s.op, number) AS op
          FROM sent AS s WHERE ${own} AND number <= {number:UInt32} GROUP BY segment, kind, identifier
          HAVING op = 1${what === 'whole' ? ' OR max(number) = {number:UInt32}' : ''}`
      : `SELECT segment, kind, identifier, sealed, person, op FROM sent
          WHERE ${own} AND number = {number:UInt32} AND op IN (${OPS[what].join(', ')})`;
  const [count] = await warehouse.query<{ n: string }>({ sql: `SELECT count() AS n FROM (${rows})`, params: which }, LIMITS);
  const parts = Math.ceil(Number(count?.n ?? 0) / PART);
  for (let part = 0; part < parts; part++) {
    const sql = `SELECT toString(segment) AS segment, toString(kind) AS kind, toString(identifier) AS identifier, sealed, person, op FROM (${rows})
      WHERE person % {parts:UInt32} = {part:UInt32} ORDER BY person, segment, kind, identifier`;
    const found = await warehouse.query<Omit<Sent, 'value'> & { identifier: string; sealed: string }>(
      { sql, params: { ...which, parts, part } },
      LIMITS,
    );
    yield found.map(({ identifier, sealed, ...sent }) => ({
      ...sent,
      value: sealer.open(sealed, boundTo(sent.kind, identifier)),
    }));
  }
}

/** Segments of which the destination holds somebody, after the last delivery. */
export async function segmentsHeld(warehouse: Warehouse, destination: string, last: number): Promise<string[]> {
  const sql = `SELECT DISTINCT toString(segment) AS segment FROM (
      SELECT segment FROM sent WHERE destination = {destination:String} AND number <= {last:UInt32}
      GROUP BY segment, kind, identifier HAVING argMax(op, number) = 1) ORDER BY segment`;
  return (await warehouse.query<{ segment: string }>({ sql, params: { destination, last } })).map(({ segment }) => segment);
}

/** Forgets whom the destination was told to remove: what it does not hold any more need not be known. */
export async function forgetRemoved(warehouse: Warehouse, destination: string, last: number): Promise<void> {
  const gone = `SELECT segment, kind, identifier FROM sent WHERE destination = {destination:String} AND number <= {last:UInt32}
    GROUP BY segment, kind, identifier HAVING argMax(op, number) = 0`;
  const params = { destination, last };
  const [any] = await warehouse.query({ sql: `SELECT 1 FROM (${gone}) LIMIT 1`, params });
  if (any === undefined) return;
  const where = `destination = {destination:String} AND number <= {last:UInt32} AND (segment, kind, identifier) IN (${gone})`;
  await warehouse.command({ sql: `DELETE FROM sent WHERE ${where}`, params }, LIMITS);
  await warehouse.command({ sql: 'ALTER TABLE sent APPLY DELETED MASK SETTINGS mutations_sync = 2' }, LIMITS);
}
