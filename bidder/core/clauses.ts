import type { Targeting } from '../../proto/snapshot.ts';

/**
 * Targeting beyond the rows of bits: a line item holds where each of its clauses does. In the buffer a clause is
 * [kind, reason and part, number of literals, literals…]; a literal is a term, doubled, plus 1 where its absence is meant. A term is true
 * of a request or not: "is in segment 7", "entered segment 7 at most 48 hours ago", "its domain is in list x".
 */

/** Holds where any literal does; where `NONE_OF` is set, where no literal does. */
export const NONE_OF = 1;
/** About the person: asked only where the person is known. */
export const PERSONAL = 2;
/** Of a literal: the term is asked only when a line item gets there, see `late.ts`. */
export const LATE = 0x8000_0000;
export const HEAD_WORDS = 2;

/** What of the targeting a clause is, by its name there. The order is the layout's. */
export const PARTS = [
  'exchanges',
  'inventory',
  'lists',
  'content',
  'geo',
  'deviceTypes',
  'os',
  'osVersions',
  'makes',
  'models',
  'browsers',
  'carriers',
  'connectionTypes',
  'languages',
  'dayparts',
  'supply',
  'segments',
  'excludedSegments',
  'segmentRule',
  'userData',
  'eids',
  'deals',
] as const satisfies readonly (keyof Targeting)[];
export type Part = (typeof PARTS)[number];

export function partNumber(part: Part): number {
  return PARTS.indexOf(part);
}

/** Rows that every index has; those of `Meta.dimensions` and `Meta.shapes` follow. */
export const ROWS = {
  /** Looked at on every request: no clause or place leads to them. */
  broad: 0,
  /** Reached by postings of a term. */
  posted: 1,
  childSafe: 2,
} as const;

export const FLAGS = {
  /** Cannot be decided without knowing who is asked for; not even with a count of their impressions. */
  needsPerson: 1,
  needsProfile: 2,
  /** Asks for what the request says of the person. */
  usesTold: 4,
  limited: 8,
  /** Bound to places. */
  fenced: 16,
  openStoresOnly: 32,
} as const;
