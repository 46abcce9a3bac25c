import type { LiveStore } from '../../proto/snapshot.ts';
import type { SupplyLists } from '../supply.ts';
import type { Sections } from './layout.ts';
import type { Meta } from './meta.ts';
import { REASONS } from './reason.ts';

/** What lies in an index, and what is counted of it: all that a match needs of the index that it belongs to. */
export interface Stock {
  readonly meta: Meta;
  readonly sections: Sections;
  readonly supply: SupplyLists;
  storeAt(store: number): LiveStore;
  /** By position: how often a line item that was looked at had each of `REASONS`, and last how often it was bid. */
  readonly counts: Uint32Array;
  /** By row of a dimension: requests that were of it. Line items that are not in it were passed over without a look. */
  readonly rowCounts: Uint32Array;
  readonly stages: Stages;
}

/** How many line items came to each stage of all decisions. */
export interface Stages {
  decisions: number;
  /** Line items that a place, a term or a word of bits led to; those whose targeting held; those that were tried on an imp. */
  reached: number;
  passed: number;
  tried: number;
  /** Decisions in which some line items were not looked at, because too many passed. */
  truncated: number;
}

/** Counts of one line item: its reasons and its bids. */
export const COUNTS = REASONS.length + 1;
export const BIDS = REASONS.length;

/** Counts a reason or a bid of a line item, by its number. */
export function countAt({ counts }: Pick<Stock, 'counts'>, position: number, number: number): void {
  const at = position * COUNTS + number;
  counts[at] = (counts[at] as number) + 1;
}
