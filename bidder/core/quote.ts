import { MICROS, type Micros, microsToCpm } from '../../proto/money.ts';
import type { NoBidReason } from '../../proto/no-bid.ts';
import type { Snapshot } from '../../proto/snapshot.ts';
import { rateOf } from './rates.ts';

/** In what a line item would bid. */
export interface Money {
  readonly currency: string;
  /** Units of it for one unit of the line item's own. */
  readonly rate: number;
  /** Units of it for one unit of the floor's; null: not known. */
  readonly floorRate: number | null;
}

/** Null where it knows no allowed currency. The line item's own is preferred. */
export function moneyFor(
  rates: Snapshot['rates'],
  now: number,
  allowed: readonly string[],
  own: string,
  floorcur: string,
): Money | null {
  const currency = allowed.includes(own) ? own : allowed.find((code) => rateOf(rates, own, code, now) !== null);
  const rate = currency === undefined ? null : rateOf(rates, own, currency, now);
  if (currency === undefined || rate === null) return null;
  return { currency, rate, floorRate: rateOf(rates, floorcur, currency, now) };
}

export interface Quote {
  /** Micros of CPM in the line item's currency. */
  readonly price: Micros;
  /** Micros of CPM, and CPM as it is written, in the currency of the bid. */
  readonly offered: Micros;
  readonly cpm: number;
}

/**
 * What is bid with at most `most` (micros of CPM in the line item's currency) for a floor (CPM in its own currency), which is the
 * price where it is `fixed`.
 */
export function quoteOf(most: Micros, floor: number, fixed: boolean, money: Money): Quote | NoBidReason {
  const { rate, floorRate } = money;
  const highest = rate === 1 ? most : Math.floor(most * rate);
  if (floor > 0 && floorRate === null) return 'currency';
  const least = floor > 0 ? microsOver(floor * (floorRate ?? 1)) : 0;
  if (highest <= 0 || highest < least) return 'below_floor';
  if (!fixed || least === 0) return { price: most, offered: highest, cpm: microsToCpm(highest) };
  const price = rate === 1 ? least : Math.min(most, Math.ceil(least / rate));
  return { price, offered: least, cpm: floorRate === 1 ? floor : microsToCpm(least) };
}

/** The least micros that reach a CPM; a hair of floating point above a micro is none. */
function microsOver(cpm: number): Micros {
  return Math.max(0, Math.ceil(cpm * MICROS - 1e-6));
}
