import { isWithin, minuteOfWeek, zoneOffset } from '../../proto/hours.ts';
import type { NoBidReason } from '../../proto/no-bid.ts';
import type { BannerImp, BidRequest, Imp } from '../openrtb/request.ts';
import type { Banner, Creative, LineItem } from './index.ts';
import { capField, isInSegment, type Person } from './person.ts';

/** The filters: each says null to pass, or the one reason why not. Cheap ones first. */

/** What does not depend on the imp. */
export function screenLineItem(
  lineItem: LineItem,
  request: BidRequest,
  person: Person,
  exchange: string,
  now: number,
): NoBidReason | null {
  if (lineItem.exchanges !== null && !lineItem.exchanges.has(exchange)) return 'no_line_item';
  if (now < lineItem.start || now >= lineItem.end) return 'flight';
  const { device } = request;
  if (lineItem.deviceTypes !== null && (device.type === null || !lineItem.deviceTypes.has(device.type)))
    return 'unsupported_device';
  if (lineItem.os !== null && !lineItem.os.has(device.os)) return 'unsupported_device';
  if (lineItem.dayparts !== null) {
    const offset = device.utcoffset ?? zoneOffset(lineItem.timeZone, now);
    if (!isWithin(lineItem.dayparts, minuteOfWeek(now, offset))) return 'daypart';
  }
  return lineItem.needsPerson ? screenPerson(lineItem, person) : null;
}

/**
 * A line item with segments, caps or a holdout needs a person: without one it can neither be targeted nor capped nor measured.
 * Where the store was not read, a profile might exist under another anchor, so the bucket is unknown too.
 */
function screenPerson(lineItem: LineItem, person: Person): NoBidReason | null {
  if (person.state === 'withheld') return 'privacy';
  if (person.state === 'nobody') return 'unmatched_user';
  if (person.state === 'unread') return 'storage';
  const { segments } = person;
  for (const group of lineItem.segments ?? []) if (!isInAny(group, segments)) return 'segment';
  return isInAny(lineItem.excludedSegments, segments) ? 'segment' : null;
}

function isInAny(wanted: readonly number[], segments: readonly number[]): boolean {
  for (const segment of wanted) if (isInSegment(segments, segment)) return true;
  return false;
}

export function screenCurrency(lineItem: LineItem, request: BidRequest, imp: Imp): NoBidReason | null {
  if (!request.cur.includes(lineItem.currency)) return 'currency';
  return imp.bidfloor > 0 && imp.bidfloorcur !== lineItem.currency ? 'currency' : null;
}

/** `badv` and `bcat`. A list of categories in another taxonomy cannot be honoured, so nothing is bid under it. */
export function screenBlocks(lineItem: LineItem, request: BidRequest): NoBidReason | null {
  for (const domain of lineItem.domains) if (isBlocked(domain, request.badv)) return 'blocked';
  if (request.bcat.size === 0) return null;
  if (request.cattax !== 1) return 'blocked';
  for (const category of lineItem.categories)
    if (request.bcat.has(category) || request.bcat.has(parentOf(category))) return 'blocked';
  return null;
}

/** A domain is blocked with all that is under it. */
function isBlocked(domain: string, blocked: ReadonlySet<string>): boolean {
  if (blocked.size === 0) return false;
  for (let at = 0; at >= 0; at = domain.indexOf('.', at + 1)) if (blocked.has(domain.slice(at === 0 ? 0 : at + 1))) return true;
  return false;
}

/** "IAB7-1" → "IAB7". */
function parentOf(category: string): string {
  const dash = category.indexOf('-');
  return dash < 0 ? category : category.slice(0, dash);
}

/**
 * The creative that fits the imp, or why there is none. Of several the auction's `turn` picks, so that all are shown without
 * randomness.
 */
export function fitCreative(lineItem: LineItem, imp: Imp, turn: number): Creative | NoBidReason {
  let reason: NoBidReason = 'no_creative';
  const { creatives } = lineItem;
  for (let i = 0; i < creatives.length; i++) {
    const creative = creatives[(i + turn) % creatives.length] as Creative;
    if (creative.type !== 'banner' || imp.banner === null || !hasSize(imp.banner, creative)) continue;
    const { battr } = imp.banner;
    if (!creative.attributes.some((attribute) => battr.includes(attribute))) return creative;
    reason = 'blocked';
  }
  return reason;
}

function hasSize(banner: BannerImp, creative: Banner): boolean {
  for (const [w, h] of banner.sizes) if (w === creative.w && h === creative.h) return true;
  return false;
}

/** `more`: impressions of the line item that this response already holds. */
export function screenCaps(lineItem: LineItem, person: Person, more: number, now: number): NoBidReason | null {
  for (const { count, windowMs } of lineItem.caps)
    if ((person.caps.get(capField(lineItem.id, windowMs, now)) ?? 0) + more >= count) return 'frequency_cap';
  return null;
}
