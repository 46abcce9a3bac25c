import { createHash } from 'node:crypto';
import { Binder } from '../../dmp/segments/binder.ts';
import { planOf } from '../../dmp/segments/nodes/plan-of.ts';
import type { Compiler, FactsPlan, LeafPlan } from '../../dmp/segments/plan.ts';
import { whoDidNotRefuse } from '../../dmp/segments/rows.ts';
import type { Leaf, Rule } from '../../dmp/segments/rule.ts';
import { leavesOf } from '../../dmp/segments/rule-nodes.ts';
import type { RuleScope } from '../../dmp/segments/scope.ts';
import { isOfOthers } from '../../dmp/segments/sets.ts';
import { percentOf } from '../../dmp/segments/unit.ts';
import { type Edges, edgesOf } from './asked.ts';
import { keyOfPlan } from './leaves.ts';

/** A set that rules are made of. */
export interface Want {
  /** Of what it comes to, whenever: the same of equal leaves. */
  readonly key: string;
  readonly of: Leaf | 'everybody' | 'refused';
  readonly edges: Edges;
  /** Made anew in each evaluation: no fact of a person tells that they are in it or are not any more. */
  readonly isAnew: boolean;
  /** It is found with all that differ in values only. */
  readonly isLookup: boolean;
  /** Kept values of everybody that it is asked of: of an equal `of`, they are no set. */
  readonly base?: Want;
}

/** Of each leaf of a rule, as JSON, its set; those of segments whose members are stored are not among them. */
export function wantsOf(rule: Rule, scope: RuleScope): Map<string, Want> {
  const wants = new Map<string, Want>();
  for (const leaf of leavesOf(rule) as Leaf[]) {
    const want = wantOf(leaf, scope);
    if (want !== null) wants.set(JSON.stringify(leaf), want);
  }
  return wants;
}

function wantOf(of: Want['of'], scope: RuleScope): Want | null {
  const bound = new Binder();
  const plan = planWanted(of, { scope, bound });
  if (plan === null || storedSegment(plan, scope) !== undefined) return null;
  const compiler = { scope, bound };
  const base = baseOf(of, plan, compiler);
  const key = keyOfPlan(plan, compiler);
  return {
    key,
    of,
    edges: edgesOf(plan),
    isAnew: isOfOthers(plan),
    isLookup: plan.lookup !== undefined,
    ...(base === null ? {} : { base }),
  };
}

/** Before more than the rows is bound. */
function baseOf(of: Want['of'], plan: LeafPlan, { scope, bound }: Compiler): Want | null {
  if ('units' in plan || plan.others === undefined) return null;
  const text = JSON.stringify([
    scope.level ?? 'person',
    percentOf(scope.confidence),
    plan.others.values,
    plan.rows,
    bound.values,
  ]);
  const key = `${VALUES_KEY}${createHash('sha1').update(text).digest('base64')}`;
  return { key, of, edges: edgesOf(withoutOthers(plan)), isAnew: false, isLookup: false };
}

function withoutOthers({ others: _, ...plan }: FactsPlan): FactsPlan {
  return plan;
}

const VALUES_KEY = 'values:';

export function isOfValues(key: string): boolean {
  return key.startsWith(VALUES_KEY);
}

/** Everybody, and who refused where anybody can. */
export function commonWants(scope: RuleScope): Want[] {
  return (['everybody', 'refused'] as const).flatMap((of) => wantOf(of, scope) ?? []);
}

/** Null: there is no such set. */
export function planWanted(of: Want['of'], compiler: Compiler): LeafPlan | null {
  if (of === 'everybody') return whether("kind = 'person'");
  if (of !== 'refused') return planOf(of, compiler);
  // Below and above a person it is people who are left out, not units.
  const agreed = (compiler.scope.level ?? 'person') === 'person' ? whoDidNotRefuse(compiler) : '';
  return agreed === '' ? null : whether(`kind = 'person' AND NOT (${agreed})`);
}

const whether = (rows: string): LeafPlan => ({
  measures: [`countIf(${rows})`],
  holds: ([n]) => `${n} > 0`,
  rows,
  whether: { rows, there: true },
  edges: [],
});

/** The segment whose members as they are stored are the leaf's. */
export function storedSegment(plan: LeafPlan, { level = 'person' }: RuleScope): string | undefined {
  return level === 'person' && 'units' in plan ? plan.segment : undefined;
}
