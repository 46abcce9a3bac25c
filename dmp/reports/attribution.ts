import type { Statement } from '../clickhouse/warehouse.ts';
import { CAMPAIGN_EVENTS, dateTime, PURCHASES, VISITS } from './people.ts';
import { type ConversionsQuery, DAY, type Dimension } from './query.ts';

const COLUMN_OF: Readonly<Record<Dimension, string>> = {
  campaign: 'campaign',
  lineItem: 'line_item',
  store: 'store',
  day: 'day',
};

/** What both statements of the report are about. */
export interface Scope {
  readonly query: ConversionsQuery;
  /** The advertiser's. */
  readonly stores: readonly string[];
  /** Sources whose receipts the advertiser may not measure by. */
  readonly withheld: readonly string[];
  /** To whom words on consent were said that count here. */
  readonly audience: readonly string[];
  readonly currency: string;
}

/** A row as ClickHouse gives it: 64-bit numbers are texts. */
export interface AttributionRow {
  readonly total: number;
  readonly campaign?: string;
  readonly line_item?: string;
  readonly store?: string;
  readonly day?: string;
  readonly bids: string;
  readonly wins: string;
  readonly exposures: string;
  readonly exposed_people: string;
  readonly clicks: string;
  readonly visits: string;
  readonly visitors: string;
  readonly purchases: string;
  readonly revenue: string;
  readonly spend: string;
  readonly viewers: number;
}

export const ROW_LIMIT = 20_000;

/** The last click or view of a person at each of its times: what a fact is matched to. */
const touches = (type: 'click' | 'impression') => `
    SELECT person, at, argMax(line_item, bid) AS line_item FROM named
    WHERE type = '${type}' AND person != '' GROUP BY person, at`;

/**
 * Credits each fact to the last click before it, or else to the last view before it, each within its window; a touch after the
 * fact never counts (ASOF takes the nearest at or before).
 */
const credited = (facts: string, columns: string) => `
    SELECT person, store, at, ${columns}, if(clicked, click_line_item, view_line_item) AS line_item FROM (
      SELECT
        f.*, v.line_item AS view_line_item,
        f.click_person != '' AND dateDiff('millisecond', f.click_at, f.at) <= {clickWindow:Int64} AND {clickWindow:Int64} > 0 AS clicked,
        v.person != '' AND dateDiff('millisecond', v.at, f.at) <= {viewWindow:Int64} AND {viewWindow:Int64} > 0 AS viewed
      FROM (
        SELECT f.*, c.person AS click_person, c.at AS click_at, c.line_item AS click_line_item
        FROM ${facts} AS f ASOF LEFT JOIN (${touches('click')}) AS c ON f.person = c.person AND f.at >= c.at
      ) AS f ASOF LEFT JOIN (${touches('impression')}) AS v ON f.person = v.person AND f.at >= v.at
    ) WHERE clicked OR viewed`;

/** Rows by the chosen dimensions, and one with total = 1 over everything. */
export function attributionStatement({ query, stores, withheld, audience, currency }: Scope, unmeasured: boolean): Statement {
  const columns = query.groupBy.map((dimension) => COLUMN_OF[dimension]);
  const keys = columns.map((column) => `facts.${column}`);
  const sql = `
WITH ${CAMPAIGN_EVENTS},${VISITS},${PURCHASES},
  credited_visits AS (${credited('visited', '1 AS one')}),
  credited_purchases AS (${credited('bought', 'revenue, is_sale')}),
  in_window AS (SELECT * FROM named WHERE at >= {from:DateTime64(3, 'UTC')} AND at < {to:DateTime64(3, 'UTC')}),
  facts AS (
    SELECT {campaign:String} AS campaign, toString(line_item) AS line_item, toString(store) AS store, toDate(at) AS day, person,
      type = 'bid' AS bid, type = 'win' AS win, type = 'impression' AS exposure, type = 'click' AS click, 0 AS visit, 0 AS purchase, toInt64(0) AS revenue, cost,
      if(type = 'impression', viewers, 0) AS viewers
    FROM in_window WHERE type IN ('bid', 'win', 'impression', 'click') OR cost != 0
    UNION ALL
    SELECT {campaign:String}, toString(line_item), toString(store), toDate(at), person, 0, 0, 0, 0, 1, 0, toInt64(0), toInt64(0), 0
    FROM credited_visits
    UNION ALL
    SELECT {campaign:String}, toString(line_item), toString(store), toDate(at), person, 0, 0, 0, 0, 0, is_sale, revenue, toInt64(0), 0
    FROM credited_purchases
  )
SELECT
  toUInt8(grouping(${keys[0]})) AS total,
  ${columns.map((column, i) => `${column === 'day' ? `toString(${keys[i]})` : keys[i]} AS ${column},`).join(' ')}
  sum(facts.bid) AS bids,
  sum(facts.win) AS wins,
  sum(facts.exposure) AS exposures,
  uniqExactIf(facts.person, facts.exposure = 1 AND facts.person != '') AS exposed_people,
  sum(facts.click) AS clicks,
  sum(facts.visit) AS visits,
  uniqExactIf(facts.person, facts.visit = 1) AS visitors,
  sum(facts.purchase) AS purchases,
  sum(facts.revenue) AS revenue,
  sum(facts.cost) AS spend,
  sum(facts.viewers) AS viewers
FROM facts
GROUP BY GROUPING SETS ((${keys.join(', ')}), ())
ORDER BY total DESC${keys.map((key) => `, ${key}`).join('')}
LIMIT ${ROW_LIMIT + 2}`;
  return {
    sql,
    params: {
      campaign: query.campaign,
      stores,
      withheld,
      audience,
      unmeasured: unmeasured ? 1 : 0,
      currency,
      from: dateTime(query.from),
      to: dateTime(query.to),
      clickWindow: query.clickDays * DAY,
      viewWindow: query.viewDays * DAY,
    },
  };
}
