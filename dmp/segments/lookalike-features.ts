import type { Statement, Warehouse } from '../clickhouse/warehouse.ts';
import type { Binder } from './binder.ts';
import { sensitivityOf } from './sensitivity.ts';

/** What a model looks at of a person. The first features are measures that everybody has, the others traits of the most frequent values. */
export interface Vocabulary {
  readonly names: readonly string[];
  readonly traits: readonly (Trait & { readonly feature: number })[];
}

interface Trait {
  readonly what: 'category' | 'brand' | 'shop' | 'visited' | 'attribute';
  /** Of an attribute its name and value, with a zero byte between. */
  readonly value: string;
}

/** One person: features that are not 0. */
export interface PersonRow {
  readonly profile: number;
  readonly household: number;
  readonly shard: number;
  readonly seed: 0 | 1;
  readonly f: readonly number[];
  readonly v: readonly number[];
}

const LIMITS = { seconds: 300, memoryBytes: 3 * 1024 ** 3 };
const MOST: Readonly<Record<Trait['what'], number>> = { category: 200, brand: 150, shop: 100, visited: 100, attribute: 150 };
/** What fewer people have tells of them rather than of others. */
const LEAST_PEOPLE = 20;

/** Measures of a person. What fades halves in three weeks. */
const MEASURES: readonly (readonly [name: string, sql: string])[] = [
  ['purchases', "log1p(uniqExactIf(once, kind = 'purchase'))"],
  ['spent', "log1p(greatest(0, sumIf(amount, kind = 'purchase')) / 1000000)"],
  [
    'purchased lately',
    "exp(-age('second', maxIf(at, kind = 'purchase'), {featuresNow:DateTime64(3, 'UTC')}) / 2592000) * (countIf(kind = 'purchase') > 0)",
  ],
  ['shops', "log1p(uniqExactIf(place, kind = 'purchase' AND place != ''))"],
  ['visits', "log1p(uniqExactIf(once, kind = 'visit'))"],
  [
    'visited lately',
    "exp(-age('second', maxIf(at, kind = 'visit'), {featuresNow:DateTime64(3, 'UTC')}) / 2592000) * (countIf(kind = 'visit') > 0)",
  ],
  ['in the morning', "log1p(countIf(kind IN ('purchase', 'visit') AND hour >= 6 AND hour < 12))"],
  ['in the afternoon', "log1p(countIf(kind IN ('purchase', 'visit') AND hour >= 12 AND hour < 18))"],
  ['in the evening', "log1p(countIf(kind IN ('purchase', 'visit') AND hour >= 18))"],
  ['at weekends', "log1p(countIf(kind IN ('purchase', 'visit') AND weekday >= 6))"],
];

const HOUR_MS = 3_600_000;
const KINDS = "kind IN ('purchase', 'visit', 'attribute')";

/**
 * The most frequent traits of the people. Not among them: what sounds sensitive, and what the seed's own rule asks for, since everybody in the seed has
 * it and nobody outside would be found by it.
 *
 * @param where condition over rows of `facts`, its values in `bound`
 */
export async function readVocabulary(warehouse: Warehouse, where: string, bound: Binder, seedRule: unknown): Promise<Vocabulary> {
  const part = (what: Trait['what'], rows: string, value: string): string =>
    `SELECT '${what}' AS what, toString(${value}) AS value, uniq(profile) AS people FROM facts
     WHERE ${rows} AND ${where} GROUP BY value HAVING people >= ${LEAST_PEOPLE} ORDER BY people DESC, value LIMIT ${MOST[what]}`;
  const sql = [
    part('category', "kind = 'purchase' AND category != ''", 'category'),
    part('brand', "kind = 'purchase' AND brand != ''", 'brand'),
    part('shop', "kind = 'purchase' AND place != ''", 'place'),
    part('visited', "kind = 'visit'", 'place'),
    part('attribute', "kind = 'attribute' AND item != ''", "concat(name, '\\0', item)"),
  ].join(' UNION ALL ');
  const rows = await warehouse.query<Trait & { people: string }>(
    { sql: `SELECT * FROM (${sql}) ORDER BY what, people DESC, value`, params: bound.values },
    LIMITS,
  );
  const asked = textsOf(seedRule);
  const fair = rows.filter(({ value }) => {
    const words = value.replace('\0', ' ');
    return !asked.has(value) && !asked.has(value.split('\0')[0] as string) && sensitivityOf({ name: words }) === null;
  });
  return {
    names: [...MEASURES.map(([name]) => name), ...fair.map(({ what, value }) => `${what} ${value.replace('\0', ' = ')}`)],
    traits: fair.map(({ what, value }, at) => ({ what, value, feature: MEASURES.length + at })),
  };
}

/** All texts within a rule. */
function textsOf(part: unknown, found = new Set<string>()): Set<string> {
  if (typeof part === 'string') found.add(part);
  else if (typeof part === 'object' && part !== null) for (const inner of Object.values(part)) textsOf(inner, found);
  return found;
}

/**
 * People with the features that they have, from one pass over their facts.
 *
 * @param where condition over rows of `facts`
 * @param seed condition over `profile`
 */
export function featuresOf({ traits }: Vocabulary, where: string, seed: string, bound: Binder, now: number): Statement {
  const place = (what: Trait['what'], value: string): string => {
    const known = traits.filter((trait) => trait.what === what);
    if (known.length === 0) return 'toUInt32(0)';
    const [values, features] = [
      bound.texts(known.map((one) => one.value)),
      bound.add(
        'Array(UInt32)',
        known.map((one) => one.feature),
      ),
    ];
    return `transform(toString(${value}), ${values}, ${features}, toUInt32(0))`;
  };
  // Feature 0 is a measure, so 0 says that the value is none of those known.
  const found = `multiIf(
    kind = 'purchase', [${place('category', 'category')}, ${place('brand', 'brand')}, ${place('shop', 'place')}],
    kind = 'visit', [${place('visited', 'place')}],
    [${place('attribute', "concat(name, '\\0', item)")}])`;
  const measures = MEASURES.map(([, sql]) => `toFloat64(${sql})`).join(', ');
  const rows = `FROM facts WHERE ${KINDS} AND ${where}`;
  // In order, so that sums over them come out the same to the last digit each time.
  const pairs = 'arraySort(groupArray((pair.1, round(pair.2, 4))))';
  const sql = `SELECT profile, any(home) AS household, toUInt8(household % 64) AS shard, toUInt8(${seed}) AS seed,
      ${pairs}.1 AS f, ${pairs}.2 AS v
    FROM (
      SELECT profile, any(household) AS home, arrayJoin(arrayFilter(pair -> pair.2 != 0, arrayZip(range(toUInt32(${MEASURES.length})), [${measures}]))) AS pair
      ${rows} GROUP BY profile
      UNION ALL
      SELECT profile, any(home) AS home, (feature, log1p(uniqExact(once))) AS pair
      FROM (SELECT profile, household AS home, once, arrayJoin(arrayFilter(one -> one > 0, ${found})) AS feature ${rows}) GROUP BY profile, feature
    ) GROUP BY profile`;
  // By the hour: what fades in weeks need not be another number each second, and a fit of the same facts a moment later is the same.
  const hour = new Date(now - (now % HOUR_MS));
  return { sql, params: { ...bound.values, featuresNow: hour.toISOString().slice(0, -1).replace('T', ' ') } };
}
