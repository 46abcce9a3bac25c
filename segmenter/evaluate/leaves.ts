import { createHash } from 'node:crypto';
import type { Limits, Warehouse } from '../../dmp/clickhouse/warehouse.ts';
import type { Binder } from '../../dmp/segments/binder.ts';
import type { Compiler, LeafPlan } from '../../dmp/segments/plan.ts';
import { type LeafStatement, stretchOf } from '../../dmp/segments/sets.ts';
import { SHARDS } from '../../dmp/segments/shards.ts';
import { percentOf } from '../../dmp/segments/unit.ts';
import { isAsked, whoIsAsked } from './asked.ts';
import { LIMITS } from './limits.ts';
import { AT_ONCE, inTurns } from './turns.ts';

/** Facts that one statement goes through: its time and memory stay within limits however many facts there are. */
const MOST_FACTS = 6_000_000;

/**
 * Rows come in the order of the key, so that people are done one after the other and nothing is kept of them: 140 MB for 200 rules, where a
 * table of everybody takes 10 % less time and gigabytes.
 */
export const IN_ORDER = 'insert_deduplicate = 0, optimize_aggregation_in_order = 1, max_threads = 1';

/** Conditions over `shard` that cut the facts into parts of about a size; of few, for which statements cost more than rows, one. */
export function rangesOf(facts: number, few: number): string[] {
  const parts = Math.min(SHARDS, Math.max(facts < few ? 1 : AT_ONCE, Math.ceil(facts / MOST_FACTS)));
  const bounds = Array.from({ length: parts + 1 }, (_, n) => Math.round((n * SHARDS) / parts));
  return bounds.slice(1).map((to, n) => `shard >= ${bounds[n]} AND shard < ${to}`);
}

/** Told how far the work is, 0 to 1; throws where it is to stop. */
export type Between = (share: number) => Promise<void>;

/** Where the facts are: all of them, or those of whom is asked again. */
export type FactsFrom = 'facts' | 'segment_facts';

/** Leaves that are asked together, and the values that their statements bind. */
export interface Asking {
  readonly statements: readonly LeafStatement[];
  /** Subqueries of units, by the leaf's name: sets that are there already, elsewhere. */
  readonly units: ReadonlyMap<string, string>;
  /** Statements that select `leaf`, `shard`, `members` of leaves that are asked of kept values. */
  readonly ofValues: readonly string[];
  /** Names of leaves whose sets are made of those of whom they do not hold. */
  readonly opposite: ReadonlySet<string>;
  readonly bound: Binder;
}

/** Work that is done beside the answers, as one of the statements at once. */
export type Beside = () => Promise<void>;

/** Puts the answers into `segment_leaves`, beside what is there of leaves of other names. */
export async function answerLeaves(
  warehouse: Warehouse,
  { statements, units, ofValues, opposite, bound }: Asking,
  from: FactsFrom,
  ranges: readonly string[],
  limits: Limits,
  between: Between,
  beside: readonly Beside[] = [],
  atOnce = AT_ONCE,
): Promise<void> {
  const inRange = (range: string): string[] => {
    const all = statements.map(({ sql, kinds }) => sql(from, from === 'facts' ? range : `${range}${isAsked(kinds)}`, opposite));
    // The longest first, so that none is left to one core at the end.
    return all.sort((a, b) => b.length - a.length);
  };
  const answers = [...ranges.flatMap(inRange), ...[...units].map(([name, sql]) => setOfUnits(name, sql)), ...ofValues];
  const ask = async (sql: string): Promise<void> => {
    const into = `INSERT INTO segment_leaves (leaf, shard, members) SETTINGS ${IN_ORDER} ${sql}`;
    await warehouse.command({ sql: into, params: bound.values }, limits);
  };
  const work = [
    ...beside,
    ...answers.map(
      (sql): Beside =>
        () =>
          ask(sql),
    ),
  ];
  await inTurns(
    work,
    async (take, share) => {
      await between(share);
      await take();
    },
    atOnce,
  );
}

function setOfUnits(name: string, units: string): string {
  return `SELECT '${name}' AS leaf, ${stretchOf('unit')} AS shard, groupBitmapState(unit) AS members
    FROM (SELECT toUInt32(0) AS unit WHERE 0 UNION ALL SELECT * FROM (${units})) GROUP BY shard`;
}

