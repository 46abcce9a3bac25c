import type { NoBidReason } from '../../proto/no-bid.ts';
import type { Imp } from '../openrtb/request.ts';
import type { LineItem } from './line-item.ts';
import { capField, type Person } from './person.ts';

/** Filters that depend on the imp or on what was bid before: each says null to pass, or the one reason why not. */

/** What a line item asks of the place for the ad. */
export function screenSpot({ spot }: LineItem, imp: Imp): NoBidReason | null {
  if (spot === null) return null;
  const { positions, viewability, interstitial, rewarded } = spot;
  if (positions !== null && (imp.position === null || !positions.includes(imp.position))) return 'inventory';
  if (viewability !== null && (imp.viewability === null || imp.viewability < viewability)) return 'inventory';
  if (interstitial !== null && imp.instl !== interstitial) return 'inventory';
  return rewarded === null || imp.rwdd === rewarded ? null : 'inventory';
}

/** `more`: impressions of the line item that this response already holds. */
export function screenCaps({ id, caps }: LineItem, person: Person, more: number, now: number): NoBidReason | null {
  const known = person.caps.size > 0;
  for (const { count, windowMs } of caps) {
    const seen = known ? (person.caps.get(capField(id, windowMs, now)) ?? 0) : 0;
    if (seen + more >= count) return 'frequency_cap';
  }
  return null;
}
