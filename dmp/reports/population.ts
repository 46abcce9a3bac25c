import type { Statement } from '../clickhouse/warehouse.ts';
import type { Scope } from './attribution.ts';
import type { ArmTotals } from './lift.ts';
import { CAMPAIGN_EVENTS, dateTime, PURCHASES, VISITS } from './people.ts';

export interface PopulationRow {
  readonly control: number;
  readonly people: string;
  readonly exposed: string;
  readonly visitors: string;
  readonly exposed_visitors: string;
  readonly buyers: string;
  readonly revenue: string;
  /** Sum of the squares of the people's revenues, micros². */
  readonly revenue_squares: string;
  readonly crossed: string;
  readonly first: string;
}

/**
 * The decided people by arm. A person enters at the first decision of the campaign: a bid, one that did not leave, or a ghost; every notice carries its
 * bid's time, so a bid whose own event was lost counts by its notices. Outcomes are those after that moment, in the window.
 */
export function populationStatement({ query, stores, withheld, audience, currency }: Scope, unmeasured: boolean): Statement {
  const sql = `
WITH ${CAMPAIGN_EVENTS},${VISITS},${PURCHASES},
  people AS (
    SELECT
      person,
      min(bid_at) AS first,
      argMin(type = 'ghost', (bid_at, bid)) AS control,
      max(type = 'impression' AND at < {to:DateTime64(3, 'UTC')}) AS exposed,
      uniqExact(type = 'ghost') > 1 AS crossed
    FROM named
    WHERE person != '' AND bid_at < {to:DateTime64(3, 'UTC')}
    GROUP BY person
  ),
  last_visits AS (SELECT person, max(at) AS at FROM visited GROUP BY person),
  revenues AS (
    SELECT b.person AS person, sum(b.revenue) AS revenue, max(b.is_sale) AS bought
    FROM bought AS b INNER JOIN people AS p ON b.person = p.person
    WHERE b.at > p.first GROUP BY person
  ),
  outcomes AS (
    SELECT p.control AS control, p.exposed AS exposed, p.crossed AS crossed, p.first AS first,
      v.person != '' AND v.at > p.first AS visited, r.bought AS bought, r.revenue AS revenue
    FROM people AS p
    LEFT JOIN last_visits AS v ON p.person = v.person
    LEFT JOIN revenues AS r ON p.person = r.person
  )
SELECT
  control,
  count() AS people,
  countIf(exposed) AS exposed,
  countIf(visited) AS visitors,
  countIf(visited AND outcomes.exposed) AS exposed_visitors,
  countIf(bought) AS buyers,
  sum(outcomes.revenue) AS revenue,
  toString(sum(toInt256(outcomes.revenue) * toInt256(outcomes.revenue))) AS revenue_squares,
  countIf(crossed) AS crossed,
  toString(min(outcomes.first)) AS first
FROM outcomes GROUP BY control`;
  const params = {
    campaign: query.campaign,
    stores,
    withheld,
    audience,
    unmeasured: unmeasured ? 1 : 0,
    currency,
    from: dateTime(query.from),
    to: dateTime(query.to),
  };
  return { sql, params };
}

const EMPTY: ArmTotals = {
  people: 0,
  exposed: 0,
  visitors: 0,
  exposedVisitors: 0,
  buyers: 0,
  revenueMicros: 0,
  revenueVariance: 0,
  crossed: 0,
};

export function armOf(rows: readonly PopulationRow[], control: boolean): ArmTotals {
  const row = rows.find((one) => Boolean(one.control) === control);
  if (row === undefined) return EMPTY;
  return {
    people: Number(row.people),
    exposed: Number(row.exposed),
    visitors: Number(row.visitors),
    exposedVisitors: Number(row.exposed_visitors),
    buyers: Number(row.buyers),
    revenueMicros: Number(row.revenue),
    revenueVariance: sampleVariance(row),
    crossed: Number(row.crossed),
  };
}

/** From whole numbers, so that the same facts give the same digits in whatever order they are summed. */
function sampleVariance(row: PopulationRow): number {
  const people = BigInt(row.people);
  if (people < 2n) return 0;
  const sum = BigInt(row.revenue);
  return Number(people * BigInt(row.revenue_squares) - sum * sum) / Number(people * (people - 1n));
}
