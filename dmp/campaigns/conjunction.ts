import type { SegmentRule } from './segment-rule.ts';

/** A membership, or its absence, entered `withinHours` ago at most (null: at any time). */
export interface Literal {
  readonly segment: string;
  readonly not: boolean;
  readonly withinHours: number | null;
}

/** Literals of which one must hold. */
export type Clause = readonly Literal[];

/** Every clause must hold; or the pointer of the part that grows too large. */
export type Conjunction = { readonly clauses: readonly Clause[] } | { readonly tooLarge: string };

/** What a bidder is given to check for each person: more than anybody writes by hand, little enough for the hot path. */
export const MOST_CLAUSES = 64;
export const MOST_LITERALS = 2_000;
/** Clauses on the way, before others make them needless. */
const MOST_ON_THE_WAY = 256;

/** By segment and sign: of the same two the wider one holds where either does. */
type Wide = ReadonlyMap<string, Literal>;
type Normal = readonly Wide[] | string;

/**
 * The rule in conjunctive normal form: negations moved to the leaves, alternatives multiplied out, what follows from another clause left
 * out. Pure. No clauses: everybody passes.
 */
export function conjunctionOf(rule: SegmentRule, pointer = ''): Conjunction {
  const normal = normalOf(rule, false, pointer);
  if (typeof normal === 'string') return { tooLarge: normal };
  const literals = normal.reduce((sum, clause) => sum + clause.size, 0);
  if (normal.length > MOST_CLAUSES || literals > MOST_LITERALS) return { tooLarge: pointer };
  return { clauses: normal.map((clause) => [...clause.values()]) };
}

function normalOf(rule: SegmentRule, negated: boolean, pointer: string): Normal {
  if ('segment' in rule) {
    const literal = { segment: rule.segment, not: negated, withinHours: rule.withinHours ?? null };
    return [new Map([[keyOf(literal), literal]])];
  }
  if ('not' in rule) return normalOf(rule.not, !negated, `${pointer}/not`);
  const [name, group] = 'all' in rule ? (['all', rule.all] as const) : (['any', rule.any] as const);
  const combine = (name === 'all') !== negated ? both : either;
  let result: Normal | null = null;
  for (const [index, part] of group.entries()) {
    const normal = normalOf(part, negated, `${pointer}/${name}/${index}`);
    if (typeof normal === 'string') return normal;
    result = result === null ? normal : combine(result, normal);
    if (result === null) return pointer;
  }
  return result ?? [];
}

function both(left: readonly Wide[], right: readonly Wide[]): readonly Wide[] | null {
  const kept: Wide[] = [...left];
  for (const clause of right) if (!keep(kept, clause)) return null;
  return kept;
}

function either(left: readonly Wide[], right: readonly Wide[]): readonly Wide[] | null {
  const kept: Wide[] = [];
  for (const a of left)
    for (const b of right) {
      const clause = joined(a, b);
      if (clause !== null && !keep(kept, clause)) return null;
    }
  return kept;
}

/** Adds a clause unless another says as much, and takes out those that it makes needless; false where there are too many. */
function keep(kept: Wide[], clause: Wide): boolean {
  if (kept.some((other) => follows(clause, other))) return true;
  let length = 0;
  for (const other of kept) if (!follows(other, clause)) kept[length++] = other;
  kept.length = length;
  kept.push(clause);
  return kept.length <= MOST_ON_THE_WAY;
}

/** Null where the clause holds for everybody. */
function joined(a: Wide, b: Wide): Wide | null {
  const clause = new Map(a);
  for (const [key, literal] of b) {
    const known = clause.get(key);
    clause.set(key, known === undefined || isWithin(known, literal) ? literal : known);
  }
  for (const literal of clause.values()) {
    const opposite = literal.not ? undefined : clause.get(keyOf({ ...literal, not: true }));
    if (opposite !== undefined && hoursOf(opposite) <= hoursOf(literal)) return null;
  }
  return clause;
}

/** Whether a clause holds wherever the other does. */
function follows(clause: Wide, from: Wide): boolean {
  if (from.size > clause.size) return false;
  for (const [key, literal] of from) {
    const wider = clause.get(key);
    if (wider === undefined || !isWithin(literal, wider)) return false;
  }
  return true;
}

/** Whether a literal implies another of the same segment and sign. */
function isWithin(literal: Literal, wider: Literal): boolean {
  return literal.not ? hoursOf(literal) >= hoursOf(wider) : hoursOf(literal) <= hoursOf(wider);
}

function hoursOf({ withinHours }: Literal): number {
  return withinHours ?? Number.POSITIVE_INFINITY;
}

function keyOf({ segment, not }: Literal): string {
  return `${not ? '-' : '+'}${segment}`;
}
