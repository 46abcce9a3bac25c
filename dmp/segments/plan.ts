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
  /** Whether the leaf holds of a unit, given the names of the columns with its measures. Total: 0 or 1 also for a unit without any row. */
  holds(columns: readonly string[]): string;
  /** Rows that any measure looks at; others need not be read for this leaf. */
  readonly rows: string;
  /**
   * Ages in ms at which a fact's passing of time may change the answer (the ends of sliding windows, now itself is 0). 'midnight': it does
   * when a UTC day ends, and where a fact is of the future. 'always': time may change it at any moment, so it is asked of everybody in
   * each run.
   */
  readonly edges: readonly number[] | 'midnight' | 'always';
  /** The facts of others may change the answer (quantiles of all people): asked of everybody in each run. */
  readonly ofOthers?: boolean;
}

/** A leaf that is answered by a set that is there already: a subquery that selects `unit`. */
export interface UnitsPlan {
  readonly units: string;
  /** The segment whose members they are: who entered or left it is asked again. */
  readonly segment?: string;
  /** As in FactsPlan; 'always' where nothing tells when the set changed. */
  readonly edges: readonly number[] | 'midnight' | 'always';
}

export type LeafPlan = FactsPlan | UnitsPlan;
