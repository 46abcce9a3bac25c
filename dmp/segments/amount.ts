import { Type } from 'typebox';
import { checkCurrency } from './check-members.ts';
import { type Event, eventName, eventRows } from './events.ts';
import { moneyIn } from './money.ts';
import type { NodeCheck } from './node.ts';
import type { Compiler } from './plan.ts';

/** How much of an event there is: what shares and trends compare. */
export const By = Type.Unsafe<'money' | 'times' | 'days'>({
  type: 'string',
  enum: ['money', 'times', 'days'],
  description:
    'what is compared: money (of purchases only), times (receipts, visits, …) or days; absent: of purchases money, else times',
});
export type By = 'money' | 'times' | 'days';

export function byOf(by: By | undefined, given: Event): By {
  return by ?? (eventName(given) === 'bought' ? 'money' : 'times');
}

/** An aggregate of the rows that meet a condition. */
export function amountOf(by: By, given: Event, condition: string, compiler: Compiler): string {
  if (by === 'days') return `uniqExactIf(day, ${condition})`;
  if (by === 'times') return `uniqExactIf(once, ${condition})`;
  return `sumIf(${moneyIn(given.bought?.currency, compiler).amount}, ${condition})`;
}

export function checkBy(by: By | undefined, given: Event, pointer: string, check: NodeCheck): undefined {
  if (by === 'money' && given.bought === undefined)
    return check.fault(`${pointer}/by`, 'contradiction', 'only purchases have money');
  if (given.bought !== undefined && byOf(by, given) === 'money' && given.bought.currency === undefined)
    checkCurrency(undefined, `${pointer}/of/bought/currency`, check);
}

export function rowsOfBoth(a: Event, b: Event | undefined, compiler: Compiler): string {
  return b === undefined ? eventRows(a, compiler) : `${eventRows(a, compiler)} AND ${eventRows(b, compiler)}`;
}
