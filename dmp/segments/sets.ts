import { EVERYBODY } from './algebra.ts';
import type { Compiler, FactsPlan, LeafPlan } from './plan.ts';
import type { RowRange } from './scan.ts';
import { thereIs, unitOf } from './unit.ts';

/**
 * Of each distinct leaf of many rules the set of units of which it holds is made once. Leaves that look at the same kinds of facts share a
 * statement, which reads no other facts; a leaf that asks only whether there is a row needs no rows put together by unit.
 */
export interface LeafStatement {
  /** Of the leaves. */
  readonly names: readonly string[];
  /** Of the facts that it looks at; none: of all kinds. */
  readonly kinds: readonly string[];
  /**
   * Selects `leaf`, `shard`, `members`, empty sets left out.
   *
   * @param from the table of facts, or one of the same columns with some of them
   * @param opposite leaves of which the set is made of those who have rows and of whom it does not hold: it holds of all others
   */
  sql(from: string, range: RowRange, opposite: ReadonlySet<string>): string;
  /** Where the leaves are asked of units: selects `told`, for each whether it holds of a unit without rows. */
  readonly ofNobody: string | null;
}

/** What is asked for a set: which rows its units have, or what must hold of a unit's facts. */
export type SetPlan = { readonly rows: string } | { readonly plan: FactsPlan };

export interface SetsOptions {
  /** Where what a leaf asks of others is. */
  readonly placesOf?: (plan: FactsPlan) => readonly string[];
  /** Leaves of all kinds of facts share a statement: of few facts, statements cost more than rows. */
  readonly isTogether?: boolean;
}

/** Rows of sets are of 2^20 units: in so many of them that lie near each other a large set takes a bit for each. */
const STRETCH_BITS = 20;
/** The text of a statement, and the columns of a unit, grow with its leaves; the time to understand it with their square. */
const MOST_LEAVES = 100;
/** With fewer, rows that no leaf looks at are left out. */
const FEW_LEAVES = 20;

/** In which row of a set a unit is. */
export function stretchOf(unit: string): string {
  return `toUInt8(bitShiftRight(${unit}, ${STRETCH_BITS}))`;
}

/** A leaf that is asked of everybody whenever its members may be others: no fact of theirs tells. */
export function isOfOthers(plan: LeafPlan): boolean {
  return 'units' in plan || plan.edges === 'always' || plan.others !== undefined;
}

/** How a leaf is asked of facts, and whether the set is that of all others. */
export function setPlanOf(plan: FactsPlan): { readonly asked: SetPlan; readonly isOpposite: boolean } {
  if (plan.whether === undefined) return { asked: { plan }, isOpposite: false };
  return { asked: { rows: plan.whether.rows }, isOpposite: !plan.whether.there };
}

/** The set as an expression over columns. */
export function setNamed(name: string, isOpposite: boolean): string {
  return isOpposite ? `bitmapAndnot(${EVERYBODY}, ${name})` : name;
}

export function compileSets(
  sets: ReadonlyMap<string, SetPlan>,
  compiler: Compiler,
  { placesOf = () => [], isTogether = false }: SetsOptions = {},
): LeafStatement[] {
  const unit = unitOf(compiler);
  const there = thereIs(compiler);
  const ofRows: RowsLeaf[] = [];
  const ofUnits: FactsLeaf[] = [];
  for (const [name, asked] of sets)
    if ('rows' in asked) ofRows.push({ name, rows: asked.rows });
    else ofUnits.push({ name, rows: asked.plan.rows, plan: asked.plan });
  return [
    ...chunksOf(ofRows, isTogether).map(([kinds, leaves]) => rowsStatement(unit, there, kinds, leaves)),
    ...chunksOf(ofUnits, isTogether).map(([kinds, leaves]) => unitsStatement(unit, there, kinds, leaves, placesOf)),
  ];
}

interface RowsLeaf {
  readonly name: string;
  readonly rows: string;
}

interface FactsLeaf extends RowsLeaf {
  readonly plan: FactsPlan;
}

/** The kinds of facts that a leaf looks at, as its conditions say (plan.ts); none: all of them. */
export function kindsOf(rows: string): string[] {
  return [...new Set([...rows.matchAll(/\bkind = '(\w+)'/g)].map(([, kind]) => kind as string))].sort();
}

