import type { FastifyInstance } from 'fastify';
import type { Redis } from 'ioredis';
import { Type } from 'typebox';
import { dayOf, namedRequestsKey } from '../../proto/keys.ts';
import { matchSource } from '../../proto/match.ts';
import type { Warehouse } from '../clickhouse/warehouse.ts';
import type { DmpDeps } from '../deps.ts';
import { PROBLEM_RESPONSES } from '../http/resource-schemas.ts';
import { requireScope } from '../keys/auth.ts';
import { notFound } from '../problem.ts';

const DAY_MS = 86_400_000;

const Query = Type.Object(
  { days: Type.Integer({ minimum: 1, maximum: 90, default: 30, description: 'the last so many times 24 hours' }) },
  { additionalProperties: false },
);

const View = Type.Object({
  exchange: Type.String(),
  from: Type.String({ format: 'date-time' }),
  to: Type.String({ format: 'date-time' }),
  users: Type.Integer({ description: 'ids of the exchange that are matched with ours, of all time' }),
  namedBids: Type.Integer({ description: 'bids of the window to somebody who may be named; tests do not count' }),
  matchedBids: Type.Integer({ description: 'those whose person is in the match table' }),
  rate: Type.Unsafe<number | null>({
    type: ['number', 'null'],
    description: 'matchedBids / namedBids, null where there are none',
  }),
  namedRequests: Type.Integer({
    description: 'requests of the UTC days of the window about somebody who may be named; tests do not count',
  }),
  matchedRequests: Type.Integer({ description: 'those that brought our own id, or whose person has a profile' }),
  requestRate: Type.Unsafe<number | null>({
    type: ['number', 'null'],
    description: 'matchedRequests / namedRequests, null where there are none',
  }),
});

/** How many of those whom an exchange names we know: user sync, measured on the bids that were made, and on all that it asks. */
export function registerMatchRateRoute(app: FastifyInstance, { warehouse, redis, things, now }: DmpDeps): void {
  const schema = {
    tags: ['exchanges'],
    operationId: 'getExchangeMatchRate',
    summary: 'The match rate of user sync with an exchange',
    params: Type.Object({ id: Type.String({ maxLength: 200 }) }),
    querystring: Query,
    response: { 200: { description: 'It', content: { 'application/json': { schema: View } } }, ...PROBLEM_RESPONSES },
  };
  app.get<{ Params: { id: string }; Querystring: { days: number } }>(
    '/v1/exchanges/:id/match-rate',
    { schema },
    async (request) => {
      requireScope(request, 'exchanges:read');
      const { id } = request.params;
      const { exchange = null } = request.principal;
      if (things.get('exchange', id) === undefined || (exchange !== null && exchange !== id)) throw notFound('exchange');
      const to = now();
      const from = to - request.query.days * DAY_MS;
      const [{ users, named, matched }, requests] = await Promise.all([
        countMatches(warehouse, id, from, to),
        countRequests(redis, id, from, to),
      ]);
      return {
        exchange: id,
        from: new Date(from).toISOString(),
        to: new Date(to).toISOString(),
        users,
        namedBids: named,
        matchedBids: matched,
        rate: named === 0 ? null : matched / named,
        namedRequests: requests.named,
        matchedRequests: requests.matched,
        requestRate: requests.named === 0 ? null : requests.matched / requests.named,
      };
    },
  );
}

const SQL = `
  WITH matches AS (SELECT a, kind_a, b FROM edges FINAL WHERE source = {source:String})
  SELECT
    (SELECT uniqExact(if(kind_a = 'exchange', a, b)) FROM matches) AS users,
    count() AS named,
    countIf(identifier IN (SELECT a FROM matches UNION ALL SELECT b FROM matches)) AS matched
  FROM ad_events FINAL
  WHERE type = 'bid' AND exchange = {exchange:String} AND test = 0
    AND identifier != toUUID('00000000-0000-0000-0000-000000000000')
    AND bid_at >= fromUnixTimestamp64Milli({from:Int64}) AND bid_at < fromUnixTimestamp64Milli({to:Int64})`;

async function countMatches(
  warehouse: Warehouse,
  exchange: string,
  from: number,
  to: number,
): Promise<{ users: number; named: number; matched: number }> {
  const params = { source: matchSource(exchange), exchange, from, to };
  const [row] = await warehouse.query<{ users: string; named: string; matched: string }>({ sql: SQL, params });
  return { users: Number(row?.users ?? 0), named: Number(row?.named ?? 0), matched: Number(row?.matched ?? 0) };
}

/** As the bidders count them, by whole days. */
async function countRequests(
  redis: Redis,
  exchange: string,
  from: number,
  to: number,
): Promise<{ named: number; matched: number }> {
  const reading = redis.pipeline();
  for (let day = Math.floor(from / DAY_MS); day * DAY_MS <= to; day++)
    reading.hmget(namedRequestsKey(dayOf(day * DAY_MS)), `${exchange}:named`, `${exchange}:matched`);
  const sums = { named: 0, matched: 0 };
  for (const [error, counts] of (await reading.exec()) ?? []) {
    if (error !== null) throw error;
    const [named, matched] = counts as (string | null)[];
    sums.named += Number(named ?? 0);
    sums.matched += Number(matched ?? 0);
  }
  return sums;
}
