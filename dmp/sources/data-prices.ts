import type { DataPrice } from '../../proto/money.ts';
import type { LineItem } from '../campaigns/line-item.ts';
import type { DmpDeps } from '../deps.ts';
import { segmentsOf, standingOf } from './lineage.ts';
import { momentOf, readPresence } from './presence.ts';
import { termsOf } from './source.ts';

export type DataPriceOf = (lineItem: LineItem) => DataPrice | null;

/**
 * What the data that a line item stands on now cost it by the impression, so that its budgets count them. A flat price has no part
 * by the impression: it is booked when the day is over, see `bookFlatPrices`.
 */
export async function readDataPrices({ warehouse, things }: Pick<DmpDeps, 'warehouse' | 'things'>): Promise<DataPriceOf> {
  const prices = new Map<string, DataPrice>();
  for (const { id, body } of things.list('source')) {
    const { price, revoked } = termsOf(body);
    if (revoked !== null || price === null || price.model === 'flat') continue;
    const cpm = price.model === 'cpm' ? (price.micros ?? 0) : 0;
    const share = price.model === 'share' ? Math.round((price.percent ?? 0) * 100) : 0;
    if (cpm > 0 || share > 0) prices.set(id, { cpm, share });
  }
  if (prices.size === 0) return () => null;
  const moment = momentOf(things, await readPresence(warehouse));
  return (lineItem) => {
    let cpm = 0;
    let share = 0;
    for (const { source, used } of standingOf(moment, segmentsOf(lineItem))) {
      const price = used ? prices.get(source) : undefined;
      cpm += price?.cpm ?? 0;
      share += price?.share ?? 0;
    }
    return cpm === 0 && share === 0 ? null : { cpm, share };
  };
}
