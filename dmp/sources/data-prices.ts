import type { DataPrice } from '../../proto/money.ts';
import type { LineItem } from '../campaigns/line-item.ts';
import type { DmpDeps } from '../deps.ts';
import { type Moment, segmentsOf, standingOf } from './lineage.ts';
import { momentOf, type Presence, readPresence } from './presence.ts';
import { priceOfSegment, pricesIn } from './segment-prices.ts';
import { type Price, termsOf } from './source.ts';

export type DataPriceOf = (lineItem: LineItem) => DataPrice | null;

/**
 * What the data that a line item stands on now cost it by the impression, so that its budgets count them: of sources, and of segments that
 * have a price of their own. A flat price has no part by the impression: it is booked when the day is over, see `bookFlatPrices`.
 */
export async function readDataPrices({ warehouse, things }: Pick<DmpDeps, 'warehouse' | 'things'>): Promise<DataPriceOf> {
  const prices = new Map<string, DataPrice>();
  for (const { id, body } of things.list('source')) {
    const { price, revoked } = termsOf(body);
    const part = revoked === null ? partOf(price) : null;
    if (part !== null) prices.set(id, part);
  }
  const isSold = things.list('segment').some(({ body }) => priceOfSegment(body) !== null);
  if (prices.size === 0 && !isSold) return () => null;
  // Which sources hold what is asked of every table: only where one of them has a price.
  const presence: Presence = prices.size === 0 ? new Map() : await readPresence(warehouse);
  const moment = momentOf(things, presence);
  return (lineItem) => {
    const segments = segmentsOf(lineItem);
    const parts = [...sourceParts(moment, segments, prices), ...[...pricesIn(moment, segments).values()].map(partOf)];
    const cpm = parts.reduce((sum, part) => sum + (part?.cpm ?? 0), 0);
    const share = parts.reduce((sum, part) => sum + (part?.share ?? 0), 0);
    return cpm === 0 && share === 0 ? null : { cpm, share };
  };
}

function sourceParts(moment: Moment, segments: readonly string[], prices: ReadonlyMap<string, DataPrice>): DataPrice[] {
  if (prices.size === 0) return [];
  return standingOf(moment, segments).flatMap(({ source, used }) => (used ? (prices.get(source) ?? []) : []));
}

/** What of a price falls on an impression. */
function partOf(price: Price | null): DataPrice | null {
  const cpm = price?.model === 'cpm' ? (price.micros ?? 0) : 0;
  const share = price?.model === 'share' ? Math.round((price.percent ?? 0) * 100) : 0;
  return cpm > 0 || share > 0 ? { cpm, share } : null;
}
