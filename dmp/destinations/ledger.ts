import type { Warehouse } from '../clickhouse/warehouse.ts';
import { grantedProfiles, refusedProfiles } from '../consents/state.ts';
import { PLATFORM_KINDS, type SendableKind } from '../identity/sendable.ts';
import { keyRanges } from './key-ranges.ts';

/** What is to be compared with what a destination holds. */
export interface Difference {
  readonly destination: string;
  readonly segment: string;
  /** Of the export that is made, and of the last that was delivered. */
  readonly number: number;
  readonly last: number;
  /** Of the members, and how many they are. */
  readonly version: number;
  readonly members: number;
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

/** People that are compared at once: 100 MB of the engine. Each part asks anew who is a member. */
const PART = 150_000;
/** Set on each, since the keys are the beginning of the table's order: memory holds a block and not all keys. */
const IN_ORDER = 'SETTINGS optimize_aggregation_in_order = 1';
const OWN = 'destination = {destination:String} AND segment = {segment:String}';
const HERE = 'identifier BETWEEN {first:UUID} AND {last:UUID}';

/** Members of the version who may have a key in the range, as the log of who entered and left says: memory holds these and not all. */
const MEMBERS = `SELECT profile FROM memberships WHERE segment = {segment:String} AND version <= {version:UInt32}
    AND profile IN (SELECT profile FROM identities WHERE ${HERE})
  GROUP BY profile HAVING argMax(status, version) = 1`;
const OPTED_OUT = `SELECT profile FROM identities FINAL WHERE identifier IN (SELECT identifier FROM opt_outs FINAL WHERE active = 1)`;

/** More than the number of any export: what may be sent now is newer than all that was. */
const NOW = 2 ** 32;

/** A device has one platform: of several that sources say the last counts. */
const PLATFORMS = `kind IN (${PLATFORM_KINDS.map((kind) => `'${kind}'`).join(', ')})`;
const ONE_PLATFORM = `(NOT ${PLATFORMS} OR (identifier, kind) IN (
      SELECT identifier, argMax(kind, ingested) FROM sealed WHERE ${PLATFORMS} AND source IN {sources:Array(String)} AND ${HERE} GROUP BY identifier))`;

/**
 * Whom a file may name, of a range of keys: members who did not withdraw, opt out or get erased, by identifiers that are theirs alone.
 *
 * @param and a further condition over `sealed`
 */
function allowed(and: string): string {
  return `SELECT s.kind AS kind, s.identifier AS identifier, s.sealed AS sealed, i.profile AS person, toUInt8(1) AS op,
      ${NOW} + toUnixTimestamp(s.ingested) AS rank
  FROM (SELECT kind, identifier, source, sealed, ingested FROM sealed
    WHERE kind IN {kinds:Array(String)} AND source IN {sources:Array(String)} AND ${HERE}${and}) AS s
  INNER JOIN (
    SELECT identifier, profile FROM identities FINAL WHERE ${HERE} AND shared = 0 AND person_sure >= {sure:UInt8} AND profile IN (${MEMBERS})
      AND profile NOT IN (${OPTED_OUT}) AND profile NOT IN (${refusedProfiles(['ads', 'profiles', 'personalised_ads'])})) AS i
    ON i.identifier = s.identifier
  WHERE s.source NOT IN {recorded:Array(String)} OR i.profile IN (${grantedProfiles('profiles')})`;
}

/** All that the destination was told of a range of keys. */
const TOLD = `SELECT kind, identifier, sealed, person, op, toUInt64(number) AS rank FROM sent WHERE ${OWN} AND number <= {last_number:UInt32} AND ${HERE}`;

/** Which keys change, of those that are wanted now and those that are held. */
const CHANGES = { all: 'isWanted != isHeld', held: 'isHeld > isWanted', none: 'isHeld = 1' } as const;

/**
 * Writes down what the export changes for one segment: rows that the destination has to add and to remove so that it holds who is
 * wanted. A set against a set: a withdrawal, an erasure, a merge, a contract that ended or a delivery that was missed need no
 * rule of their own. What an earlier try or an export that was never delivered has left is taken away first.
 */
export async function writeDifference(warehouse: Warehouse, difference: Difference): Promise<Counted> {
  const { wanted, members, last, ...rest } = difference;
  const params = { ...rest, last_number: last, consentNow: rest.now };
  const stale = `${OWN} AND number > {last_number:UInt32}`;
  const [left] = await warehouse.query({ sql: `SELECT 1 FROM sent WHERE ${stale} LIMIT 1`, params });
  if (left !== undefined) await warehouse.command({ sql: `DELETE FROM sent WHERE ${stale}`, params }, LIMITS);
  const [told] = await warehouse.query<{ n: string }>({ sql: `SELECT count() AS n FROM sent WHERE ${OWN}`, params }, LIMITS);
  const platforms = PLATFORM_KINDS.every((kind) => difference.kinds.includes(kind)) ? ` AND ${ONE_PLATFORM}` : '';
  const candidates = wanted === 'none' ? TOLD : `${allowed(platforms)} UNION ALL ${TOLD}`;
  const sql = `INSERT INTO sent (destination, segment, kind, identifier, number, op, sealed, person) SETTINGS insert_deduplicate = 0
    SELECT {destination:String}, {segment:String}, kind, identifier, {number:UInt32}, isWanted AS op, sealed, person FROM (
      SELECT kind, identifier, argMax(c.sealed, rank) AS sealed, argMax(c.person, rank) AS person, max(rank) >= ${NOW} AS isWanted,
        argMaxIf(op, rank, rank < ${NOW}) AS isHeld
      FROM (${candidates}) AS c GROUP BY kind, identifier HAVING ${CHANGES[wanted]})`;
  for (const { first, last: end } of keyRanges(Math.ceil(Math.max(members, Number(told?.n ?? 0)) / PART)))
    await warehouse.command({ sql, params: { ...params, first, last: end } }, LIMITS);
  return countHeld(warehouse, params);
}

async function countHeld(warehouse: Warehouse, params: Readonly<Record<string, unknown>>): Promise<Counted> {
  const counted = `SELECT countIf(op = 1) AS added, countIf(op = 0) AS removed FROM sent WHERE ${OWN} AND number = {number:UInt32}`;
  const after = `SELECT count() AS held, uniqExact(person) AS matched FROM (
      SELECT argMax(person, number) AS person FROM sent WHERE ${OWN} GROUP BY kind, identifier HAVING argMax(op, number) = 1) ${IN_ORDER}`;
  const [changes] = await warehouse.query<{ added: string; removed: string }>({ sql: counted, params }, LIMITS);
  const [rest] = await warehouse.query<{ held: string; matched: string }>({ sql: after, params }, LIMITS);
  return {
    added: Number(changes?.added ?? 0),
    removed: Number(changes?.removed ?? 0),
    held: Number(rest?.held ?? 0),
    matched: Number(rest?.matched ?? 0),
  };
}

/** Segments of which the destination holds somebody, after the last delivery. */
export async function segmentsHeld(warehouse: Warehouse, destination: string, last: number): Promise<string[]> {
  const sql = `SELECT DISTINCT toString(segment) AS segment FROM (
      SELECT segment FROM sent WHERE destination = {destination:String} AND number <= {last:UInt32}
      GROUP BY segment, kind, identifier HAVING argMax(op, number) = 1) ORDER BY segment ${IN_ORDER}`;
  return (await warehouse.query<{ segment: string }>({ sql, params: { destination, last } })).map(({ segment }) => segment);
}

/** Whom a destination was told to remove: what it does not hold any more need not be known. */
export async function forgetRemoved(
  warehouse: Warehouse,
  destination: string,
  last: number,
  only: 'erased' | 'all',
): Promise<void> {
  const told = 'destination = {destination:String} AND number <= {last:UInt32}';
  const removed = `SELECT segment, kind, identifier FROM sent WHERE ${told} AND op = 0${only === 'erased' ? ' AND identifier IN (SELECT identifier FROM erased)' : ''}`;
  const gone = `SELECT segment, kind, identifier FROM sent WHERE ${told} AND (segment, kind, identifier) IN (${removed})
    GROUP BY segment, kind, identifier HAVING argMax(op, number) = 0`;
  const params = { destination, last };
  const [any] = await warehouse.query({ sql: `SELECT 1 FROM (${gone}) LIMIT 1`, params }, LIMITS);
  if (any === undefined) return;
  await warehouse.command({ sql: `DELETE FROM sent WHERE ${told} AND (segment, kind, identifier) IN (${gone})`, params }, LIMITS);
}

/**
 * Forgets of all destinations, and takes what was forgotten off the disk. A deletion looks at all that is held, so a delivery forgets at once
 * only who was erased.
 *
 * @param lastOf number of the last export that a destination has
 */
export async function forgetAllRemoved(warehouse: Warehouse, lastOf: (destination: string) => Promise<number>): Promise<void> {
  const sql = 'SELECT DISTINCT toString(destination) AS destination FROM sent WHERE op = 0';
  for (const { destination } of await warehouse.query<{ destination: string }>({ sql }, LIMITS))
    await forgetRemoved(warehouse, destination, await lastOf(destination), 'all');
  await warehouse.command({ sql: 'ALTER TABLE sent APPLY DELETED MASK SETTINGS mutations_sync = 2' }, LIMITS);
}
