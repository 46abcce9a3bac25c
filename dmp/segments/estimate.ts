import type { Warehouse } from '../clickhouse/warehouse.ts';
import { Binder } from './binder.ts';
import { type Clusters, clusterInterval, designEffect, type Range } from './cluster-interval.ts';
import { MINIMUM, rounded, roundedRange } from './minimum.ts';
import type { Group } from './reach.ts';
import { whoDidNotRefuse } from './rows.ts';
import type { Rule } from './rule.ts';
import { leavesOf, nodesOf, type RuleNode } from './rule-nodes.ts';
import { compileScan, type Scan } from './scan.ts';
import type { RuleScope } from './scope.ts';
import { type Part, partOf, readShards, type Shards } from './shards.ts';

export interface Estimate {
  /** People, or null where there are fewer than the minimum, or too few of them in the sample. */
  readonly size: number | null;
  readonly belowMinimum: boolean;
  readonly method: 'exact' | 'sample';
  /** 95 % interval of a sample's size. */
  readonly interval: Range | null;
  /** Everybody known. */
  readonly profiles: number;
  /** What was counted in place of everybody; null where everybody was. */
  readonly sample: Sample | null;
  /** The rule and each part of it, the upper ones first. */
  readonly nodes: readonly NodeEstimate[];
  /** Nodes of a large rule that are not told. */
  readonly nodesLeft: number;
  readonly seconds: number;
}

export interface Sample {
  readonly people: number;
  readonly households: number;
  /** How much less the sample tells than as many people drawn one by one would. */
  readonly designEffect: number;
}

/** What a condition costs: people whom it alone selects, and whom the rule would select without it. To the nearest ten, null below ten. */
export interface NodeEstimate {
  readonly pointer: string;
  readonly size: number | null;
  readonly interval: Range | null;
  /** Null also of the rule itself. */
  readonly without: number | null;
}

export interface EstimateOptions {
  /** Facts that are read at first, and of which a table is read whole. */
  readonly facts?: number;
  /** A sample with few who hold is taken larger where the first was counted within so many seconds. */
  readonly patienceS?: number;
}

/** A table with no more facts is read whole, of a larger one so many at first. */
const EXACT_FACTS = 1_000_000;
const FACTS = 700_000;
const PATIENCE_S = 0.1;
/** So many who hold tell a size to about a tenth. */
const ENOUGH = 400;
const MOST_NODES = 60;
const LIMITS = { seconds: 20, memoryBytes: 2 * 1024 ** 3 };

/** How many people a rule selects now, and each part of it: all of it in one pass over a part of the facts. */
export async function estimate(
  warehouse: Warehouse,
  rule: Rule,
  scope: RuleScope,
  options: EstimateOptions = {},
): Promise<Estimate> {
  return (await estimateWith(warehouse, rule, scope, options)).told;
}

/** The same, and those whom the rule selects, or who stand for them, to be asked more about. */
export async function estimateGroup(
  warehouse: Warehouse,
  rule: Rule,
  scope: RuleScope,
  options: EstimateOptions = {},
): Promise<{ readonly told: Estimate; readonly group: Group }> {
  const { told, part, found } = await estimateWith(warehouse, rule, scope, { ...options, isNamed: true });
  const scale = part.people === 0 ? 0 : part.everybody / part.people;
  return { told, group: { ...peopleIn(rule, scope, part, found), range: part.range, scale } };
}

async function estimateWith(
  warehouse: Warehouse,
  rule: Rule,
  scope: RuleScope,
  { facts, patienceS = PATIENCE_S, isNamed = false }: EstimateOptions & { readonly isNamed?: boolean },
) {
  const began = performance.now();
  const { nodes, left } = nodesOf(rule, MOST_NODES);
  const shards = await readShards(warehouse);
  let part = firstPart(shards, facts);
  const counting = performance.now();
  let counted = await countNodes(warehouse, nodes, scope, part, isNamed);
  const took = (performance.now() - counting) / 1000;
  const hits = counted.sizes[0]?.hits ?? 0;
  if (part.range !== '' && hits < ENOUGH && took < patienceS) {
    const times = Math.min(ENOUGH / Math.max(1, hits), (2 * patienceS) / took);
    part = partOf(shards, part.facts * Math.max(1, times));
    counted = await countNodes(warehouse, nodes, scope, part, isNamed);
  }
  const sizes = toldOf(nodes, counted, part);
  const told: Estimate = {
    ...sizes,
    nodesLeft: left + nodes.length - sizes.nodes.length,
    seconds: (performance.now() - began) / 1000,
  };
  return { told, part, found: counted.found };
}