/** Leaves that share a statement. */
function chunksOf<T extends RowsLeaf>(leaves: readonly T[], isTogether: boolean): (readonly [kinds: string[], leaves: T[]])[] {
  const groups = new Map<string, [string[], T[]]>();
  for (const leaf of leaves) {
    const kinds = isTogether ? [] : kindsOf(leaf.rows);
    const group = groups.get(kinds.join(' '));
    if (group === undefined) groups.set(kinds.join(' '), [kinds, [leaf]]);
    else group[1].push(leaf);
  }
  return [...groups.values()].flatMap(([kinds, all]) =>
    Array.from(
      { length: Math.ceil(all.length / MOST_LEAVES) },
      (_, n) => [kinds, all.slice(n * MOST_LEAVES, (n + 1) * MOST_LEAVES)] as const,
    ),
  );
}

/** Where all rows are of one kind, no condition need say so: to understand them is much of what a statement takes. */
function withinKind(condition: string, kinds: readonly string[]): string {
  return kinds.length === 1 ? condition.replaceAll(`kind = '${kinds[0]}' AND `, '') : condition;
}

function whereOf(there: string, kinds: readonly string[], range: RowRange, rows: readonly string[]): string {
  const distinct = [...new Set(rows)];
  const conditions = [
    kinds.length === 0 ? '' : `kind IN (${kinds.map((kind) => `'${kind}'`).join(', ')})`,
    range,
    there,
    distinct.length > FEW_LEAVES ? '' : `(${distinct.map((row) => `(${row})`).join(' OR ')})`,
  ].filter((condition) => condition !== '');
  return conditions.length === 0 ? '1' : conditions.join(' AND ');
}

/** Selects `leaf`, `shard`, `members` of sets that are aggregates over `from`. */
export const selected = (sets: readonly string[], names: readonly string[], unit: string, from: string): string =>
  `SELECT leaf, shard, members FROM (SELECT ${stretchOf(unit)} AS shard, [${sets.join(', ')}] AS sets FROM ${from} GROUP BY shard)
    ARRAY JOIN sets AS members, [${names.map((name) => `'${name}'`).join(', ')}] AS leaf WHERE bitmapCardinality(members) > 0`;

function rowsStatement(unit: string, there: string, kinds: readonly string[], leaves: readonly RowsLeaf[]): LeafStatement {
  const rows = leaves.map((leaf) => withinKind(leaf.rows, kinds));
  const names = leaves.map(({ name }) => name);
  return {
    names,
    kinds,
    // In a query around the one that reads: `shard` means another column there.
    sql: (from, range) => {
      const columns = rows.map((condition, n) => `${condition} AS c${n}`).join(', ');
      const read = `(SELECT ${unit} AS unit, ${columns} FROM ${from} WHERE ${whereOf(there, kinds, range, rows)})`;
      return selected(
        rows.map((_, n) => `groupBitmapStateIf(unit, c${n})`),
        names,
        'unit',
        read,
      );
    },
    ofNobody: null,
  };
}

function unitsStatement(
  unit: string,
  there: string,
  kinds: readonly string[],
  leaves: readonly FactsLeaf[],
  placesOf: (plan: FactsPlan) => readonly string[],
): LeafStatement {
  const measures: string[] = [];
  const measureOf = (measure: string): string => {
    const known = measures.indexOf(measure);
    return `m${known === -1 ? measures.push(measure) - 1 : known}`;
  };
  const measuresOf = ({ plan }: FactsLeaf): string[] => plan.measures.map((measure) => measureOf(withinKind(measure, kinds)));
  const holds = leaves.map((leaf) => leaf.plan.holds(measuresOf(leaf), placesOf(leaf.plan)));
  const names = leaves.map(({ name }) => name);
  // Leaves stand beside the measures that they are made of, see scan.ts.
  const columns = [
    ...measures.map((measure, n) => `${measure} AS m${n}`),
    ...holds.map((hold, n) => `${hold} AS ${names[n]}`),
  ].join(', ');
  const rows = leaves.map((leaf) => withinKind(leaf.rows, kinds));
  return {
    names,
    kinds,
    sql: (from, range, opposite) => {
      const units = `SELECT shard AS s, ${unit} AS unit, ${columns} FROM ${from} WHERE ${whereOf(there, kinds, range, rows)} GROUP BY s, unit`;
      const sets = names.map((name) => `groupBitmapStateIf(unit, ${opposite.has(name) ? `NOT ${name}` : name})`);
      return selected(sets, names, 'unit', `(${units})`);
    },
    ofNobody: `SELECT [${names.join(', ')}] AS told FROM (SELECT ${columns} FROM facts WHERE 0)`,
  };
}
