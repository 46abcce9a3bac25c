import type { Sale } from '../exchange/exchange.ts';
import { goes, goesWithoutAds, type Outing, outingOf, rivalOutingOf } from './causal.ts';
import type { City } from './city.ts';
import { book, type Ledger, type ShopperRecord } from './ledger.ts';
import { type PageView, pageViews } from './page-views.ts';
import { backgroundPings, visitPings } from './pings.ts';
import { type CityEvent, identifyEvent, pingEvent, receiptOf } from './receipts.ts';
import { DAY, HISTORY_DAYS, HISTORY_PING_DAYS } from './settings.ts';
import type { Shopper } from './shoppers.ts';

/** What the city's tills and apps tell on one day. */
export interface DayEvents {
  readonly pings: CityEvent[];
  readonly receipts: CityEvent[];
}

export type Sell = (shopper: Shopper, view: PageView) => Promise<Sale>;

/** Sells a shopper's page views of a day one after the other, then books whether the shopper went out. */
export async function liveDay(
  city: City,
  ledger: Ledger,
  shopper: Shopper,
  day: number,
  sell: Sell,
  lineItemOf: (creative: string) => string,
): Promise<void> {
  const { settings, map } = city;
  const outing = outingOf(settings, map, shopper, day);
  for (const view of viewsOf(city, shopper, day)) book(ledger, shopper.index, await sell(shopper, view), lineItemOf);
  const record = ledger.shoppers[shopper.index] as ShopperRecord;
  const exposures = record.impressions.map(({ at }) => at);
  if (goes(outing, settings.effect, exposures)) record.visits.push(outing);
}

/** A shopper's page views of a day, in order: the same whatever was bid before. */
export function viewsOf({ settings, map }: City, shopper: Shopper, day: number): PageView[] {
  const outings = [outingOf(settings, map, shopper, day), rivalOutingOf(settings, map, shopper, day)];
  return pageViews(settings, map, shopper, day, outings);
}

/** Pings and receipts of a day with ads, after it was lived. */
export function eventsOf(city: City, ledger: Ledger, day: number): DayEvents {
  const events: DayEvents = { pings: [], receipts: [] };
  for (const shopper of city.shoppers) {
    const visits = (ledger.shoppers[shopper.index] as ShopperRecord).visits.filter((visit) => visit.day === day);
    tell(city, shopper, day, visits, events, true);
  }
  return events;
}

/** Purchases of the weeks before the ads, pings of the last three of them, and who is who. */
export function historyOf(city: City, exchange: string): DayEvents & { identities: CityEvent[] } {
  const { settings, map, shoppers } = city;
  const since = settings.start - HISTORY_DAYS * DAY;
  const identities = shoppers.map((shopper) => identifyEvent(shopper, exchange, since)).filter((event) => event !== null);
  const events: DayEvents = { pings: [], receipts: [] };
  for (let day = -HISTORY_DAYS; day < 0; day++) {
    for (const shopper of shoppers) {
      const outing = outingOf(settings, map, shopper, day);
      const visits = goesWithoutAds(outing) ? [outing] : [];
      tell(city, shopper, day, visits, day >= -HISTORY_PING_DAYS ? events : { pings: [], receipts: events.receipts }, false);
    }
  }
  return { ...events, identities };
}

function tell(
  city: City,
  shopper: Shopper,
  day: number,
  visits: readonly Outing[],
  events: DayEvents,
  background: boolean,
): void {
  const { settings, map } = city;
  for (const visit of visits) {
    const receipt = receiptOf(settings, shopper, visit);
    if (receipt !== null) events.receipts.push(receipt);
  }
  if (!shopper.sharesLocation) return;
  const rival = rivalOutingOf(settings, map, shopper, day);
  const out = rival === null ? visits : [...visits, rival];
  const seen = out.flatMap((visit) => visitPings(settings, visit));
  const rest = background ? backgroundPings(settings, map, shopper, day, out) : [];
  for (const ping of [...seen, ...rest]) events.pings.push(pingEvent(shopper, ping));
}
