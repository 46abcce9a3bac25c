import { refusedProfiles } from '../consents/state.ts';
import type { Purpose } from '../sources/purposes.ts';

/**
 * Parts of SQL that say who and what a report counts. Bound parameters: campaign, stores, withheld (sources that do not count), audience and unmeasured (consents), currency, from, to (DateTime64). Facts
 * are read with FINAL, so a repeated insert never counts twice; people are joined through `identities FINAL` when read.
 */

const NOBODY = "toUUID('00000000-0000-0000-0000-000000000000')";

/** The campaign's events with the person: the profile of the identifier, else of the anchor, else the anchor itself, else ''. */
export const CAMPAIGN_EVENTS = `
  events AS (
    SELECT type, bid, bid_at, at, line_item, store, identifier, anchor, cost, exposures
    FROM ad_events FINAL
    WHERE campaign = {campaign:String} AND test = 0
  ),
  event_identities AS (
    SELECT identifier, profile FROM identities FINAL
    WHERE identifier IN (SELECT identifier FROM events UNION DISTINCT SELECT anchor FROM events)
  ),
  named AS (
    SELECT
      e.type AS type, e.bid AS bid, e.bid_at AS bid_at, e.at AS at, e.line_item AS line_item, e.store AS store, e.cost AS cost,
      e.exposures AS viewers,
      multiIf(
        i.identifier != ${NOBODY}, concat('p', toString(i.profile)),
        j.identifier != ${NOBODY}, concat('p', toString(j.profile)),
        e.anchor != ${NOBODY}, concat('a', toString(e.anchor)),
        e.identifier != ${NOBODY}, concat('a', toString(e.identifier)),
        '') AS person
    FROM events AS e
    LEFT JOIN event_identities AS i ON e.identifier = i.identifier
    LEFT JOIN event_identities AS j ON e.anchor = j.identifier
  )`;

/** Who withdrew one of the purposes is not counted: `unmeasured` (0: nobody did) spares the question. */
const agreedTo = (...purposes: readonly Purpose[]): string => `identifier NOT IN (SELECT identifier FROM identities FINAL
      WHERE {unmeasured:UInt8} = 1 AND profile IN (${refusedProfiles(purposes)}))`;

/** Visits at the advertiser's stores: one a person, store and local day, however many of the person's devices were there. */
export const VISITS = `
  seen AS (
    SELECT identifier, place, day, start FROM visits FINAL
    WHERE kind = 'store' AND cancelled = 0 AND place IN {stores:Array(String)} AND ${agreedTo('measurement', 'location')}
      AND day BETWEEN toDate({from:DateTime64(3, 'UTC')}) - 2 AND toDate({to:DateTime64(3, 'UTC')}) + 2
  ),
  seen_identities AS (
    SELECT identifier, profile FROM identities FINAL WHERE identifier IN (SELECT identifier FROM seen)
  ),
  visited AS (
    SELECT
      if(i.identifier != ${NOBODY}, concat('p', toString(i.profile)), concat('a', toString(s.identifier))) AS person,
      s.place AS store,
      s.day AS day,
      min(s.start) AS at
    FROM seen AS s
    LEFT JOIN seen_identities AS i ON s.identifier = i.identifier
    GROUP BY person, store, day
    HAVING at >= {from:DateTime64(3, 'UTC')} AND at < {to:DateTime64(3, 'UTC')}
  )`;

/** Receipts at the advertiser's stores. Revenue is in the advertiser's currency; a refund is a receipt with a negative sum. */
export const PURCHASES = `
  receipts AS (
    SELECT
      source, receipt, any(identifier) AS buyer, any(purchases.store) AS shop, min(purchases.at) AS bought,
      sumIf(amount, currency = {currency:String}) AS revenue,
      sum(amount) >= 0 AS is_sale
    FROM purchases FINAL
    WHERE purchases.store IN {stores:Array(String)} AND purchases.source NOT IN {withheld:Array(String)} AND ${agreedTo('measurement')}
      AND purchases.at >= {from:DateTime64(3, 'UTC')} AND purchases.at < {to:DateTime64(3, 'UTC')}
    GROUP BY source, receipt
  ),
  buyer_identities AS (
    SELECT identifier, profile FROM identities FINAL WHERE identifier IN (SELECT buyer FROM receipts)
  ),
  bought AS (
    SELECT
      if(i.identifier != ${NOBODY}, concat('p', toString(i.profile)), concat('a', toString(r.buyer))) AS person,
      r.shop AS store, r.bought AS at, r.revenue AS revenue, r.is_sale AS is_sale
    FROM receipts AS r
    LEFT JOIN buyer_identities AS i ON r.buyer = i.identifier
  )`;

/** Epoch ms as ClickHouse reads a DateTime64 parameter. */
export function dateTime(at: number): string {
  return new Date(at).toISOString().replace('T', ' ').replace('Z', '');
}
