import type { Redis } from 'ioredis';
import type { Warehouse } from '../clickhouse/warehouse.ts';

/** Words that refuse rows as they come: of all kinds, or those that say where somebody is. */
export type Refusable = 'storage' | 'location';

const counterKey = (purpose: Refusable): string => `walkin:consents:${purpose}`;

/** Says that somebody's word is new. Call when it is durable. */
export async function announceRefusal(redis: Redis, purpose: Refusable = 'storage'): Promise<void> {
  await redis.incr(counterKey(purpose));
}

interface Known {
  readonly count: string;
  /** `performance.now()` */
  readonly read: number;
  readonly keys: Promise<ReadonlySet<string>>;
}

const known: Readonly<Record<Refusable, WeakMap<Warehouse, Known>>> = { storage: new WeakMap(), location: new WeakMap() };

/**
 * Words on the place come with each consent string, so they are read again at most so often. What comes in between is not used: segments
 * and reports ask the words themselves.
 */
const PATIENCE_MS: Readonly<Record<Refusable, number>> = { storage: 0, location: 2_000 };

interface Deps {
  readonly warehouse: Warehouse;
  readonly redis: Redis;
}

/**
 * Keys of people of whom nothing may be stored, so that every row can be held against them: asked once a call or batch. They are
 * kept in this process's memory; the words are in ClickHouse, and a counter in Redis says when there are new ones.
 */
export function refusedKeys(deps: Deps): Promise<ReadonlySet<string>> {
  return keysWho(deps, 'storage');
}

/** Keys of people whose place may not be used. */
export function placelessKeys(deps: Deps): Promise<ReadonlySet<string>> {
  return keysWho(deps, 'location');
}

async function keysWho({ warehouse, redis }: Deps, purpose: Refusable): Promise<ReadonlySet<string>> {
  const before = known[purpose].get(warehouse);
  if (before !== undefined && performance.now() - before.read < PATIENCE_MS[purpose]) return before.keys;
  const count = (await redis.get(counterKey(purpose))) ?? '0';
  if (before?.count === count) return before.keys;
  const keys = warehouse
    .query<{ identifier: string }>({ sql: purpose === 'storage' ? NOT_STORED : PLACELESS })
    .then((rows): ReadonlySet<string> => new Set(rows.map(({ identifier }) => identifier)));
  known[purpose].set(warehouse, { count, read: performance.now(), keys });
  // What could not be read is asked for again.
  keys.catch(() => known[purpose].delete(warehouse));
  return keys;
}

/** Of a person every identifier that is known; what was said to one advertiser alone does not stop the others' data. */
const refusing = (purpose: Refusable, besides: string): string => `WITH said AS (
    SELECT identifier, argMax(granted, (at, recorded, granted = 0)) AS granted FROM consents FINAL
    WHERE purpose = '${purpose}' AND advertiser = '' GROUP BY identifier),
  refused AS (SELECT identifier FROM said WHERE granted = 0${besides})
  SELECT toString(identifier) AS identifier FROM refused
  UNION DISTINCT
  SELECT toString(identifier) AS identifier FROM identities FINAL
  WHERE profile IN (SELECT profile FROM identities FINAL WHERE identifier IN (SELECT identifier FROM refused))
    AND identifier NOT IN (SELECT identifier FROM said WHERE granted = 1)`;

/** Those who refused, and those who were erased and have not agreed anew. */
const NOT_STORED = refusing(
  'storage',
  `
    UNION DISTINCT
    SELECT identifier FROM erased WHERE identifier NOT IN (SELECT identifier FROM said WHERE granted = 1)`,
);
const PLACELESS = refusing('location', '');
