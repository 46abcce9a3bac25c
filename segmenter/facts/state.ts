import type { Redis } from 'ioredis';
import type { Warehouse } from '../../dmp/clickhouse/warehouse.ts';
import { RAW, type RawTable } from './raw.ts';

/**
 * Hash in Redis of what the last fold had taken in: `rules` by which it went, `at` (epoch ms), `fold` its number, `rebuilt` the number
 * of the fold that made all facts anew, `identities` their newest version, `t:<table>` the newest arrival and when a fold met it first.
 */
const STATE_KEY = 'walkin:segmenter:facts';
/** Hash: `kind:id` of a place → its zone and cell as the facts have them. */
const PLACES_KEY = 'walkin:segmenter:facts-places';
/** Raise it where facts are made another way: all are made anew then. */
const RULES = 3;
/** Rows become visible a little after the time they carry; what is read twice changes nothing. */
const OVERLAP_MS = 60_000;
const SETTLED_MS = 120_000;

/** How far a table was read. Versions of visits count as times. */
export interface Seen {
  /** Newest arrival, epoch ms. */
  readonly newest: number;
  /** When a fold met it first: what was the newest for long has nothing behind it that is still on its way. */
  readonly met: number;
}

export interface FactsState {
  readonly at: number;
  readonly fold: number;
  readonly rebuilt: number;
  readonly identities: number;
  readonly tables: ReadonlyMap<RawTable, Seen>;
  readonly places: ReadonlyMap<string, string>;
}

/** Null: nothing is known of a fold before, or it went by other rules. */
export async function readFactsState(redis: Redis): Promise<FactsState | null> {
  const [fields, places] = [await redis.hgetall(STATE_KEY), await redis.hgetall(PLACES_KEY)];
  const { rules, at, fold, rebuilt, identities } = fields;
  if (Number(rules) !== RULES) return null;
  const tables = new Map<RawTable, Seen>();
  for (const table of TABLES) {
    const [newest, met] = (fields[`t:${table}`] ?? '0 0').split(' ').map(Number);
    tables.set(table, { newest: newest as number, met: met as number });
  }
  return {
    at: Number(at),
    fold: Number(fold),
    rebuilt: Number(rebuilt),
    identities: Number(identities),
    tables,
    places: new Map(Object.entries(places)),
  };
}

export async function saveFactsState(redis: Redis, state: FactsState): Promise<void> {
  const { at, fold, rebuilt, identities, tables, places } = state;
  const seen = [...tables].flatMap(([table, { newest, met }]) => [`t:${table}`, `${newest} ${met}`]);
  const writes = redis.multi().del(PLACES_KEY);
  if (places.size > 0) writes.hset(PLACES_KEY, ...[...places].flat());
  writes.hset(STATE_KEY, 'rules', RULES, 'at', at, 'fold', fold, 'rebuilt', rebuilt, 'identities', identities, ...seen);
  for (const [error] of (await writes.exec()) ?? []) if (error !== null) throw error;
}

/** The number of the last fold that was completed, and of the last that made everything anew; zeros where there was none. */
export async function lastFold(redis: Redis): Promise<{ readonly fold: number; readonly rebuilt: number; readonly at: number }> {
  const { fold, rebuilt, at } = await redis.hgetall(STATE_KEY);
  return { fold: Number(fold ?? 0), rebuilt: Number(rebuilt ?? 0), at: Number(at ?? 0) };
}

const TABLES = Object.keys(RAW) as RawTable[];

/** The newest arrival in each table, epoch ms, and the newest version of identities and number of a fold; 0 where there is none. */
export interface Newest {
  readonly tables: ReadonlyMap<RawTable, number>;
  readonly identities: number;
  readonly fold: number;
}

export async function readNewest(warehouse: Warehouse): Promise<Newest> {
  const newest = (table: RawTable): string =>
    table === 'visits' ? 'toInt64(max(version))' : `toInt64(toUnixTimestamp64Milli(max(${RAW[table]})))`;
  const sql = [
    ...TABLES.map((table) => `SELECT '${table}' AS name, ${newest(table)} AS newest FROM ${table}`),
    "SELECT 'identities', toInt64(max(version)) FROM identities",
    "SELECT 'fold', toInt64(max(fold)) FROM touches",
  ].join(' UNION ALL ');
  const rows = await warehouse.query<{ name: string; newest: string }>({ sql });
  const found = new Map(rows.map(({ name, newest: value }) => [name, Math.max(0, Number(value))]));
  return {
    tables: new Map(TABLES.map((table) => [table, found.get(table) ?? 0])),
    identities: found.get('identities') ?? 0,
    fold: found.get('fold') ?? 0,
  };
}

/** From where a table is read again: `since_<table>`, epoch ms. */
export function sinceParams(state: FactsState, now: number): Record<string, number> {
  const since = ({ newest, met }: Seen): number => {
    if (newest === 0) return 0;
    return now - met >= SETTLED_MS ? newest + 1 : newest - OVERLAP_MS;
  };
  return Object.fromEntries([...state.tables].map(([table, seen]) => [`since_${table}`, since(seen)]));
}

export function seenAfter(
  before: FactsState | null,
  newest: ReadonlyMap<RawTable, number>,
  now: number,
): ReadonlyMap<RawTable, Seen> {
  return new Map(
    [...newest].map(([table, value]) => {
      const seen = before?.tables.get(table);
      return [table, seen !== undefined && seen.newest >= value ? seen : { newest: value, met: now }];
    }),
  );
}
