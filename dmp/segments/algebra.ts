import type { Leaf, Rule } from './rule.ts';

/** All people (or devices, or households) there are. */
export const EVERYBODY = 'everybody';

/** A rule as unions, intersections and differences of the sets of its leaves: an expression over the columns of `columnsOf`. */
export function algebraOf(rule: Rule, setOf: (leaf: Leaf) => string): string {
  if ('all' in rule) return intersectionOf(rule.all, setOf);
  if ('any' in rule) return rule.any.map((part) => algebraOf(part, setOf)).reduce((all, one) => `bitmapOr(${all}, ${one})`);
  if ('not' in rule) return `bitmapAndnot(${EVERYBODY}, ${algebraOf(rule.not, setOf)})`;
  return setOf(rule);
}

function intersectionOf(parts: readonly Rule[], setOf: (leaf: Leaf) => string): string {
  const wanted = parts.filter((part) => !('not' in part)).map((part) => algebraOf(part, setOf));
  const unwanted = parts.flatMap((part) => ('not' in part ? [algebraOf(part.not, setOf)] : []));
  const all = wanted.length === 0 ? EVERYBODY : wanted.reduce((rest, one) => `bitmapAnd(${rest}, ${one})`);
  return unwanted.reduce((rest, one) => `bitmapAndnot(${rest}, ${one})`, all);
}

/** One row a shard: a column for each set, empty where nobody is in it. Selects from rows of `leaf`, `shard`, `members`. */
export function columnsOf(names: readonly string[], rows: string): string {
  const columns = names.map((name) => `groupBitmapMergeStateIf(members, leaf = '${name}') AS ${name}`);
  return `SELECT shard, ${columns.join(', ')} FROM (${rows}) GROUP BY shard`;
}
