import type { Redis } from 'ioredis';
import { campaignBudgetKey, dayBudgetKey, dayOf, lineItemBudgetKey } from '../../proto/keys.ts';
import type { Snapshot } from '../../proto/snapshot.ts';
import type { Warehouse } from '../clickhouse/warehouse.ts';

interface SpendRow {
  readonly campaign: string;
  readonly line_item: string;
  readonly day: string;
  readonly spent: string;
}

/** Day budgets are of no use long after their day. */
const DAY_MEMORY_S = 14 * 86_400;

/** A day's budget counts when the bid was made, as the bidder counts it. */
const SPEND = `
SELECT campaign, line_item, formatDateTime(bid_at, '%Y%m%d') AS day, sum(cost + data) AS spent
FROM ad_events FINAL
WHERE campaign IN {campaigns:Array(String)} AND (cost != 0 OR data != 0) AND test = 0
GROUP BY campaign, line_item, day
UNION ALL
SELECT campaign, line_item, formatDateTime(flat_charges.day, '%Y%m%d') AS day, sum(micros) AS spent
FROM flat_charges FINAL WHERE campaign IN {campaigns:Array(String)} GROUP BY campaign, line_item, day`;

/**
 * Gives the budgets that Redis does not know (it lost its data, or they are new) what was spent as ClickHouse knows it, so
 * that nothing is spent twice. What Redis knows is newer and stays as it is. Call before the snapshot is published.
 */
export async function restoreSpend(warehouse: Warehouse, redis: Redis, snapshot: Snapshot): Promise<void> {
  const wanted = budgetKeys(snapshot, dayOf(snapshot.at));
  const missing = await missingOf(redis, wanted);
  if (missing.length === 0) return;
  const campaigns = [...new Set(missing.map((budget) => budget.campaign))];
  const rows = await warehouse.query<SpendRow>({ sql: SPEND, params: { campaigns } });
  const spent = spentByKey(rows);
  const days = new Set([...missing.filter(({ isDay }) => isDay).map(({ key }) => key), ...dayKeys(rows)]);
  const keys = new Set([...missing.map(({ key }) => key), ...days]);
  const pipeline = redis.pipeline();
  for (const key of keys) pipeline.hsetnx(key, 'spent', spent.get(key) ?? 0);
  for (const key of days) pipeline.expire(key, DAY_MEMORY_S);
  for (const [error] of (await pipeline.exec()) ?? []) if (error !== null) throw error;
}

/** Every day with spend, since a simulated exchange may go on in any of them. */
function dayKeys(rows: readonly SpendRow[]): string[] {
  return rows.map(({ campaign, line_item, day }) => dayBudgetKey(campaign, line_item, day));
}

interface Budget {
  readonly campaign: string;
  readonly key: string;
  readonly isDay: boolean;
}

function budgetKeys(snapshot: Snapshot, day: string): Budget[] {
  const keys = snapshot.lineItems.flatMap(({ id, campaign }) =>
    [campaignBudgetKey(campaign), lineItemBudgetKey(campaign, id), dayBudgetKey(campaign, id, day)].map((key, index) => ({
      campaign,
      key,
      isDay: index === 2,
    })),
  );
  return [...new Map(keys.map((budget) => [budget.key, budget])).values()];
}

// KEYS hashes of budgets. Returns the numbers, from 1, of those in which it is not said what was spent. Writes nothing.
const WITHOUT_SPEND = `
local missing = {}
for i = 1, #KEYS do
  if redis.call('hexists', KEYS[i], 'spent') == 0 then missing[#missing + 1] = i end
end
return missing`;

/** Asked about at once: a third of a millisecond of Redis. One by one they were half of what a publication took of the dmp. */
const AT_ONCE = 500;

async function missingOf(redis: Redis, budgets: readonly Budget[]): Promise<Budget[]> {
  const missing: Budget[] = [];
  for (let at = 0; at < budgets.length; at += AT_ONCE) {
    const asked = budgets.slice(at, at + AT_ONCE);
    const numbers = (await redis.eval(WITHOUT_SPEND, asked.length, ...asked.map(({ key }) => key))) as number[];
    for (const number of numbers) missing.push(asked[number - 1] as Budget);
  }
  return missing;
}

function spentByKey(rows: readonly SpendRow[]): Map<string, number> {
  const spent = new Map<string, number>();
  for (const { campaign, line_item, day, spent: micros } of rows)
    for (const key of [
      campaignBudgetKey(campaign),
      lineItemBudgetKey(campaign, line_item),
      dayBudgetKey(campaign, line_item, day),
    ])
      spent.set(key, (spent.get(key) ?? 0) + Number(micros));
  return spent;
}
