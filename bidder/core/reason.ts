import type { NoBidReason } from '../../proto/no-bid.ts';

/**
 * The reasons of line items, in the order of the way to a bid. Of all line items that could not bid, the one that came furthest tells
 * why. Clauses and counters write a reason as its place here: an index is compiled and read by the same build, so the order may change.
 */
export const REASONS = [
  'no_line_item',
  'flight',
  'deal',
  'incomplete_chain',
  'blocked_node',
  'ads_txt_unavailable',
  'ads_txt_violated',
  'outside_fence',
  'untrusted_location',
  'inventory',
  'outside_area',
  'unsupported_device',
  'daypart',
  'privacy',
  'unmatched_user',
  'storage',
  'segment',
  'store_closed',
  'currency',
  'no_creative',
  'blocked',
  'frequency_cap',
  'below_floor',
  'budget',
  'held_out',
] as const satisfies readonly NoBidReason[];

const DEPTH = new Map<NoBidReason, number>(REASONS.map((reason, depth) => [reason, depth]));

export function numberOf(reason: NoBidReason): number {
  return DEPTH.get(reason) ?? 0;
}

export function furtherOf(a: NoBidReason, b: NoBidReason): NoBidReason {
  return (DEPTH.get(b) ?? -1) > (DEPTH.get(a) ?? -1) ? b : a;
}
