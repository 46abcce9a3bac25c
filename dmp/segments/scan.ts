import type { Level } from '../identity/kinds.ts';
import { Binder } from './binder.ts';
import { planOf } from './nodes/plan-of.ts';
import { type Compiler, type FactsPlan, type LeafPlan, VALUES } from './plan.ts';
import type { Leaf, Rule } from './rule.ts';
import type { RuleScope } from './scope.ts';
import { thereIs, unitOf } from './unit.ts';

/** Which facts a pass reads: conditions over `facts`, empty for all. */
export type RowRange = string;

/** Rules of one scope, compiled together: one pass over the facts answers them all. Equal leaves are asked once. */
export interface Scan {
  /** A subquery of one row a unit: `shard`, `unit` and a column for each distinct leaf over facts. */
  units(range: RowRange): string;
  /** For each rule whether it holds of a unit, over the columns of `units`. */
  readonly holds: readonly string[];
  /** The same for any node of a rule. */
  holdsOf(rule: Rule): string;
  /** Plans of the distinct leaves. */
  readonly plans: readonly LeafPlan[];
  readonly compiler: Compiler;
  readonly bound: Binder;
  readonly level: Level;
  /** Who is in a unit, over the columns of `facts`. */
  readonly unit: string;
}

export function compileScan(rules: readonly Rule[], scope: RuleScope, bound = new Binder()): Scan {
  const compiler: Compiler = { scope, bound };
  const level = scope.level ?? 'person';
  const unit = unitOf(compiler);
  const leaves = new Map<string, { readonly plan: LeafPlan; readonly holds: string }>();
  const measures: string[] = [];
  const columns: string[] = [];
  const rows = new Set<string>();

  const measureOf = (measure: string): string => {
    const known = measures.indexOf(measure);
    return `m${known === -1 ? measures.push(measure) - 1 : known}`;
  };
  const factsLeaf = (plan: FactsPlan): string => {
    rows.add(plan.rows);
    return `l${columns.push(plan.holds(plan.measures.map(measureOf), othersOf(plan, compiler))) - 1}`;
  };
  const leafOf = (leaf: Leaf): string => {
    const key = JSON.stringify(leaf);
    const known = leaves.get(key);
    if (known !== undefined) return known.holds;
    const plan = planOf(leaf, compiler);
    const holds = 'units' in plan ? `unit IN (${plan.units})` : factsLeaf(plan);
    leaves.set(key, { plan, holds });
    return holds;
  };
  const holdsOf = (rule: Rule): string => {
    if ('all' in rule) return `(${rule.all.map(holdsOf).join(' AND ')})`;
    if ('any' in rule) return `(${rule.any.map(holdsOf).join(' OR ')})`;
    if ('not' in rule) return `NOT ${holdsOf(rule.not)}`;
    return leafOf(rule);
  };
  const holds = rules.map(holdsOf);

  const units = (range: RowRange): string => {
    const read = [
      range,
      thereIs(compiler),
      rows.size > MANY_LEAVES ? '' : `(${["kind = 'person'", ...[...rows].map((condition) => `(${condition})`)].join(' OR ')})`,
    ].filter((condition) => condition !== '');
    // A unit is in one shard: grouped by both, rows come in the order of the table's key. Leaves stand beside the measures that they are made
    // of: in a query around this one, each mention of a measure costs the analyzer time that grows with all of them (200 leaves 0.7 s, here 0.2 s).
    const selected = [
      ...['shard', `${unit} AS unit`],
      ...measures.map((measure, n) => `${measure} AS m${n}`),
      ...columns.map((column, n) => `${column} AS l${n}`),
    ];
    return `SELECT ${selected.join(', ')} FROM facts${read.length === 0 ? '' : ` WHERE ${read.join(' AND ')}`} GROUP BY shard, unit`;
  };
  return { units, holds, holdsOf, plans: [...leaves.values()].map(({ plan }) => plan), compiler, bound, level, unit };
}

/** What a leaf asks of others, asked where it stands. */
export function othersOf({ others, rows }: FactsPlan, compiler: Compiler): string[] {
  if (others === undefined) return [];
  const where = [rows, thereIs(compiler), compiler.scope.sampled ?? ''].filter((part) => part !== '').join(' AND ');
  const values = `SELECT ${others.values.map((value, n) => `${value} AS ${VALUES[n]}`).join(', ')} FROM facts WHERE ${where} GROUP BY shard, ${unitOf(compiler)}`;
  const places = `SELECT ${others.places} FROM (${values})`;
  return others.types.map((_, n) => `(SELECT tuple(*) FROM (${places})).${n + 1}`);
}

/** With more, nearly every row is one that some leaf looks at. */
const MANY_LEAVES = 20;
