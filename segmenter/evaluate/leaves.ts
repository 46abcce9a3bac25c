import { createHash } from 'node:crypto';
import type { Limits, Warehouse } from '../../dmp/clickhouse/warehouse.ts';
import { Binder } from '../../dmp/segments/binder.ts';
import { planOf } from '../../dmp/segments/nodes/plan-of.ts';
import type { FactsPlan } from '../../dmp/segments/plan.ts';
import type { Leaf, Rule } from '../../dmp/segments/rule.ts';
import type { RuleScope } from '../../dmp/segments/scope.ts';
import { compileSets, isOfOthers, type Sets } from '../../dmp/segments/sets.ts';
import { SHARDS } from '../../dmp/segments/shards.ts';
import { LIMITS } from './limits.ts';

/** Facts that one statement goes through: its time and memory stay within limits however many facts there are. */
const MOST_FACTS = 6_000_000;
/** Of so few a statement for each part would cost more than it saves. */
const FEW_FACTS = 200_000;
/** Statements at once, each on one thread: rows of one thread are in order already, and need not be merged. */
const AT_ONCE = 2;

/**
 * Rows come in the order of the key, so that people are done one after the other and nothing is kept of them: 140 MB for 200 rules, where a
 * table of everybody takes 10 % less time and gigabytes.
 */
export const IN_ORDER = 'insert_deduplicate = 0, optimize_aggregation_in_order = 1, max_threads = 1';

export function isFew(facts: number): boolean {
  return facts < FEW_FACTS;
}

/** Conditions over `shard` that cut the facts into parts of about a size. */
export function rangesOf(facts: number): string[] {
  const parts = isFew(facts) ? 1 : Math.min(SHARDS, Math.max(AT_ONCE, Math.ceil(facts / MOST_FACTS)));
  const bounds = Array.from({ length: parts + 1 }, (_, n) => Math.round((n * SHARDS) / parts));
  return bounds.slice(1).map((to, n) => `shard >= ${bounds[n]} AND shard < ${to}`);
}

/** Told how far the work is, 0 to 1; throws where it is to stop. */
export type Between = (share: number) => Promise<void>;

/** Answers the leaves that are not stored: rows of `segment_leaves`. */
export async function answerLeaves(
  warehouse: Warehouse,
  sets: Sets,
  from: 'facts' | 'segment_facts',
  ranges: readonly string[],
  limits: Limits,
  between: Between,
): Promise<void> {
  const work = ranges.flatMap((range) => sets.statements.map((statement) => statement.sql(from, range)));
  await inTurns(work, async (sql, share) => {
    await between(share);
    const into = `INSERT INTO segment_leaves (leaf, shard, members) SETTINGS ${IN_ORDER} ${sql}`;
    await warehouse.command({ sql: into, params: sets.bound.values }, limits);
  });
}

/** For each leaf that is asked of units the set of those that its statement reads where it holds of the others, else null. */
export async function tellNobodies(warehouse: Warehouse, sets: Sets, limits: Limits): Promise<Map<string, string | null>> {
  const told = new Map<string, string | null>();
  for (const { ofNobody, leaves } of sets.statements) {
    if (ofNobody === null) continue;
    const [row] = await warehouse.query<{ told: number[] }>({ sql: ofNobody.sql, params: sets.bound.values }, limits);
    for (const [n, leaf] of leaves.entries()) told.set(leaf, row?.told[n] === 1 ? ofNobody.read : null);
  }
  return told;
}

async function inTurns<T>(work: readonly T[], take: (one: T, share: number) => Promise<void>): Promise<void> {
  let next = 0;
  let failure: unknown = null;
  const worker = async (): Promise<void> => {
    while (next < work.length && failure === null)
      await take(work[next] as T, next++ / work.length).catch((error: unknown) => {
        failure ??= error;
      });
  };
  await Promise.all(Array.from({ length: AT_ONCE }, worker));
  if (failure !== null) throw failure;
}

/** Leaves of a rule that are asked of everybody whenever their members may be others. */
export function leavesOfOthers(rule: Rule, scope: RuleScope): Leaf[] {
  return compileSets([rule], scope, isOfOthers).stored.map(({ leaf }) => leaf);
}

/** Of what a leaf comes to, whenever: the same of equal leaves. The scope's time is some constant one. */
export function keyOfLeaf(leaf: Leaf, scope: RuleScope): string {
  const bound = new Binder();
  const plan = planOf(leaf, { scope, bound });
  const text =
    'units' in plan
      ? plan.units
      : [
          plan.measures,
          plan.rows,
          plan.others?.sql,
          plan.holds(
            plan.measures.map((_, n) => `m${n}`),
            ['a', 'b', 'c'],
          ),
        ];
  return createHash('sha1')
    .update(JSON.stringify([scope.level, scope.confidence, text, bound.values]))
    .digest('base64');
}

/** Makes the sets of leaves of others, of everybody: rows of `leaf_sets` under a stamp that nothing has yet. */
export async function makeLeafSets(
  warehouse: Warehouse,
  leaves: ReadonlyMap<string, Leaf>,
  scope: RuleScope,
  stamp: number,
  facts: number,
  between: Between,
): Promise<void> {
  const bound = new Binder();
  const places = new Map<string, readonly string[]>();
  for (const leaf of leaves.values()) {
    const plan = planOf(leaf, { scope, bound });
    if ('others' in plan && plan.others !== undefined && !places.has(plan.others.sql))
      places.set(plan.others.sql, await askOthers(warehouse, plan.others, bound));
  }
  const placesOf = ({ others }: FactsPlan): readonly string[] => (others === undefined ? [] : (places.get(others.sql) ?? []));
  const sets = compileSets([...leaves.values()], scope, () => false, bound, { placesOf, isTogether: isFew(facts) });
  const keys = [...leaves.keys()];
  const names = keys.map((_, n) => `l${n}`);
  const own = sets.statements.filter((statement) => statement.leaves.some((name) => names.includes(name)));
  const work = rangesOf(facts).flatMap((range) => own.map((statement) => statement.sql('facts', range)));
  await inTurns(work, async (sql) => {
    await between(0);
    const into = `INSERT INTO leaf_sets (leaf, stamp, shard, members) SETTINGS ${IN_ORDER}
      SELECT transform(leaf, {leafNames:Array(String)}, {leafKeys:Array(String)}, ''), {stamp:UInt64}, shard, members FROM (${sql})
      WHERE leaf IN {leafNames:Array(String)}`;
    await warehouse.command({ sql: into, params: { ...bound.values, leafNames: names, leafKeys: keys, stamp } }, LIMITS);
  });
}

async function askOthers(warehouse: Warehouse, others: NonNullable<FactsPlan['others']>, bound: Binder): Promise<string[]> {
  const sql = `SELECT * FROM (${others.sql}) SETTINGS optimize_aggregation_in_order = 1`;
  const [row] = await warehouse.query<Record<string, string[]>>({ sql, params: bound.values }, LIMITS);
  // As texts, since numbers of 64 bits are more than JavaScript's.
  return others.types.map((type, n) => {
    const values = Object.values(row ?? {})[n] ?? [];
    return `CAST(${bound.texts(values.map(String))}, '${type.replaceAll("'", "\\'")}')`;
  });
}
