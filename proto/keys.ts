/** Names in Redis on which bidder, dmp and segmenter must agree. */

/** Compact profile value (see `profile.ts`) by identifier key. */
export const profileKey = (identifier: string): string => `u:${identifier}`;
/** Channel on which identifiers (36 characters each, one after the other) are told whose value an event changed as it arrived. */
export const ADDED_CHANNEL = 'walkin:added';
/** Hash of frequency counters by anchor: field `<line item>:<window ms>:<floor(at / window ms)>` → impressions. */
export const capsKey = (anchor: string): string => `c:${anchor}`;
/**
 * Budgets: hashes of `spent` and `out` (leased) in micros of cost. The slot tag keeps a campaign's keys together on a cluster.
 * One for the campaign, one for each line item, one for each line item and UTC day.
 */
export const campaignBudgetKey = (campaign: string): string => `b:{${campaign}}`;
/** What was booked for flat prices of data, by source, line item and day. No line item has such an id. */
export const flatChargesKey = (campaign: string): string => `b:{${campaign}}:~flat`;
export const lineItemBudgetKey = (campaign: string, lineItem: string): string => `b:{${campaign}}:${lineItem}`;
export const dayBudgetKey = (campaign: string, lineItem: string, day: string): string => `b:{${campaign}}:${lineItem}:${day}`;
/** Set-once mark that an event of a bid was taken; expires after NOTICE_MEMORY_S. */
export const noticeKey = (campaign: string, bid: string, event: string): string => `n:{${campaign}}:${bid}:${event}`;

export const NOTICE_MEMORY_S = 48 * 3600;

/** The published snapshot (see `snapshot-parts.ts`): its head, a hash of its parts, and the channel on which a new version number is announced. */
export const SNAPSHOT_KEY = 'walkin:snapshot';
export const SNAPSHOT_PARTS_KEY = 'walkin:snapshot:parts';
export const SNAPSHOT_VERSION_KEY = 'walkin:snapshot:version';
export const SNAPSHOT_CHANNEL = 'walkin:snapshot';
/** Channel on which line items are stopped ahead of the next snapshot (see `stop.ts`). */
export const STOPPED_CHANNEL = 'walkin:stopped';
/** Hash: worker name → `{version, at}` JSON of the snapshot it serves. */
export const WORKERS_KEY = 'walkin:workers';

/** Hash by UTC day: field `<exchange>:named` and `<exchange>:matched` → requests, see the bidder's match counts. */
export const namedRequestsKey = (day: string): string => `walkin:named-requests:${day}`;
export const NAMED_REQUESTS_MEMORY_S = 100 * 86_400;

/** Hash: bidder name → `{address, at}` JSON of its private port, see `debug.ts`. */
export const BIDDERS_KEY = 'walkin:bidders';

/** Stream of ad events (see `ad-event.ts`); field `e` holds the JSON. The warehouse group writes them to ClickHouse. */
export const AD_EVENT_STREAM = 'walkin:ad-events';
export const WAREHOUSE_GROUP = 'warehouse';

/** Channel on which a changed thing is announced to the other dmp and segmenter processes: JSON `{kind, id}`. */
export const THINGS_CHANNEL = 'walkin:things';

/** UTC day of a time, yyyymmdd. */
export function dayOf(at: number): string {
  return new Date(at).toISOString().slice(0, 10).replaceAll('-', '');
}
