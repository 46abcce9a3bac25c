import { basketOf, basketSum, goesWithoutAds, type Outing, outingOf } from './causal.ts';
import type { City } from './city.ts';
import type { Ledger, ShopperRecord, Touch } from './ledger.ts';
import { tillTime } from './receipts.ts';
import { DAY } from './settings.ts';
import type { Shopper } from './shoppers.ts';

/** What the ads really did, known because both worlds of every shopper are known. */
export interface Truth {
  /** People who got a bid. */
  readonly treated: number;
  readonly reached: number;
  /** Treated people whose phone is seen, with a visit after their first bid. */
  readonly visitors: number;
  /** The same people in the world without ads. */
  readonly visitorsWithoutAds: number;
  readonly incrementalVisitors: number;
  /** visitors / visitorsWithoutAds − 1 */
  readonly relativeLift: number;
  /** Treated people's receipts with a card after their first bid, micros. */
  readonly revenueMicros: number;
  readonly incrementalRevenueMicros: number;
  /** Everybody's, card and consent or not: what no report can see. */
  readonly allIncrementalVisitors: number;
  readonly attributed: {
    readonly purchases: number;
    readonly revenueMicros: number;
    readonly visits: number;
    readonly visitors: number;
  };
}

const CLICK_WINDOW = 30 * DAY;
const VIEW_WINDOW = 14 * DAY;

export function truthOf(city: City, ledger: Ledger): Truth {
  const treated = city.shoppers.filter((shopper) => recordOf(ledger, shopper).firstBid !== null);
  const seen = treated.filter((shopper) => shopper.sharesLocation);
  const visitors = seen.filter((shopper) => after(ledger, shopper).length > 0).length;
  const visitorsWithoutAds = seen.filter((shopper) => afterWithoutAds(city, ledger, shopper).length > 0).length;
  const loyal = treated.filter((shopper) => shopper.loyalty !== null);
  const revenueMicros = sum(loyal, (shopper) => revenueOf(city, after(ledger, shopper)));
  const without = sum(loyal, (shopper) => revenueOf(city, afterWithoutAds(city, ledger, shopper)));
  const all = sum(treated, (shopper) =>
    Number(after(ledger, shopper).length > 0 && afterWithoutAds(city, ledger, shopper).length === 0),
  );
  return {
    treated: treated.length,
    reached: city.shoppers.filter((shopper) => recordOf(ledger, shopper).impressions.length > 0).length,
    visitors,
    visitorsWithoutAds,
    incrementalVisitors: visitors - visitorsWithoutAds,
    relativeLift: visitorsWithoutAds === 0 ? Number.NaN : visitors / visitorsWithoutAds - 1,
    revenueMicros,
    incrementalRevenueMicros: revenueMicros - without,
    allIncrementalVisitors: all,
    attributed: attributedOf(city, ledger),
  };
}

function recordOf(ledger: Ledger, shopper: Shopper): ShopperRecord {
  return ledger.shoppers[shopper.index] as ShopperRecord;
}

function after(ledger: Ledger, shopper: Shopper): Outing[] {
  const { firstBid, visits } = recordOf(ledger, shopper);
  return visits.filter((visit) => firstBid !== null && visit.from > firstBid);
}

function afterWithoutAds(city: City, ledger: Ledger, shopper: Shopper): Outing[] {
  return visitsWithoutAds(city, shopper, recordOf(ledger, shopper).firstBid);
}

/** Where a shopper goes without ads after some moment; null: it never came. */
export function visitsWithoutAds({ settings, map }: City, shopper: Shopper, since: number | null): Outing[] {
  const days = Array.from({ length: settings.days }, (_, day) => outingOf(settings, map, shopper, day));
  return days.filter((outing) => goesWithoutAds(outing) && since !== null && outing.from > since);
}

export function revenueOf(city: City, visits: readonly Outing[]): number {
  return sum(visits, (visit) => basketSum(basketOf(city.settings, visit)));
}

/** The report's attribution on the city's own books: credited to a touch at or before it, within its window. */
function attributedOf(city: City, ledger: Ledger): Truth['attributed'] {
  let [purchases, revenueMicros, visits, visitors] = [0, 0, 0, 0];
  for (const shopper of city.shoppers) {
    const record = recordOf(ledger, shopper);
    const bought = shopper.loyalty === null ? [] : record.visits.filter((visit) => isCredited(record, tillTime(visit)));
    const baskets = bought.map((visit) => basketOf(city.settings, visit)).filter((basket) => basket.length > 0);
    purchases += baskets.length;
    revenueMicros += sum(baskets, basketSum);
    const credited = shopper.sharesLocation ? record.visits.filter((visit) => isCredited(record, visit.from)).length : 0;
    visits += credited;
    visitors += Number(credited > 0);
  }
  return { purchases, revenueMicros, visits, visitors };
}

function isCredited(record: ShopperRecord, at: number): boolean {
  const within = (touches: readonly Touch[], window: number): boolean =>
    touches.some((touch) => touch.at <= at && at - touch.at <= window);
  return within(record.clicks, CLICK_WINDOW) || within(record.impressions, VIEW_WINDOW);
}

function sum<T>(list: readonly T[], of: (item: T) => number): number {
  return list.reduce((total, item) => total + of(item), 0);
}

/** People whose phone is seen and who visited one of the stores in [from, to). */
export function visitorsOf(
  city: City,
  ledger: Ledger,
  { stores, from, to }: { readonly stores: readonly string[]; readonly from: number; readonly to: number },
): number {
  const went = (shopper: Shopper): boolean =>
    recordOf(ledger, shopper).visits.some((visit) => visit.from >= from && visit.from < to && stores.includes(visit.store.id));
  return city.shoppers.filter((shopper) => shopper.sharesLocation && went(shopper)).length;
}