/** What is told of a group asks for it four or five times: a longer list takes as long each time as the rule does. */
const MOST_LISTED = 200_000;

function peopleIn(rule: Rule, scope: RuleScope, { range }: Part, found: readonly number[]): Pick<Group, 'people' | 'bound'> {
  if (found.length <= MOST_LISTED) {
    const bound = new Binder();
    return { people: `SELECT arrayJoin(${bound.add('Array(UInt32)', found)}) AS profile`, bound };
  }
  const scan = compileScan([rule], { ...scope, sampled: range });
  const masks = peopleWith(scan, scope, range, `toUInt32(${scan.holds[0]}) * ${WHOLE}`);
  return { people: `SELECT profile FROM (${masks}) WHERE has(masks, ${COUNTS + WHOLE})`, bound: scan.bound };
}

function firstPart(shards: Shards, facts?: number): Part {
  const whole = partOf(shards, facts ?? EXACT_FACTS);
  return whole.range === '' ? whole : partOf(shards, facts ?? FACTS);
}

interface Counted {
  /** Of each node; null where it cannot be told, of the first, the whole rule, never. */
  readonly sizes: readonly (Clusters | null)[];
  readonly without: readonly (number | null)[];
  /** Whom the rule selects, where that is asked. */
  readonly found: readonly number[];
}

function toldOf(nodes: readonly RuleNode[], { sizes, without }: Counted, part: Part): Omit<Estimate, 'nodesLeft' | 'seconds'> {
  const whole = sizes[0] as Clusters;
  const isSample = part.range !== '';
  const scale = whole.people === 0 ? 0 : part.everybody / whole.people;
  const interval = (sample: Clusters): Range | null => {
    if (!isSample) return null;
    const { lo, hi } = clusterInterval(sample, part.everybody);
    return { lo: Math.floor(lo * part.everybody), hi: Math.ceil(hi * part.everybody) };
  };
  const own = interval(whole);
  const isFew = whole.hits < MINIMUM;
  return {
    size: isFew ? null : Math.round(whole.hits * scale),
    belowMinimum: isFew && (own === null || own.hi < MINIMUM),
    method: isSample ? 'sample' : 'exact',
    // Of a few in a sample it is told at most that there may be so many.
    interval: own === null || (isFew && own.hi < MINIMUM) ? null : isFew ? { lo: 0, hi: own.hi } : own,
    profiles: part.everybody,
    sample: isSample
      ? { people: whole.people, households: whole.households, designEffect: Math.round(designEffect(whole) * 100) / 100 }
      : null,
    nodes: nodes.flatMap(({ pointer }, at) => {
      const size = sizes[at] ?? null;
      const rest = without[at] ?? null;
      if (size === null) return [];
      return {
        pointer,
        size: size.hits < MINIMUM ? null : rounded(size.hits * scale),
        interval: size.hits < MINIMUM ? null : roundedRange(interval(size)),
        without: at === 0 || rest === null || rest < MINIMUM ? null : rounded(rest * scale),
      };
    }),
  };
}

/** Bits of a unit's mask: the leaves from 0 on, whether the whole rule holds, whether there is such a unit and its person did not refuse. */
const MOST_LEAVES = 30;
const WHOLE = 2 ** 30;
const COUNTS = 2 ** 31;

