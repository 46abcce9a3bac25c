import type { Warehouse } from '../clickhouse/warehouse.ts';
import { rounded } from './minimum.ts';
import { lastRuns } from './runs.ts';

/** The members of segments as their last runs left them. */
export interface Versions {
  readonly segments: readonly string[];
  /** Of each of them; 0: nobody yet. */
  readonly versions: readonly number[];
}

export interface LastVersions extends Versions {
  /** Those that were never evaluated. */
  readonly never: readonly string[];
}

const LIMITS = { seconds: 60, memoryBytes: 2 * 1024 ** 3 };
export async function versionsOf(warehouse: Warehouse, segments: readonly string[]): Promise<LastVersions> {
  const runs = await lastRuns(warehouse, segments);
  return { segments, versions: segments.map((id) => runs.get(id)?.version ?? 0), never: segments.filter((id) => !runs.has(id)) };
}

/** Rows of `segment` (its place in the list, from 1), `shard`, `members`. Bound: segments, versions. */
export const MEMBERS = `SELECT indexOf({segments:Array(String)}, toString(segment)) AS place, shard, members FROM segment_members FINAL
  WHERE segment IN {segments:Array(String)} AND version = transform(toString(segment), {segments:Array(String)}, {versions:Array(UInt32)}, toUInt32(0))`;

/**
 * How many people each two of the segments have in common, exactly; in the diagonal their sizes. Bitmaps are intersected shard by shard, since
 * a person is in one shard only. All of a shard stand in one row, so that none is copied for each other that it is held against.
 */
export async function overlap(warehouse: Warehouse, { segments, versions }: Versions): Promise<number[][]> {
  const places = segments.map((_, at) => at + 1);
  const bitmaps = places.map((place) => `groupBitmapMergeStateIf(members, place = ${place}) AS m${place}`);
  const pairs = places.flatMap((a) => places.filter((b) => b >= a).map((b): readonly [number, number] => [a, b]));
  const common = pairs.map(([a, b]) => (a === b ? `bitmapCardinality(m${a})` : `bitmapAndCardinality(m${a}, m${b})`));
  const sql = `SELECT sumForEach([${common.join(', ')}]) AS n FROM (SELECT shard, ${bitmaps.join(', ')} FROM (${MEMBERS}) GROUP BY shard)`;
  const params = { segments: [...segments], versions: [...versions] };
  const [row] = await warehouse.query<{ n: string[] }>({ sql, params }, LIMITS);
  const matrix = segments.map(() => new Array<number>(segments.length).fill(0));
  for (const [at, [a, b]] of pairs.entries()) {
    const n = Number(row?.n[at] ?? 0);
    (matrix[a - 1] as number[])[b - 1] = n;
    (matrix[b - 1] as number[])[a - 1] = n;
  }
  return matrix;
}

/** People who are in these of the segments and in none of the others. */
export interface Region {
  readonly in: readonly string[];
  readonly people: number | null;
}

/** The parts into which two or three segments cut each other, to the nearest ten, null below ten. */
export async function venn(warehouse: Warehouse, { segments, versions }: Versions): Promise<Region[]> {
  const places = segments.map((_, at) => at + 1);
  const bitmaps = places.map((place) => `groupBitmapMergeStateIf(members, place = ${place}) AS m${place}`);
  const subsets = subsetsOf(places);
  const common = subsets.map(
    (subset, at) =>
      `sum(bitmapCardinality(${subset.map((place) => `m${place}`).reduce((all, one) => `bitmapAnd(${all}, ${one})`)})) AS n${at}`,
  );
  const sql = `SELECT ${common.join(', ')} FROM (SELECT shard, ${bitmaps.join(', ')} FROM (${MEMBERS}) GROUP BY shard)`;
  const params = { segments: [...segments], versions: [...versions] };
  const [row = {}] = await warehouse.query<Record<string, string>>({ sql, params }, LIMITS);
  const inAll = (subset: readonly number[]): number => Number(row[`n${subsets.findIndex((one) => isSame(one, subset))}`] ?? 0);
  return subsets.map((subset) => {
    // In all of these, less those who are in others too, by inclusion and exclusion.
    const larger = subsets.filter((one) => subset.every((place) => one.includes(place)));
    const people = larger.reduce((sum, one) => sum + ((one.length - subset.length) % 2 === 0 ? 1 : -1) * inAll(one), 0);
    return { in: subset.map((place) => segments[place - 1] as string), people: rounded(people) };
  });
}

function subsetsOf(places: readonly number[]): number[][] {
  const all = Array.from({ length: 2 ** places.length - 1 }, (_, n) => places.filter((_place, bit) => ((n + 1) >> bit) & 1));
  return all.sort((a, b) => a.length - b.length);
}

const isSame = (a: readonly number[], b: readonly number[]): boolean =>
  a.length === b.length && a.every((one) => b.includes(one));
