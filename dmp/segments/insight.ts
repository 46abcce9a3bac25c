import type { Warehouse } from '../clickhouse/warehouse.ts';
import { normalTwoSided } from '../reports/normal.ts';
import { Binder } from './binder.ts';
import type { Range } from './cluster-interval.ts';
import { MINIMUM, rounded } from './minimum.ts';
import { MEMBERS, type Versions } from './overlap.ts';
import { factsThatCount } from './rows.ts';
import type { RuleScope } from './scope.ts';
import { partOf, readShards } from './shards.ts';

export const DIMENSIONS = ['attribute', 'category', 'department', 'brand', 'store', 'hour', 'weekday'] as const;
export type Dimension = (typeof DIMENSIONS)[number];

/** A trait that people have or have not: bought of a category or brand, was at a store, did something at an hour, has a value of an attribute. */
export interface Trait {
  readonly dimension: Dimension;
  /** Of an attribute; else empty. */
  readonly name: string;
  readonly value: string;
}

/** How often a segment's people have a trait, against everybody. Counts to the nearest ten; shares and index are made of these. */
export interface TraitIndex extends Trait {
  readonly people: number;
  readonly base: number;
  readonly share: number;
  readonly baseShare: number;
  /** share / baseShare × 100 */
  readonly index: number;
  /** Whether it differs from the people outside of the segment by more than chance: see `marks`. */
  readonly significant: boolean;
}

export interface Insight {
  /** People of the segment of whom some fact is known that counts here, and everybody of whom one is. Null: fewer than ten. */
  readonly people: number | null;
  readonly base: number | null;
  readonly method: 'exact' | 'sample';
  readonly traits: readonly TraitIndex[];
}

/** A trait by which two groups differ. `a` and `b` are people with it who are in one segment only; null: fewer than ten. */
export interface Difference extends Trait {
  readonly a: number | null;
  readonly b: number | null;
  /** Natural logarithm of the odds in A against those in B: above 0 it speaks for A. */
  readonly logOdds: number;
  readonly interval: Range;
  readonly score: number;
}

export interface Comparison {
  /** People who are in one of the two only, of whom some fact is known that counts here. */
  readonly a: number | null;
  readonly b: number | null;
  readonly method: 'exact' | 'sample';
  readonly differences: readonly Difference[];
}

/** Facts that are read; of more, a part of the shards is. */
const FACTS = 4_000_000;
const LIMITS = { seconds: 60, memoryBytes: 3 * 1024 ** 3 };
/** Traits of a dimension that are looked at, the most frequent of the groups. */
const MOST_TRAITS = 2_000;

/** What is more or less frequent among a segment's people than among everybody. */
export async function insight(
  warehouse: Warehouse,
  versions: Versions,
  scope: RuleScope,
  dimensions: readonly Dimension[],
  limit: number,
): Promise<Insight> {
  const counts = await countTraits(warehouse, versions, scope, dimensions, ['in1']);
  const [people = 0] = counts.groups;
  const tell = (n: number): number | null => (n < MINIMUM ? null : rounded(n * counts.scale));
  const told = { people: tell(people), base: tell(counts.base), method: counts.method };
  if (told.people === null || told.base === null) return { ...told, traits: [] };
  const significant = marks(counts.traits.map((trait) => chance(trait.groups[0] as number, people, trait.base, counts.base)));
  const traits = counts.traits.map(({ groups, base, ...trait }, at): TraitIndex => {
    const [with_, all] = [tell(groups[0] as number) ?? 0, tell(base) ?? 0];
    const share = Math.min(1, with_ / (told.people as number));
    const baseShare = Math.min(1, all / (told.base as number));
    const index = Math.round((share / baseShare) * 100);
    return {
      ...trait,
      people: with_,
      base: all,
      share: short(share),
      baseShare: short(baseShare),
      index,
      significant: significant[at] as boolean,
    };
  });
  return { ...told, traits: dimensions.flatMap((dimension) => strongest(traits, dimension, limit)) };
}

/** Those furthest from 100 first, the certain ones before the others. */
function strongest(traits: readonly TraitIndex[], dimension: Dimension, limit: number): TraitIndex[] {
  const far = ({ index }: TraitIndex): number => Math.abs(Math.log(Math.max(1, index) / 100));
  return traits
    .filter((trait) => trait.dimension === dimension)
    .sort((x, y) => Number(y.significant) - Number(x.significant) || far(y) - far(x) || y.people - x.people)
    .slice(0, limit);
}

