import type { Binder } from './binder.ts';
import type { RuleScope } from './scope.ts';

/** What a node needs to be compiled. */
export interface Compiler {
  readonly scope: RuleScope;
  readonly bound: Binder;
}

/**
 * What a leaf of a rule asks of the facts of one unit (a person, a device, a household). Pieces of SQL over `facts`, made of constants
 * and bound parameters only. All leaves of many rules are answered in one pass: rows are grouped by unit once, each measure looks at the
 * rows of its own condition, `holds` is asked of the unit's measures.
 */
export interface FactsPlan {
  /** Aggregates of a unit, each an aggregate function over `facts` with its condition inside: `countIf(kind = 'visit' AND …)`. */
  readonly measures: readonly string[];
  /** Whether the leaf holds of a unit, given the names of the columns with its measures, and what it asks of others. Total: 0 or 1 also for a unit without any row. */
  holds(columns: readonly string[], others: readonly string[]): string;
  /** Rows that any measure looks at; others need not be read for this leaf. Each alternative says of which kind they are: `kind = 'visit'`. */
  readonly rows: string;
  /** Where the leaf holds of a unit that has a row of these, or of one that has none: then rows need not be put together by unit. */
  readonly whether?: { readonly rows: string; readonly there: boolean };
  /**
   * Ages in ms at which a fact's passing of time may change the answer (the ends of sliding windows, now itself is 0). 'midnight': it does
   * when a UTC day ends, and where a fact is of the future. 'always': time may change it at any moment, so it is asked of everybody in
   * each run.
   */
  readonly edges: readonly number[] | 'midnight' | 'always';
  /**
   * What is asked of everybody's facts (quantiles of all people), which any fact may change. `holds` is given their places. Such a leaf
   * holds of no unit without rows.
   */
  readonly others?: Others;
  readonly lookup?: Lookup;
}

/** Leaves that differ in values only are answered together, however many they are: of each unit it is found once which values it has. */
export interface Lookup {
  /** The same of leaves of a scope that differ in values only, whatever is bound. */
  readonly form: string;
  /** It holds of units that have any of these. */
  readonly values: readonly string[];
  /**
   * Selects `value`, `unit`, also values that nobody asks for.
   *
   * @param from the table of facts, or one of the same columns with some of them
   * @param range a condition over it
   * @param values the place of an Array(String)
   */
  units(from: string, range: string, values: string): string;
}

export interface Others {
  /** Aggregates over `rows` of a unit that has any, in the order and of the types of `VALUES`. */
  readonly values: readonly [newest: string, receipts: string, money: string];
  /** A list of expressions that are selected from everybody's values, and their types. */
  readonly places: string;
  readonly types: readonly string[];
}

/** What people are compared by, as columns: `unit_values` keeps them. */
export const VALUES = ['newest', 'receipts', 'money'] as const;

/** A leaf that is answered by a set that is there already: a subquery that selects `unit`. */
export interface UnitsPlan {
  readonly units: string;
  /** The segment whose members they are: who entered or left it is asked again. */
  readonly segment?: string;
  readonly lookup?: Lookup;
  /** As in FactsPlan; 'always' where nothing tells when the set changed. */
  readonly edges: readonly number[] | 'midnight' | 'always';
}

export type LeafPlan = FactsPlan | UnitsPlan;
