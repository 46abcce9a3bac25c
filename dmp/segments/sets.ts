import type { Level } from '../identity/kinds.ts';
import { Binder } from './binder.ts';
import { planOf } from './nodes/plan-of.ts';
import type { Compiler, FactsPlan, LeafPlan } from './plan.ts';
import { whoDidNotRefuse } from './rows.ts';
import type { Leaf, Rule } from './rule.ts';
import { othersOf, type RowRange } from './scan.ts';
import type { RuleScope } from './scope.ts';
import { thereIs, unitOf } from './unit.ts';

/**
 * Many rules as algebra of sets: of each distinct leaf the set of units of which it holds is made once, by shard, and rules are unions,
 * intersections and differences of them. Leaves that look at the same kinds of facts share a statement, which reads no other facts; a leaf
 * that asks only whether there is a row needs no rows put together by unit.
 */
export interface Sets {
  /** Statements that select `leaf`, `shard`, `members`: the sets of units, empty ones left out. */
  readonly statements: readonly LeafStatement[];
  /** For each rule its members, an expression over the columns of `columns`. */
  readonly rules: readonly string[];
  /** Names of sets that the rules are made of. */
  readonly leaves: readonly string[];
  readonly stored: readonly StoredLeaf[];
  readonly bound: Binder;
  readonly compiler: Compiler;
  readonly level: Level;
  /** Who is in a unit, over the columns of `facts`. */
  readonly unit: string;
}

export interface LeafStatement {
  readonly leaves: readonly string[];
  /** @param from the table of facts, or one of the same columns with some of them */
  sql(from: string, range: RowRange): string;
  /** Where the leaves are asked of units: selects `told`, for each whether it holds of a unit that the statement does not read. */
  readonly ofNobody: { readonly sql: string; readonly read: string } | null;
}

/** A leaf whose set is there already. */
export interface StoredLeaf {
  readonly name: string;
  readonly leaf: Leaf;
  readonly plan: LeafPlan;
}

export interface SetsOptions {
  /** Where what a leaf asks of others is; absent: it is asked where it stands. */
  readonly placesOf?: (plan: FactsPlan) => readonly string[];
  /** Leaves of all kinds of facts share a statement: of few facts, statements cost more than rows. */
  readonly isTogether?: boolean;
}

/** All people (or devices, or households) there are: facts of kind `person`. */
const EVERYBODY = 'everybody';
const REFUSED = 'refused';
/** The text of a statement, and the columns of a unit, grow with its leaves; the time to understand it with their square. */
const MOST_LEAVES = 100;
/** With fewer, rows that no leaf looks at are left out. */
const FEW_LEAVES = 20;

/** A leaf that is asked of everybody whenever its members may be others: no fact of theirs tells. */
export function isOfOthers(plan: LeafPlan): boolean {
  return plan.edges === 'always' || ('others' in plan && plan.others !== undefined);
}

/**
 * @param isStored leaves whose set somebody else provides, under the name of the leaf
 */