const short = (share: number): number => Math.round(share * 10_000) / 10_000;

/** Two-sided p of a trait being as frequent in the group as outside of it (pooled z test of two shares). */
function chance(group: number, people: number, base: number, everybody: number): number {
  const others = everybody - people;
  if (others <= 0 || people <= 0) return 1;
  const pooled = base / everybody;
  const variance = pooled * (1 - pooled) * (1 / people + 1 / others);
  return variance <= 0 ? 1 : normalTwoSided((group / people - (base - group) / others) / Math.sqrt(variance));
}

/** Of many tests those that hold with at most one wrong in twenty (Benjamini and Hochberg 1995). */
function marks(chances: readonly number[]): boolean[] {
  const order = chances.map((p, at) => [p, at] as const).sort((x, y) => x[0] - y[0]);
  let last = -1;
  order.forEach(([p], rank) => {
    if (p <= (0.05 * (rank + 1)) / chances.length) last = rank;
  });
  const marked = new Array<boolean>(chances.length).fill(false);
  for (const [, at] of order.slice(0, last + 1)) marked[at] = true;
  return marked;
}

/** As many people of the average kind are added to both groups: what few people do speaks for little. */
const PRIOR = 100;
/** What stands for fewer than ten. */
const FEW = 5;
const Z = 1.959963984540054;

/**
 * What distinguishes the people of the first segment from those of the second, those who are in both left out: log odds ratios with an informative
 * prior (Monroe, Colaresi and Quinn, Fightin' Words, 2008), ranked by how many standard errors they are from none.
 */
export async function compare(
  warehouse: Warehouse,
  versions: Versions,
  scope: RuleScope,
  dimensions: readonly Dimension[],
  limit: number,
): Promise<Comparison> {
  const counts = await countTraits(warehouse, versions, scope, dimensions, ['in1 AND NOT in2', 'in2 AND NOT in1']);
  const tell = (n: number | undefined): number | null => (n === undefined || n < MINIMUM ? null : rounded(n * counts.scale));
  const [a, b] = counts.groups.map(tell) as [number | null, number | null];
  if (a === null || b === null) return { a, b, method: counts.method, differences: [] };
  const differences = counts.traits.flatMap(({ groups, base, ...trait }): Difference[] => {
    const [inA, inB] = groups.map(tell) as [number | null, number | null];
    if (inA === null && inB === null) return [];
    return [{ ...trait, a: inA, b: inB, ...oddsOf([inA ?? FEW, a], [inB ?? FEW, b], base / counts.base) }];
  });
  return {
    a,
    b,
    method: counts.method,
    differences: differences.sort((x, y) => Math.abs(y.score) - Math.abs(x.score)).slice(0, limit),
  };
}

type Count = readonly [having: number, people: number];

function oddsOf(a: Count, b: Count, share: number): Pick<Difference, 'logOdds' | 'interval' | 'score'> {
  const [wA, oA] = withPrior(a, share);
  const [wB, oB] = withPrior(b, share);
  const logOdds = Math.log(wA / oA) - Math.log(wB / oB);
  const error = Math.sqrt(1 / wA + 1 / oA + 1 / wB + 1 / oB);
  const digits = (n: number): number => Math.round(n * 1000) / 1000;
  return {
    logOdds: digits(logOdds),
    interval: { lo: digits(logOdds - Z * error), hi: digits(logOdds + Z * error) },
    score: digits(logOdds / error),
  };
}

/** People with the trait and without it. */
function withPrior([having, people]: Count, share: number): readonly [number, number] {
  const p = Math.min(1 - 1e-6, Math.max(1e-6, share));
  return [having + PRIOR * p, Math.max(0, people - having) + PRIOR * (1 - p)];
}

interface TraitCounts {
  readonly groups: readonly number[];
  readonly base: number;
  readonly scale: number;
  readonly method: 'exact' | 'sample';
  /** Those that ten people of a group have. */
  readonly traits: readonly (Trait & { readonly groups: readonly number[]; readonly base: number })[];
}

/** Rows that say of a dimension, and its value. Bound to those that count. */
const ROWS_OF: Readonly<Record<Dimension, readonly [rows: string, name: string, value: string]>> = {
  attribute: ["kind = 'attribute'", 'name', 'item'],
  category: ["kind = 'purchase'", "''", 'category'],
  department: ["kind = 'purchase'", "''", 'department'],
  brand: ["kind = 'purchase'", "''", 'brand'],
  store: ["(kind = 'purchase' OR kind = 'visit' AND name = 'store')", "''", 'place'],
  hour: ["kind IN ('purchase', 'visit')", "''", 'toString(hour)'],
  weekday: ["kind IN ('purchase', 'visit')", "''", 'toString(weekday)'],
};

