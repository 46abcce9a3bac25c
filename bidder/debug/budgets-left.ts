import type { Redis } from 'ioredis';
import { campaignBudgetKey, dayBudgetKey, dayOf, lineItemBudgetKey } from '../../proto/keys.ts';
import type { Micros } from '../../proto/money.ts';
import type { LineItem } from '../core/line-item.ts';

/** Micros that limited line items have left, by id: of the tightest of their budgets. Nothing is leased. */
export type BudgetsLeft = (lineItems: readonly LineItem[], now: number) => Promise<ReadonlyMap<string, Micros>>;

/** What workers have leased is theirs to bid with, so it counts as left. */
export function createBudgetsLeft(redis: Redis): BudgetsLeft {
  return async (lineItems, now) => {
    const wanted = lineItems.flatMap((lineItem) =>
      budgetsOf(lineItem, now).flatMap(({ key, micros }) => (micros === null ? [] : [{ id: lineItem.id, key, micros }])),
    );
    const pipeline = redis.pipeline();
    for (const { key } of wanted) pipeline.hget(key, 'spent');
    const answers = (await pipeline.exec()) ?? [];
    const left = new Map<string, Micros>();
    wanted.forEach(({ id, micros }, at) => {
      const rest = Math.max(0, micros - Number(answers[at]?.[1] ?? 0));
      left.set(id, Math.min(rest, left.get(id) ?? Number.POSITIVE_INFINITY));
    });
    return left;
  };
}

function budgetsOf({ id, campaign, budget }: LineItem, now: number) {
  return [
    { key: campaignBudgetKey(campaign), micros: budget.campaign },
    { key: lineItemBudgetKey(campaign, id), micros: budget.total },
    { key: dayBudgetKey(campaign, id, dayOf(now)), micros: budget.daily },
  ];
}
