import type { Warehouse } from '../clickhouse/warehouse.ts';

export const SHARDS = 64;

/** People and facts by shard of `facts`, as they are now. */
export interface Shards {
  readonly people: readonly number[];
  readonly facts: readonly number[];
}

/** A contiguous range of the key of `facts`: its first `shards` shards. */
export interface Part {
  readonly shards: number;
  /** Condition over `shard`; empty for all. */
  readonly range: string;
  /** People in all and in the part, facts in the part. */
  readonly everybody: number;
  readonly people: number;
  readonly facts: number;
}

interface Known {
  /** Of the table's files when it was counted. */
  readonly parts: string;
  readonly shards: Shards;
  /** Process clock, ms. */
  readonly at: number;
}

const LIMITS = { seconds: 60, memoryBytes: 2 * 1024 ** 3 };
/** Of a larger table, which merges all the time, counts of a while ago are as good, and are brought up to date aside. */
const LARGE_ROWS = 2_000_000;
const FRESH_MS = 600_000;
const known = new WeakMap<Warehouse, Known>();
const counting = new WeakMap<Warehouse, Promise<Shards>>();

/** Counted anew only when the table's files are others. */
export async function readShards(warehouse: Warehouse): Promise<Shards> {
  const [row] = await warehouse.query<{ parts: string; rows: string }>({ sql: PARTS });
  const parts = row?.parts ?? '';
  const last = known.get(warehouse);
  if (last?.parts === parts) return last.shards;
  const isLarge = Number(row?.rows ?? 0) > LARGE_ROWS;
  if (last === undefined || !isLarge || performance.now() - last.at > FRESH_MS) return countShards(warehouse, parts);
  if (!counting.has(warehouse)) {
    const work = countShards(warehouse, parts).finally(() => counting.delete(warehouse));
    counting.set(warehouse, work);
    // Who asks next and finds them too old counts again, and is told why it fails.
    work.catch(() => undefined);
  }
  return last.shards;
}

async function countShards(warehouse: Warehouse, parts: string): Promise<Shards> {
  const rows = await warehouse.query<{ shard: number; people: string; facts: string }>({ sql: COUNTS }, LIMITS);
  const shards = { people: new Array<number>(SHARDS).fill(0), facts: new Array<number>(SHARDS).fill(0) };
  for (const { shard, people, facts } of rows) {
    shards.people[shard] = Number(people);
    shards.facts[shard] = Number(facts);
  }
  known.set(warehouse, { parts, shards, at: performance.now() });
  return shards;
}

/** A mask of deleted rows changes a part's name as a merge does. */
const PARTS = `SELECT sum(rows) AS rows, concat(toString(rows), ' ', toString(groupBitXor(cityHash64(name)))) AS parts
  FROM system.parts WHERE database = currentDatabase() AND table = 'facts' AND active`;
const COUNTS = `SELECT shard, uniqExactIf(profile, kind = 'person') AS people, count() AS facts FROM facts GROUP BY shard`;

/** As many whole shards from the first on as hold about `most` facts; one at least that somebody is in. */
export function partOf(shards: Shards, most: number): Part {
  const everybody = shards.people.reduce((sum, n) => sum + n, 0);
  let facts = 0;
  let people = 0;
  let count = 0;
  while (count < SHARDS && (people === 0 || facts + (shards.facts[count] as number) <= most)) {
    facts += shards.facts[count] as number;
    people += shards.people[count] as number;
    count++;
  }
  // What is left has nobody.
  const isAll = people === everybody;
  return { shards: isAll ? SHARDS : count, range: isAll ? '' : `shard < ${count}`, everybody, people, facts };
}
