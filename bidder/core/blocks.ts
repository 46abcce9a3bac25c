import type { NoBidReason } from '../../proto/no-bid.ts';
import type { Listed } from '../openrtb/listed.ts';
import type { BidRequest } from '../openrtb/request.ts';
import { CONTENT_1, categoriesIn } from './categories.ts';
import type { LineItem } from './line-item.ts';

/**
 * `badv`, `bapp`, `bcat` and `acat`. A list of categories in a taxonomy in which the ad names none cannot be honoured, so it is not bid
 * under it; and where only some categories are allowed, an ad without any is not.
 */
export function screenBlocks(lineItem: LineItem, request: BidRequest): NoBidReason | null {
  for (const domain of lineItem.domains) if (isBlocked(domain, request.badv)) return 'blocked';
  if (lineItem.bundle !== '' && request.bapp.has(lineItem.bundle)) return 'blocked';
  const { bcat, acat } = request;
  if (bcat.size === 0 && acat.size === 0) return null;
  const categories = categoriesIn(lineItem.categories, request.cattax);
  if (request.cattax !== CONTENT_1 && categories.length === 0) return 'blocked';
  for (const category of categories) if (holds(bcat, category)) return 'blocked';
  if (acat.size === 0) return null;
  for (const category of categories) if (!holds(acat, category)) return 'blocked';
  return categories.length === 0 ? 'blocked' : null;
}

/** A domain is blocked with all that is under it. */
function isBlocked(domain: string, blocked: Pick<Listed, 'size' | 'has'>): boolean {
  if (blocked.size === 0) return false;
  for (let at = 0; at >= 0; at = domain.indexOf('.', at + 1)) if (blocked.has(domain.slice(at === 0 ? 0 : at + 1))) return true;
  return false;
}

/** A category is in a list also by its parent. */
function holds(list: Listed, category: string): boolean {
  return list.has(category) || list.has(parentOf(category));
}

/** "IAB7-1" → "IAB7". */
function parentOf(category: string): string {
  const dash = category.indexOf('-');
  return dash < 0 ? category : category.slice(0, dash);
}

/** Whether every domain of the advertiser is among these, or under one of them. */
export function areAllowed(domains: readonly string[], allowed: readonly string[]): boolean {
  const list = new Set(allowed.map((domain) => domain.toLowerCase()));
  return domains.every((domain) => isBlocked(domain, list));
}
