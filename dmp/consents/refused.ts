import type { Redis } from 'ioredis';
import type { Warehouse } from '../clickhouse/warehouse.ts';

const COUNTER_KEY = 'walkin:consents:storage';

/** Says that somebody's word on storage is new. Call when it is durable. */
export async function announceRefusal(redis: Redis): Promise<void> {
  await redis.incr(COUNTER_KEY);
}

interface Known {
  readonly count: string;
  readonly keys: Promise<ReadonlySet<string>>;
}

const known = new WeakMap<Warehouse, Known>();

/**
 * Keys of people of whom nothing may be stored, so that every row can be held against them: asked once a call or batch. They are
 * kept in this process's memory; the words are in ClickHouse, and a counter in Redis says when there are new ones.
 */
export async function refusedKeys({
  warehouse,
  redis,
}: {
  readonly warehouse: Warehouse;
  readonly redis: Redis;
}): Promise<ReadonlySet<string>> {
  const count = (await redis.get(COUNTER_KEY)) ?? '0';
  const before = known.get(warehouse);
  if (before?.count === count) return before.keys;
  const keys = warehouse
    .query<{ identifier: string }>({ sql: SQL })
    .then((rows): ReadonlySet<string> => new Set(rows.map(({ identifier }) => identifier)));
  known.set(warehouse, { count, keys });
  // What could not be read is asked for again.
  keys.catch(() => known.delete(warehouse));
  return keys;
}

/** Those who refused, and those who were erased and have not agreed anew. Of a person every identifier that is known; what was said to one advertiser alone does not stop the others' data. */
const SQL = `WITH said AS (
    SELECT identifier, argMax(granted, (at, recorded, granted = 0)) AS granted FROM consents FINAL
    WHERE purpose = 'storage' AND advertiser = '' GROUP BY identifier),
  refused AS (
    SELECT identifier FROM said WHERE granted = 0
    UNION DISTINCT
    SELECT identifier FROM erased WHERE identifier NOT IN (SELECT identifier FROM said WHERE granted = 1))
  SELECT toString(identifier) AS identifier FROM refused
  UNION DISTINCT
  SELECT toString(identifier) AS identifier FROM identities FINAL
  WHERE profile IN (SELECT profile FROM identities FINAL WHERE identifier IN (SELECT identifier FROM refused))
    AND identifier NOT IN (SELECT identifier FROM said WHERE granted = 1)`;