export function compileSets(
  rules: readonly Rule[],
  scope: RuleScope,
  isStored: (plan: LeafPlan) => boolean,
  bound = new Binder(),
  { placesOf = othersOf, isTogether = false }: SetsOptions = {},
): Sets {
  const compiler: Compiler = { scope, bound };
  const level = scope.level ?? 'person';
  const unit = unitOf(compiler);
  const there = thereIs(compiler);
  const names = new Map<string, string>();
  const stored: StoredLeaf[] = [];
  const asked: FactsLeaf[] = [];
  const among: RowsLeaf[] = [{ name: EVERYBODY, rows: "kind = 'person'" }];
  const expressions = new Map<string, string>();

  const leafOf = (leaf: Leaf): string => {
    const key = JSON.stringify(leaf);
    const known = names.get(key);
    if (known !== undefined) return expressions.get(known) as string;
    const plan = planOf(leaf, compiler);
    const name = `l${names.size}`;
    names.set(key, name);
    const add = (expression: string): string => {
      expressions.set(name, expression);
      return expression;
    };
    if (isStored(plan)) {
      stored.push({ name, leaf, plan });
      return add(`bitmapAnd(${EVERYBODY}, ${name})`);
    }
    if ('units' in plan) {
      among.push({ name, rows: `kind = 'person' AND ${unit} IN (${plan.units})` });
      return add(name);
    }
    if (plan.whether !== undefined) {
      among.push({ name, rows: plan.whether.rows });
      return add(plan.whether.there ? name : `bitmapAndnot(${EVERYBODY}, ${name})`);
    }
    asked.push({ name, plan });
    // What holds of units without any row that the statement reads is `of_<name>`: everybody but those read, or nobody.
    return add(`bitmapOr(${name}, ${ofNobody(name)})`);
  };
  const setOf = (rule: Rule): string => {
    if ('all' in rule) return intersectionOf(rule.all);
    if ('any' in rule) return rule.any.map(setOf).reduce((all, one) => `bitmapOr(${all}, ${one})`);
    if ('not' in rule) return `bitmapAndnot(${EVERYBODY}, ${setOf(rule.not)})`;
    return leafOf(rule);
  };
  const intersectionOf = (parts: readonly Rule[]): string => {
    const wanted = parts.filter((part) => !('not' in part)).map(setOf);
    const unwanted = parts.flatMap((part) => ('not' in part ? [setOf(part.not)] : []));
    const all = wanted.length === 0 ? EVERYBODY : wanted.reduce((rest, one) => `bitmapAnd(${rest}, ${one})`);
    return unwanted.reduce((rest, one) => `bitmapAndnot(${rest}, ${one})`, all);
  };
  const agreed = whoDidNotRefuse(compiler);
  if (agreed !== '' && level === 'person') among.push({ name: REFUSED, rows: `kind = 'person' AND NOT (${agreed})` });
  const rulesOf = rules.map(setOf).map((set) => (agreed === '' || level !== 'person' ? set : `bitmapAndnot(${set}, ${REFUSED})`));

  const statements = [
    ...chunksOf(groupsOf(among, ({ rows }) => rows, isTogether)).map(([kinds, leaves]) =>
      rowsStatement(unit, there, kinds, leaves),
    ),
    ...chunksOf(groupsOf(asked, ({ plan }) => plan.rows, isTogether)).map(([kinds, leaves], n) =>
      unitsStatement(unit, there, kinds, leaves, `read${n}`, placesOf),
    ),
  ];
  const leaves = [
    ...among.map(({ name }) => name),
    ...asked.map(({ name }) => name),
    ...statements.flatMap(({ ofNobody: nobody }) => (nobody === null ? [] : [nobody.read])),
    ...stored.map(({ name }) => name),
  ];
  return { statements, rules: rulesOf, leaves, stored, bound, compiler, level, unit };
}

/** Stands for a set that is known when the engine has said what holds of nobody's rows. */
function ofNobody(name: string): string {
  return `of_nobody(${name})`;
}

/** The rules with what was said put in: leaves by whether they hold of units that their statement does not read. */
export function withNobodies(rules: readonly string[], told: ReadonlyMap<string, string | null>): string[] {
  return rules.map((rule) =>
    rule.replace(/bitmapOr\((l\d+), of_nobody\(\1\)\)/g, (_, name: string) => {
      const read = told.get(name) ?? null;
      return read === null ? name : `bitmapOr(${name}, bitmapAndnot(${EVERYBODY}, ${read}))`;
    }),
  );
}

/** One row a shard: a column for each set, empty where nobody is in it. Selects from `leaves`, rows of `leaf`, `shard`, `members`. */
export function columnsOf(sets: Sets, leaves: string): string {
  const columns = sets.leaves.map((name) => `groupBitmapMergeStateIf(members, leaf = '${name}') AS ${name}`);
  return `SELECT shard, ${columns.join(', ')} FROM (${leaves}) GROUP BY shard`;
}

interface FactsLeaf {
  readonly name: string;
  readonly plan: FactsPlan;
}

interface RowsLeaf {
  readonly name: string;
  readonly rows: string;
}

