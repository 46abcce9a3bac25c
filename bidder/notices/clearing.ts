import type { BidRecord } from '../../proto/ad-event.ts';
import { type Micros, parseMicros } from '../../proto/money.ts';
import type { LiveExchange } from '../../proto/snapshot.ts';
import { decryptPrice } from './price-cipher.ts';

/** What a notice says about the price. */
export type Clearing =
  /** Micros of CPM in the currency of the line item, as the bid's `price`. */
  | { readonly kind: 'known'; readonly clearing: Micros }
  /** Cannot be used: the bid price is charged. */
  | { readonly kind: 'unknown'; readonly fault: ClearingFault }
  /** A scan of the creative, not a sale. */
  | { readonly kind: 'audit' };

export type ClearingFault = 'missing' | 'literal' | 'undecodable' | 'stale' | 'replayed' | 'above_bid' | 'currency';

/** What a price is read against. */
export interface PriceContext {
  readonly bid: Pick<BidRecord, 'bid' | 'bidAt' | 'price' | 'offered' | 'currency'>;
  readonly exchange: Pick<LiveExchange, 'price' | 'currency'>;
  /** Epoch ms. */
  readonly now: number;
  /** Whether this message came for another bid before. */
  readonly isReplayed: (iv: string, bid: string) => boolean;
}

/** An encrypted price is made after its bid, and its clock is not ours. */
const SKEW_MS = 60_000;

/**
 * Reads the `p` and `c` of a notice. Fails closed: whatever cannot be read as a price of at most the bid, in the bid's
 * currency, costs the bid price.
 */
export function clearingOf(text: string | undefined, currency: string | undefined, context: PriceContext): Clearing {
  if (text === undefined || text === '') return fault('missing');
  if (text === 'AUDIT') return { kind: 'audit' };
  if (isLiteral(text)) return fault('literal');
  const told = amountOf(text, context);
  if (typeof told === 'string') return fault(told);
  const { bid, exchange } = context;
  if (currencyTold(currency, exchange.currency ?? bid.currency) !== bid.currency) return fault('currency');
  if (told > bid.offered) return fault('above_bid');
  return { kind: 'known', clearing: inBudgetCurrency(told, bid) };
}

function fault(fault: ClearingFault): Clearing {
  return { kind: 'unknown', fault };
}

/** A macro that the exchange did not replace, also where it was percent-encoded, and Google's of old. */
function isLiteral(text: string): boolean {
  return text.includes('AUCTION_') || text.startsWith('${') || text.startsWith('%%') || /^%(25)*24%(25)*7B/i.test(text);
}

/** Micros of CPM in the currency of the notice. Where prices are encrypted a plain one is somebody else's. */
function amountOf(text: string, { exchange, bid, now, isReplayed }: PriceContext): Micros | ClearingFault {
  if (exchange.price.kind !== 'google') {
    const micros = parseMicros(exchange.price.kind === 'plain' ? text : decimalIn(text));
    return micros === null || micros < 0 ? 'undecodable' : micros;
  }
  const price = decryptPrice(text, exchange.price);
  if (price === null) return 'undecodable';
  if (price.at < bid.bidAt - SKEW_MS || price.at > now + SKEW_MS) return 'stale';
  return isReplayed(price.iv, bid.bid) ? 'replayed' : price.micros;
}

const BASE64 = /^[A-Za-z0-9+/_-]+={0,2}$/;

/** What stands in a base64 text, with its own letters or those that are safe in addresses; '' where it is none. A `+` comes as a space. */
function decimalIn(text: string): string {
  const base64 = text.replaceAll(' ', '+');
  return BASE64.test(base64) ? Buffer.from(base64, 'base64').toString('latin1') : '';
}

function currencyTold(currency: string | undefined, otherwise: string): string {
  return currency === undefined || currency === '' || isLiteral(currency) ? otherwise : currency.toUpperCase();
}

/** At the rate that the bid was made at, so that a price of the whole offer costs the whole bid. */
function inBudgetCurrency(told: Micros, { price, offered }: PriceContext['bid']): Micros {
  return offered === price || offered <= 0 ? told : Math.round((told * price) / offered);
}

/** A price that is told beside (minimum to win), in the currency of the line item, or null. */
export function priceTold(text: string | undefined, bid: PriceContext['bid']): Micros | null {
  const micros = text === undefined ? null : parseMicros(text);
  return micros === null || micros < 0 ? null : inBudgetCurrency(micros, bid);
}

/** Loss reason of the list of OpenRTB 2.6 or the exchange's own, or null. */
export function lossReasonOf(text: string | undefined): number | null {
  return text !== undefined && /^\d{1,5}$/.test(text) && Number(text) <= 65_535 ? Number(text) : null;
}

/**
 * How many people saw one play. At most as many as the request promised: money for more was never reserved, and the address of
 * a pixel is public. Literal, empty or unreadable: as promised.
 */
export function multiplierOf(text: string | undefined, promised: number): number {
  const told = text !== undefined && /^\d{1,9}(\.\d+)?$/.test(text) ? Number(text) : promised;
  return Math.min(told, promised);
}

/** `${AUCTION_IMP_TS}`, the time of a play that is told late: epoch ms after the bid and not to come, else `now`. */
export function shownAt(text: string | undefined, bidAt: number, now: number): number {
  const told = text !== undefined && /^\d{12,14}$/.test(text) ? Number(text) : now;
  return told >= bidAt - SKEW_MS && told <= now ? told : now;
}