async function countNodes(
  warehouse: Warehouse,
  nodes: readonly RuleNode[],
  scope: RuleScope,
  { range }: Part,
  isNamed: boolean,
): Promise<Counted> {
  const rule = (nodes[0] as RuleNode).rule;
  const scan = compileScan([rule], { ...scope, sampled: range });
  const leaves = leavesOf(rule).slice(0, MOST_LEAVES);
  const bits = [...leaves.map(scan.holdsOf), scan.holdsOf(rule)].map((holds, at) => {
    const bit = at === leaves.length ? WHOLE : 2 ** at;
    return `toUInt32(${holds}) * ${bit}`;
  });
  const chosen = isNamed
    ? `, groupArrayIf(profile, arrayExists(mask -> bitAnd(mask, ${COUNTS + WHOLE}) = ${COUNTS + WHOLE}, masks)) AS chosen`
    : '';
  const households = `SELECT arraySort(groupArray(masks)) AS people${chosen} FROM (${peopleWith(scan, scope, range, `toUInt32(${bits.join(' + ')})`)}) GROUP BY household`;
  const sql = `SELECT people, count() AS n${isNamed ? ', groupArrayArray(chosen) AS found' : ''} FROM (${households}) GROUP BY people`;
  const rows = await warehouse.query<Alike>({ sql, params: scan.bound.values }, LIMITS);
  const bitOf = new Map(leaves.map((leaf, bit) => [JSON.stringify(leaf), bit]));
  return {
    sizes: nodes.map(({ rule: node }, at) => sum(rows, at === 0 ? wholeRule : judge(node, bitOf))),
    without: nodes.map(({ without }) => {
      const holds = without === null ? everybody : judge(without, bitOf);
      return holds === null ? null : (sum(rows, holds)?.hits ?? null);
    }),
    found: rows.flatMap(({ found = [] }) => found),
  };
}

/** Households that are alike: masks of the units of each of their people. */
interface Alike {
  readonly people: readonly (readonly number[])[];
  readonly n: string;
  readonly found?: readonly number[];
}

type Judge = (mask: number) => boolean;

const everybody: Judge = () => true;
const wholeRule: Judge = (mask) => (mask & WHOLE) !== 0;

/** A rule over the bits of its leaves; null where one of them has no bit. */
function judge(rule: Rule, bitOf: ReadonlyMap<string, number>): Judge | null {
  if ('all' in rule) {
    const parts = judges(rule.all, bitOf);
    return parts === null ? null : (mask) => parts.every((holds) => holds(mask));
  }
  if ('any' in rule) {
    const parts = judges(rule.any, bitOf);
    return parts === null ? null : (mask) => parts.some((holds) => holds(mask));
  }
  if ('not' in rule) {
    const holds = judge(rule.not, bitOf);
    return holds === null ? null : (mask) => !holds(mask);
  }
  const bit = bitOf.get(JSON.stringify(rule));
  return bit === undefined ? null : (mask) => (mask & (1 << bit)) !== 0;
}

function judges(rules: readonly Rule[], bitOf: ReadonlyMap<string, number>): Judge[] | null {
  const parts = rules.map((rule) => judge(rule, bitOf));
  return parts.some((part) => part === null) ? null : (parts as Judge[]);
}

function sum(rows: readonly Alike[], holds: Judge | null): Clusters | null {
  if (holds === null) return null;
  const sums = { households: 0, people: 0, peopleSquared: 0, hits: 0, hitsSquared: 0, hitsTimesPeople: 0 };
  for (const { people, n: times } of rows) {
    const n = Number(times);
    const m = people.length;
    let y = 0;
    for (const masks of people) if (masks.some((mask) => mask >= COUNTS && holds(mask))) y++;
    sums.households += n;
    sums.people += n * m;
    sums.peopleSquared += n * m * m;
    sums.hits += n * y;
    sums.hitsSquared += n * y * y;
    sums.hitsTimesPeople += n * y * m;
  }
  return sums;
}

/** One row a person of the range: `profile`, `household`, and `masks`, each once, of the units that are theirs. */
function peopleWith(scan: Scan, scope: RuleScope, range: string, mask: string): string {
  const where = ["kind = 'person'", range].filter((condition) => condition !== '').join(' AND ');
  const agreed = whoDidNotRefuse({ scope, bound: scan.bound });
  const counts = `u.mask + ${COUNTS} * (u.is = 1${agreed === '' ? '' : ` AND ${agreed}`})`;
  return `SELECT profile, any(p.household) AS household, arraySort(groupUniqArray(toUInt32(${counts}))) AS masks
    FROM (SELECT profile, household, ${scan.unit} AS unit FROM facts WHERE ${where}) AS p
    LEFT JOIN (SELECT unit, 1 AS is, ${mask} AS mask FROM (${scan.units(range)})) AS u USING unit GROUP BY profile`;
}