/** Which leaves hold of units without any fact: their sets are made of the others. */
export async function tellOpposites(
  warehouse: Warehouse,
  statements: readonly LeafStatement[],
  bound: Binder,
  limits: Limits,
): Promise<string[]> {
  const opposite: string[] = [];
  for (const { ofNobody, names } of statements) {
    if (ofNobody === null) continue;
    const [row] = await warehouse.query<{ told: number[] }>({ sql: ofNobody, params: bound.values }, limits);
    opposite.push(...names.filter((_, n) => row?.told[n] === 1));
  }
  return opposite;
}

/** A leaf that was answered, and under which name its set is kept. */
export interface Answered {
  readonly name: string;
  readonly kept: string;
  /** Of which kinds of facts it was asked; none: of any. */
  readonly kinds: readonly string[];
}

/**
 * Mends the kept sets by what is in `segment_leaves`: of whom was asked again by facts of their kinds, or of everybody (null). What was
 * written by an evaluation that was cut off is right already, and is written again.
 */
export async function keepLeaves(
  warehouse: Warehouse,
  leaves: readonly Answered[],
  stamp: number,
  compiler: Compiler | null,
): Promise<void> {
  const now = compiler === null ? 'held' : 'bitmapOr(bitmapAndnot(old, who), bitmapAnd(held, who))';
  const groups = new Map(leaves.map(({ kinds }) => [kinds.join(' '), kinds]));
  const numbers = new Map([...groups.keys()].map((key, n) => [key, n]));
  const both = `SELECT key, shard, groupBitmapMergeStateIf(members, role = 0) AS old, groupBitmapMergeStateIf(members, role = 1) AS held FROM (
      SELECT leaf AS key, shard, members, toUInt8(0) AS role FROM leaf_members FINAL WHERE leaf IN {keys:Array(String)}
      UNION ALL
      SELECT transform(toString(leaf), {names:Array(String)}, {keys:Array(String)}, ''), shard, members, toUInt8(1) FROM segment_leaves
      WHERE leaf IN {names:Array(String)})
    GROUP BY key, shard`;
  const grouped = `SELECT key, shard, old, held, transform(key, {keys:Array(String)}, {groups:Array(UInt16)}, toUInt16(0)) AS asking FROM (${both})`;
  const asked = (kinds: readonly string[], n: number, of: Compiler): string =>
    `SELECT toUInt16(${n}) AS asking, shard, who FROM (${whoIsAsked(kinds, of)})`;
  const joined =
    compiler === null
      ? ''
      : ` LEFT JOIN (${[...groups.values()].map((kinds, n) => asked(kinds, n, compiler)).join(' UNION ALL ')}) AS asked USING asking, shard`;
  const sql = `INSERT INTO leaf_members (leaf, shard, stamp, members) SETTINGS insert_deduplicate = 0
    SELECT key, shard, {stamp:UInt64}, members FROM (SELECT key, shard, old, ${now} AS members FROM (${grouped}) AS sets${joined})
    WHERE bitmapCardinality(bitmapXor(old, members)) > 0`;
  const params = {
    ...compiler?.bound.values,
    keys: leaves.map(({ kept }) => kept),
    names: leaves.map(({ name }) => name),
    groups: leaves.map(({ kinds }) => numbers.get(kinds.join(' '))),
    stamp,
  };
  await warehouse.command({ sql, params }, LIMITS);
}

/** A stamp after all that there are. */
export async function freeStamp(warehouse: Warehouse, table: 'leaf_members' | 'unit_values' = 'leaf_members'): Promise<number> {
  const [row] = await warehouse.query<{ newest: string }>({ sql: `SELECT max(stamp) AS newest FROM ${table}` });
  return Number(row?.newest ?? 0) + 1;
}

/** Drops sets that no rule is made of any more. */
export async function dropLeaves(warehouse: Warehouse, kept: readonly string[]): Promise<void> {
  if (kept.length > 0)
    await warehouse.command({ sql: 'DELETE FROM leaf_members WHERE leaf IN {kept:Array(String)}', params: { kept } }, LIMITS);
}

/** Of what a leaf comes to, whenever: the same of equal leaves. Its plan is of some constant time. */
export function keyOfPlan(plan: LeafPlan, { scope, bound }: Compiler): string {
  const text =
    'units' in plan
      ? plan.units
      : [
          plan.measures,
          plan.rows,
          plan.edges,
          plan.others?.values,
          plan.others?.places,
          plan.holds(
            plan.measures.map((_, n) => `m${n}`),
            ['a', 'b', 'c'],
          ),
        ];
  return createHash('sha1')
    .update(JSON.stringify([scope.level ?? 'person', percentOf(scope.confidence), text, bound.values]))
    .digest('base64');
}
