import type { Micros } from '../../proto/money.ts';
import type { Sale } from '../exchange/exchange.ts';
import type { Outing } from './causal.ts';

/** What the exchange and the city know of the days with ads: every number here was acknowledged or happened. */
export interface Ledger {
  requests: number;
  unanswered: number;
  /** Answers that are neither a bid nor a no-bid; none is expected. */
  refused: number;
  noBids: number;
  readonly lineItems: Record<string, Counts>;
  readonly shoppers: ShopperRecord[];
}

/** Of one line item, or of all. */
export interface Counts {
  bids: number;
  wins: number;
  impressions: number;
  clicks: number;
  spendMicros: Micros;
}

/** A time at which a shopper met a line item's ad. */
export interface Touch {
  readonly at: number;
  readonly lineItem: string;
}

/** What happened to one shopper. */
export interface ShopperRecord {
  firstBid: number | null;
  readonly bids: Touch[];
  readonly impressions: Touch[];
  readonly clicks: Touch[];
  /** Visits to the advertiser's stores, in order of time. */
  readonly visits: Outing[];
}

export function openLedger(shoppers: number): Ledger {
  return {
    requests: 0,
    unanswered: 0,
    refused: 0,
    noBids: 0,
    lineItems: {},
    shoppers: Array.from({ length: shoppers }, () => ({ firstBid: null, bids: [], impressions: [], clicks: [], visits: [] })),
  };
}

export const noCounts = (): Counts => ({ bids: 0, wins: 0, impressions: 0, clicks: 0, spendMicros: 0 });

/** Books what became of one page view. */
export function book(ledger: Ledger, shopper: number, sale: Sale, lineItemOf: (creative: string) => string): void {
  ledger.requests++;
  if (sale.kind === 'bid') bookBid(ledger, shopper, sale, lineItemOf(sale.creative));
  else if (sale.kind === 'unanswered') ledger.unanswered++;
  else if (sale.kind === 'refused') ledger.refused++;
  else ledger.noBids++;
}

function bookBid(ledger: Ledger, shopper: number, sale: Extract<Sale, { kind: 'bid' }>, lineItem: string): void {
  ledger.lineItems[lineItem] ??= noCounts();
  const counts = ledger.lineItems[lineItem] as Counts;
  const person = ledger.shoppers[shopper] as ShopperRecord;
  counts.bids++;
  person.firstBid ??= sale.at;
  person.bids.push({ at: sale.at, lineItem });
  if (sale.won) counts.wins++;
  if (sale.shownAt !== null) {
    counts.impressions++;
    counts.spendMicros += sale.cost;
    person.impressions.push({ at: sale.shownAt, lineItem });
  }
  if (sale.clickedAt !== null) {
    counts.clicks++;
    person.clicks.push({ at: sale.clickedAt, lineItem });
  }
}

export function totalOf(ledger: Ledger): Counts {
  const total = noCounts();
  for (const counts of Object.values(ledger.lineItems))
    for (const name of Object.keys(total) as (keyof Counts)[]) total[name] += counts[name];
  return total;
}
