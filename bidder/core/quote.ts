import { MICROS, type Micros, microsToCpm } from '../../proto/money.ts';
import type { Snapshot } from '../../proto/snapshot.ts';
import type { Imp } from '../openrtb/request.ts';
import { rateOf } from './rates.ts';
import type { Way } from './ways.ts';

/** In what a line item would bid, and what it must reach. */
export interface Money {
  readonly currency: string;
  /** Units of it for one unit of the line item's own. */
  readonly rate: number;
  /** CPM, and CPM a second of a spot, in the currency of the bid. */
  readonly floor: number;
  readonly floorPerSecond: number;
  /** Whether the floor is as the seller wrote it, not converted. */
  readonly exact: boolean;
}

/** Null where no allowed currency, or no floor in it, can be known. The line item's own currency is preferred. */
export function moneyFor(
  rates: Snapshot['rates'],
  now: number,
  allowed: readonly string[],
  own: string,
  way: Way,
  imp: Imp,
): Money | null {
  const currency = allowed.includes(own) ? own : allowed.find((code) => rateOf(rates, own, code, now) !== null);
  const rate = currency === undefined ? null : rateOf(rates, own, currency, now);
  if (currency === undefined || rate === null) return null;
  const forFloor = way.floor > 0 ? rateOf(rates, way.floorcur, currency, now) : 1;
  const forSeconds = way.floorPerSecond > 0 ? rateOf(rates, imp.bidfloorcur, currency, now) : 1;
  if (forFloor === null || forSeconds === null) return null;
  const floorPerSecond = way.floorPerSecond * forSeconds;
  return { currency, rate, floor: way.floor * forFloor, floorPerSecond, exact: way.floorcur === currency };
}

export interface Quote {
  /** Micros of CPM in the line item's currency. */
  readonly price: Micros;
  /** Micros of CPM, and CPM as it is written, in the currency of the bid. */
  readonly offered: Micros;
  readonly cpm: number;
}

/** What is bid with at most `most` (micros of CPM in the line item's currency) for `seconds` of a spot; null below the floor. */
export function quoteOf(most: Micros, way: Way, money: Money, seconds: number): Quote | null {
  const { rate, floor, floorPerSecond } = money;
  const highest = rate === 1 ? most : Math.floor(most * rate);
  const least = microsOver(Math.max(floor, floorPerSecond * seconds));
  if (highest <= 0 || highest < least) return null;
  if (!way.fixed || least === 0) return { price: most, offered: highest, cpm: microsToCpm(highest) };
  const cpm = money.exact && floorPerSecond === 0 ? way.floor : microsToCpm(least);
  return { price: rate === 1 ? least : Math.min(most, Math.ceil(least / rate)), offered: least, cpm };
}

/** The least micros that reach a CPM; a hair of floating point above a micro is none. */
function microsOver(cpm: number): Micros {
  return Math.max(0, Math.ceil(cpm * MICROS - 1e-6));
}
