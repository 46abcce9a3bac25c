import { connect } from '../exchange/connection.ts';
import { type Exchange, sell } from '../exchange/exchange.ts';
import { type Api, openApi } from './api.ts';
import { type City, drawCity } from './city.ts';
import { type DayEvents, eventsOf, historyOf, liveDay } from './days.ts';
import { type FoundVisits, foundVisits } from './found-visits.ts';
import { type Ledger, openLedger, totalOf } from './ledger.ts';
import { creatives, IDS } from './plan.ts';
import { inParallel } from './pool.ts';
import { type Report, whenBooked } from './report.ts';
import { allServe, refresh } from './served.ts';
import { setUp } from './set-up.ts';
import { type CitySettings, endOf } from './settings.ts';
import { type Truth, truthOf } from './truth.ts';

export interface Place {
  /** Base addresses. */
  readonly api: string;
  readonly bidder: string;
  readonly key: string;
}

export interface RunOptions {
  /** A line of progress. */
  readonly say: (text: string) => void;
  /** Called after each day's auctions. */
  readonly afterDay?: (day: number) => void | Promise<void>;
  /** Shoppers whose views are sold at a time. */
  readonly width?: number;
}

export interface CityRun {
  readonly city: City;
  readonly ledger: Ledger;
  readonly report: Report;
  readonly truth: Truth;
  readonly visits: FoundVisits;
  /** Seconds by stage. */
  readonly seconds: Readonly<Record<string, number>>;
}

/** Lines in flight; more only makes them wait for the same cores. */
const WIDTH = 32;

/** The whole loop against a running Walkin, over HTTP only. */
export async function runCity(place: Place, settings: CitySettings, options: RunOptions): Promise<CityRun> {
  const { timed, seconds } = stopwatch(options.say);
  const api = openApi(place.api, place.key);
  const city = drawCity(settings);
  try {
    await timed(
      'set-up',
      () => setUp(api, city),
      () => `${city.map.stores.length} stores, 4 segments, a campaign with 2 line items`,
    );
    await timed(
      'history',
      () => sendHistory(api, city),
      (sent) => `${sent} events before the campaign`,
    );
    await timed(
      'segments',
      () => refresh(api),
      () => 'people resolved, visits found, segments published',
    );
    await timed(
      'snapshot',
      () => allServe(api, (lineItems) => lineItems >= 2),
      (view) => `version ${view.version} served by ${view.workers.length} bidder workers`,
    );
    const ledger = await timed(
      'auctions',
      () => liveDays(api, place, city, options),
      (book) => `${book.requests} auctions`,
    );
    await timed(
      'refresh',
      () => refresh(api),
      () => 'visits and purchases of the campaign',
    );
    const report = await timed(
      'report',
      () => whenBooked(api, city, totalOf(ledger)),
      () => 'conversions and lift',
    );
    const visits = await timed(
      'visits',
      () => foundVisits(api, city, ledger),
      (found) => `${found.found} found`,
    );
    return { city, ledger, report, truth: truthOf(city, ledger), visits, seconds };
  } finally {
    api.close();
  }
}

export async function sendHistory(api: Api, city: City): Promise<number> {
  const { identities, receipts, pings } = historyOf(city, IDS.exchange);
  await api.events(IDS.app, identities);
  const [bought, seen] = await Promise.all([api.events(IDS.till, receipts), api.events(IDS.app, pings)]);
  return identities.length + bought + seen;
}

/** Day by day: views, auctions and notices of everybody, then who went out; the day's events are sent during the next. */
async function liveDays(api: Api, place: Place, city: City, options: RunOptions): Promise<Ledger> {
  const { settings } = city;
  const ledger = openLedger(city.shoppers.length);
  const bidder = connect(place.bidder, options.width ?? WIDTH);
  const exchange: Exchange = { bidder, id: IDS.exchange, seed: settings.seed, end: endOf(settings) };
  const made = new Map(creatives(settings.attempt).map(({ id, lineItem }) => [id, lineItem]));
  const lineItemOf = (creative: string): string => made.get(creative) ?? `unknown creative ${creative}`;
  let sending: Promise<void> = Promise.resolve();
  try {
    for (let day = 0; day < settings.days; day++) {
      await inParallel(city.shoppers, options.width ?? WIDTH, (shopper) =>
        liveDay(city, ledger, shopper, day, (who, view) => sell(exchange, who, view), lineItemOf),
      );
      await sending;
      sending = sendDay(api, eventsOf(city, ledger, day));
      // Awaited a day later: until then a failure must not count as unhandled.
      sending.catch(() => undefined);
      await options.afterDay?.(day);
      const { bids, impressions, clicks } = totalOf(ledger);
      options.say(
        `  day ${day + 1} of ${settings.days}: ${ledger.requests} requests, ${bids} bids, ${impressions} impressions, ${clicks} clicks`,
      );
    }
    await sending;
  } finally {
    bidder.close();
  }
  return ledger;
}

export async function sendDay(api: Api, events: DayEvents): Promise<void> {
  await api.events(IDS.app, events.pings);
  await api.events(IDS.till, events.receipts);
}

/** Says each stage with its time. */
function stopwatch(say: (text: string) => void) {
  const seconds: Record<string, number> = {};
  const timed = async <T>(stage: string, work: () => Promise<T>, words: (result: T) => string): Promise<T> => {
    const begun = performance.now();
    const result = await work();
    seconds[stage] = Math.round(performance.now() - begun) / 1000;
    say(`${stage}: ${words(result)} (${seconds[stage].toFixed(1)} s)`);
    return result;
  };
  return { timed, seconds };
}
