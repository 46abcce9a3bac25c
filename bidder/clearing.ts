import { type Micros, parseMicros } from '../proto/money.ts';

/** What a notice says about the price. */
export type Clearing =
  | { readonly kind: 'known'; readonly clearing: Micros }
  /** Cannot be used: the bid price is charged. */
  | { readonly kind: 'unknown'; readonly fault: ClearingFault }
  /** A scan of the creative, not a sale. */
  | { readonly kind: 'audit' };

export type ClearingFault = 'missing' | 'literal' | 'undecodable' | 'above_bid' | 'currency';

/**
 * Reads the `p` and `c` of a notice. Fails closed: whatever cannot be read as a price of at most the bid, in the bid's
 * currency, costs the bid price.
 */
export function clearingOf(
  price: string | undefined,
  currency: string | undefined,
  bid: Micros,
  expected: string | null,
): Clearing {
  if (price === undefined || price === '') return { kind: 'unknown', fault: 'missing' };
  if (price === 'AUDIT') return { kind: 'audit' };
  if (isLiteral(price)) return { kind: 'unknown', fault: 'literal' };
  const clearing = parseMicros(price);
  if (clearing === null || clearing < 0) return { kind: 'unknown', fault: 'undecodable' };
  if (isOther(currency, expected)) return { kind: 'unknown', fault: 'currency' };
  return clearing > bid ? { kind: 'unknown', fault: 'above_bid' } : { kind: 'known', clearing };
}

/** A macro that the exchange did not replace, also where it was percent-encoded twice. */
function isLiteral(text: string): boolean {
  return text.includes('AUCTION_') || text.startsWith('${') || text.startsWith('%%');
}

function isOther(currency: string | undefined, expected: string | null): boolean {
  if (currency === undefined || currency === '' || isLiteral(currency) || expected === null) return false;
  return currency.toUpperCase() !== expected;
}

/** A price that is told beside (minimum to win), or null. */
export function priceTold(text: string | undefined): Micros | null {
  const micros = text === undefined ? null : parseMicros(text);
  return micros === null || micros < 0 ? null : micros;
}

/** Loss reason of the list of OpenRTB 2.6, or null. */
export function lossReasonOf(text: string | undefined): number | null {
  return text !== undefined && /^\d{1,5}$/.test(text) && Number(text) <= 65_535 ? Number(text) : null;
}