/** @param groups conditions over `in1`, `in2`: whether somebody is a member of the first, the second segment */
async function countTraits(
  warehouse: Warehouse,
  { segments, versions }: Versions,
  scope: RuleScope,
  dimensions: readonly Dimension[],
  groups: readonly string[],
): Promise<TraitCounts> {
  const part = partOf(await readShards(warehouse), FACTS);
  const bound = new Binder();
  const own = scope.stores === null ? '' : `(kind != 'visit' OR place IN ${bound.texts(scope.stores)})`;
  const counted = [part.range, factsThatCount({ scope, bound }), own].filter((condition) => condition !== '').join(' AND ');
  const inside = segments.map((_, at) => {
    const members = `SELECT arrayJoin(bitmapToArray(members)) FROM (${MEMBERS}${part.range === '' ? '' : ` AND ${part.range}`}) WHERE place = ${at + 1}`;
    return `profile IN (${members}) AS in${at + 1}`;
  });
  const counts = ['count() AS base', ...groups.map((group, at) => `countIf(${group}) AS g${at}`)].join(', ');
  const distinct = (dimension: Dimension): string => {
    const [rows, name, value] = ROWS_OF[dimension];
    const people = `SELECT DISTINCT profile, toString(${name}) AS name, toString(${value}) AS value FROM facts
      WHERE ${rows} AND ${value} != ''${counted === '' ? '' : ` AND ${counted}`}`;
    return `SELECT '${dimension}' AS dimension, name, value, ${counts} FROM (SELECT *, ${inside.join(', ')} FROM (${people}))
      GROUP BY name, value HAVING ${groups.map((_, at) => `g${at} >= ${MINIMUM}`).join(' OR ')}
      ORDER BY ${groups.map((_, at) => `g${at}`).join(' + ')} DESC, name, value LIMIT ${MOST_TRAITS}`;
  };
  const everybody = `SELECT '' AS dimension, '' AS name, '' AS value, ${counts} FROM (SELECT *, ${inside.join(', ')}
    FROM (SELECT DISTINCT profile FROM facts WHERE kind != 'person'${counted === '' ? '' : ` AND ${counted}`}))`;
  const sql = [everybody, ...dimensions.map(distinct)].map((select) => `SELECT * FROM (${select})`).join(' UNION ALL ');
  const params = { ...bound.values, segments: [...segments], versions: [...versions] };
  const rows = await warehouse.query<Record<string, string>>({ sql, params }, LIMITS);
  const groupsOf = (row: Record<string, string> | undefined): number[] => groups.map((_, at) => Number(row?.[`g${at}`] ?? 0));
  const all = rows.find(({ dimension }) => dimension === '');
  return {
    groups: groupsOf(all),
    base: Number(all?.['base'] ?? 0),
    scale: part.people === 0 ? 0 : part.everybody / part.people,
    method: part.range === '' ? 'exact' : 'sample',
    traits: rows
      .filter(({ dimension }) => dimension !== '')
      .map((row) => ({
        dimension: row['dimension'] as Dimension,
        name: row['name'] as string,
        value: row['value'] as string,
        groups: groupsOf(row),
        base: Number(row['base']),
      })),
  };
}

/** Who came and went, by UTC day of the runs. Counts to the nearest ten, null below ten. */
export interface DayOfRuns {
  readonly day: string;
  readonly members: number | null;
  readonly entered: number | null;
  readonly left: number | null;
}

export async function history(warehouse: Warehouse, segment: string, since: number): Promise<DayOfRuns[]> {
  const sql = `SELECT toString(toDate(started)) AS day, argMax(members, started) AS members, sum(entered) AS entered, sum(left_count) AS gone
    FROM segment_runs WHERE segment = {segment:String} AND error = '' AND started >= fromUnixTimestamp64Milli({since:Int64}) GROUP BY day ORDER BY day`;
  const rows = await warehouse.query<{ day: string; members: number; entered: string; gone: string }>(
    { sql, params: { segment, since } },
    LIMITS,
  );
  return rows.map(({ day, members, entered, gone }) => ({
    day,
    members: rounded(members),
    entered: rounded(Number(entered)),
    left: rounded(Number(gone)),
  }));
}
