import type { NoBidReason } from '../../proto/no-bid.ts';

/** How far on the way to a bid each reason lies. Of all line items that could not bid, the one that came furthest tells why. */
const WAY: readonly NoBidReason[] = [
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
];

const DEPTH = new Map(WAY.map((reason, depth) => [reason, depth]));

export function furtherOf(a: NoBidReason, b: NoBidReason): NoBidReason {
  return (DEPTH.get(b) ?? -1) > (DEPTH.get(a) ?? -1) ? b : a;
}
