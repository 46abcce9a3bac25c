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

const LIMITS = { seconds: 60, memoryBytes: 2 * 1024 ** 3 };
const known = new WeakMap<Warehouse, { readonly parts: string; readonly shards: Shards }>();

/** Counted anew only when the table's files are others. */
export async function readShards(warehouse: Warehouse): Promise<Shards> {
  const [row] = await warehouse.query<{ parts: string }>({ sql: PARTS });
  const parts = row?.parts ?? '';
  const last = known.get(warehouse);
  if (last?.parts === parts) return last.shards;
  const rows = await warehouse.query<{ shard: number; people: string; facts: string }>({ sql: COUNTS }, LIMITS);
  const shards = { people: new Array<number>(SHARDS).fill(0), facts: new Array<number>(SHARDS).fill(0) };
  for (const { shard, people, facts } of rows) {
    shards.people[shard] = Number(people);
    shards.facts[shard] = Number(facts);
  }
  known.set(warehouse, { parts, shards });
  return shards;
}

/** A mask of deleted rows changes a part's name as a merge does. */
const PARTS = `SELECT concat(toString(sum(rows)), ' ', toString(groupBitXor(cityHash64(name)))) AS parts
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
