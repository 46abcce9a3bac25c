import { isWithin, minuteOfWeek, zoneOffset } from '../../proto/hours.ts';
import type { NoBidReason } from '../../proto/no-bid.ts';
import { type SupplyLists, screenSupply } from '../supply.ts';
import type { Question } from './decide.ts';
import type { LineItem } from './index.ts';
import { capField, type Person, segmentsOf } from './person.ts';

/** The filters: each says null to pass, or the one reason why not. Cheap ones first. */

/** What does not depend on the imp. */
export function screenLineItem(lineItem: LineItem, question: Question, lists: SupplyLists): NoBidReason | null {
  const { request, person, exchange, childOnly, now } = question;
  if (lineItem.exchanges !== null && !lineItem.exchanges.has(exchange.id)) return 'no_line_item';
  if (now < lineItem.start || now >= lineItem.end) return 'flight';
  // A child sees only what is made for children.
  if (childOnly && !lineItem.childSafe) return 'privacy';
  const { device } = request;
  if (lineItem.deviceTypes !== null && (device.type === null || !lineItem.deviceTypes.has(device.type)))
    return 'unsupported_device';
  if (lineItem.os !== null && !lineItem.os.has(device.os)) return 'unsupported_device';
  if (lineItem.dayparts !== null) {
    const offset = device.utcoffset ?? zoneOffset(lineItem.timeZone, now);
    if (!isWithin(lineItem.dayparts, minuteOfWeek(now, offset))) return 'daypart';
  }
  const path = lineItem.supply === null ? null : screenSupply(lineItem.supply, request, lists);
  if (path !== null) return path;
  return lineItem.needsPerson ? screenPerson(lineItem, person, now) : null;
}

/**
 * A line item with segments, caps or a holdout needs a person: without one it can neither be targeted nor capped nor measured.
 * Where the store was not read, a profile might exist under another anchor, so the bucket is unknown too.
 */
function screenPerson(lineItem: LineItem, person: Person, now: number): NoBidReason | null {
  if (person.state === 'withheld') return 'privacy';
  if (person.state === 'nobody') return 'unmatched_user';
  if (person.state === 'unread') return 'storage';
  if (person.state === 'counted') return needsProfile(lineItem) ? 'privacy' : null;
  if (lineItem.segments === null && lineItem.excludedSegments.length === 0) return null;
  const segments = segmentsOf(person, now);
  for (const group of lineItem.segments ?? []) if (!isInAny(group, segments)) return 'segment';
  return isInAny(lineItem.excludedSegments, segments) ? 'segment' : null;
}

/** Caps alone can be kept without knowing more of a person than a count. */
function needsProfile({ segments, excludedSegments, holdout }: LineItem): boolean {
  return segments !== null || excludedSegments.length > 0 || holdout !== null;
}

function isInAny(wanted: readonly number[], segments: ReadonlySet<number>): boolean {
  for (const segment of wanted) if (segments.has(segment)) return true;
  return false;
}

/** `more`: impressions of the line item that this response already holds. */
export function screenCaps(lineItem: LineItem, person: Person, more: number, now: number): NoBidReason | null {
  for (const { count, windowMs } of lineItem.caps)
    if ((person.caps.get(capField(lineItem.id, windowMs, now)) ?? 0) + more >= count) return 'frequency_cap';
  return null;
}
