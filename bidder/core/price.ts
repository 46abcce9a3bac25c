import type { Micros } from '../../proto/money.ts';
import type { BidRule } from '../../proto/snapshot.ts';

/**
 * Micros of CPM: maxCpm × max(floorShare, 2^(−metres / halvesEvery)). Where the way to the store is unknown (null) the rule
 * gives its least.
 */
export function priceOf(rule: BidRule, metres: number | null): Micros {
  const { distance } = rule;
  if (distance === null) return rule.maxCpm;
  const share = metres === null ? distance.floorShare : Math.max(distance.floorShare, 2 ** (-metres / distance.halvesEvery));
  return Math.round(rule.maxCpm * share);
}