/** Leaves by the kinds of facts that they look at, as their conditions say (plan.ts). */
function groupsOf<T>(leaves: readonly T[], rowsOf: (leaf: T) => string, isTogether: boolean): Map<string, T[]> {
  const groups = new Map<string, T[]>();
  if (isTogether) return leaves.length === 0 ? groups : groups.set('', [...leaves]);
  for (const leaf of leaves) {
    const kinds = [...new Set([...rowsOf(leaf).matchAll(/\bkind = '(\w+)'/g)].map(([, kind]) => kind as string))].sort();
    const key = kinds.map((kind) => `'${kind}'`).join(', ');
    const group = groups.get(key);
    if (group === undefined) groups.set(key, [leaf]);
    else group.push(leaf);
  }
  return groups;
}

function chunksOf<T>(groups: ReadonlyMap<string, readonly T[]>): [string, T[]][] {
  return [...groups].flatMap(([kinds, leaves]) =>
    Array.from({ length: Math.ceil(leaves.length / MOST_LEAVES) }, (_, n): [string, T[]] => [
      kinds,
      leaves.slice(n * MOST_LEAVES, (n + 1) * MOST_LEAVES),
    ]),
  );
}

function whereOf(there: string, kinds: string, range: RowRange, rows: readonly string[]): string {
  const distinct = [...new Set(rows)];
  const conditions = [
    kinds === '' ? '' : `kind IN (${kinds})`,
    range,
    there,
    distinct.length > FEW_LEAVES ? '' : `(${distinct.map((row) => `(${row})`).join(' OR ')})`,
  ].filter((condition) => condition !== '');
  return conditions.length === 0 ? '1' : conditions.join(' AND ');
}

const selected = (sets: readonly string[], names: readonly string[], from: string): string =>
  `SELECT leaf, shard, members FROM (SELECT shard, [${sets.join(', ')}] AS sets FROM ${from} GROUP BY shard)
    ARRAY JOIN sets AS members, [${names.map((name) => `'${name}'`).join(', ')}] AS leaf WHERE bitmapCardinality(members) > 0`;

function rowsStatement(unit: string, there: string, kinds: string, leaves: readonly RowsLeaf[]): LeafStatement {
  const rows = leaves.map((leaf) => leaf.rows);
  const sets = rows.map((condition) => `groupBitmapStateIf(${unit}, ${condition})`);
  const names = leaves.map(({ name }) => name);
  return {
    leaves: names,
    sql: (from, range) => selected(sets, names, `${from} WHERE ${whereOf(there, kinds, range, rows)}`),
    ofNobody: null,
  };
}

function unitsStatement(
  unit: string,
  there: string,
  kinds: string,
  leaves: readonly FactsLeaf[],
  read: string,
  placesOf: (plan: FactsPlan) => readonly string[],
): LeafStatement {
  const measures: string[] = [];
  const measureOf = (measure: string): string => {
    const known = measures.indexOf(measure);
    return `m${known === -1 ? measures.push(measure) - 1 : known}`;
  };
  const holds = leaves.map(({ plan }) => plan.holds(plan.measures.map(measureOf), placesOf(plan)));
  const names = leaves.map(({ name }) => name);
  // Leaves stand beside the measures that they are made of, see scan.ts.
  const columns = [
    ...measures.map((measure, n) => `${measure} AS m${n}`),
    ...holds.map((hold, n) => `${hold} AS ${names[n]}`),
  ].join(', ');
  const rows = leaves.map(({ plan }) => plan.rows);
  return {
    leaves: names,
    sql: (from, range) => {
      const units = `SELECT shard, ${unit} AS unit, ${columns} FROM ${from} WHERE ${whereOf(there, kinds, range, rows)} GROUP BY shard, unit`;
      const sets = ['groupBitmapState(unit)', ...names.map((name) => `groupBitmapStateIf(unit, ${name})`)];
      return selected(sets, [read, ...names], `(${units})`);
    },
    ofNobody: { sql: `SELECT [${names.join(', ')}] AS told FROM (SELECT ${columns} FROM facts WHERE 0)`, read },
  };
}
