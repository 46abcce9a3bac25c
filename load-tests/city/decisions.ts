import { setTimeout as sleep } from 'node:timers/promises';
import { connect } from '../exchange/connection.ts';
import { type Exchange, isBidOn } from '../exchange/exchange.ts';
import { type Api, openApi } from './api.ts';
import type { City } from './city.ts';
import { viewsOf } from './days.ts';
import type { Ledger, ShopperRecord } from './ledger.ts';
import { campaign, IDS, type Resource } from './plan.ts';
import { inParallel } from './pool.ts';
import type { ArmCounts, Report } from './report.ts';
import type { Place } from './run.ts';
import { allServe } from './served.ts';
import { putAll } from './set-up.ts';
import { endOf } from './settings.ts';
import type { Shopper } from './shoppers.ts';
import { revenueOf, type Truth, visitsWithoutAds } from './truth.ts';

/** Few at once: whoever asks faster than allowances come is refused for the moment, which is a first decision of another moment. */
const WIDTH = 8;
/** New line items have their first allowances some 60 ms after they are served, on a busy machine later. */
const ALLOWANCES_MS = 2_000;
/** Line items of one campaign of the city. */
const OURS = 2;

/**
 * When Walkin decides on each shopper for the first time, epoch ms, or null where it never does: found by a second campaign that holds
 * nobody out, in place of the city's own, which is paused. Until the first decision nothing depends on the arm, so these are the first
 * bids of the treated and the first ghosts of the held out; a holdout by which they differ is no fair split. `asked`: how often it was
 * asked before, since whom a campaign has bid on it may not bid on again.
 */
export async function firstDecisions(place: Place, city: City, asked = 0): Promise<(number | null)[]> {
  const api = openApi(place.api, place.key);
  const bidder = connect(place.bidder, WIDTH);
  const { settings } = city;
  const exchange: Exchange = { bidder, id: IDS.exchange, seed: settings.seed, end: endOf(settings) };
  const first: (number | null)[] = [];
  try {
    await holdNobodyOut(api, city, asked);
    await inParallel(city.shoppers, WIDTH, async (shopper) => {
      first[shopper.index] = await firstDecision(exchange, city, shopper);
    });
    return first;
  } finally {
    bidder.close();
    api.close();
  }
}

async function holdNobodyOut(api: Api, city: City, asked: number): Promise<void> {
  const { settings } = city;
  const everybody = (attempt: number) =>
    campaign({ ...city, settings: { ...settings, attempt: settings.attempt + attempt, holdout: 0 } });
  await putAll(api, everybody(asked + 1));
  await allServe(api, (lineItems) => lineItems >= 2 * OURS);
  const before = asked === 0 ? campaign(city) : everybody(asked);
  await putAll(api, before.filter(isLineItem).map(paused));
  await allServe(api, (lineItems) => lineItems === OURS);
  await sleep(ALLOWANCES_MS);
}

const isLineItem = ({ path }: Resource): boolean => path.startsWith('/v1/line-items/');
const paused = ({ path, body }: Resource): Resource => ({ path, body: { ...(body as object), status: 'paused' } });

async function firstDecision(exchange: Exchange, city: City, shopper: Shopper): Promise<number | null> {
  for (let day = 0; day < city.settings.days; day++) {
    for (const view of viewsOf(city, shopper, day)) if (await isBidOn(exchange, shopper, view)) return view.at;
  }
  return null;
}

/** What the report must say of the arms if the holdout split whom Walkin decided on, and did nothing else. */
export interface FairArms {
  readonly treated: ArmCounts;
  readonly control: ArmCounts;
  /** Treated people whose first bid came at another moment than it would have without a holdout. */
  readonly moved: number;
  /** Indexes of the shoppers who were decided on and never bid on. */
  readonly heldOut: readonly number[];
}

export function fairArms(city: City, ledger: Ledger, truth: Truth, first: readonly (number | null)[]): FairArms {
  const firstBid = ({ index }: Shopper): number | null => (ledger.shoppers[index] as ShopperRecord).firstBid;
  const since = ({ index }: Shopper): number | null => first[index] ?? null;
  const treated = city.shoppers.filter((shopper) => firstBid(shopper) !== null);
  const heldOut = city.shoppers.filter((shopper) => firstBid(shopper) === null && since(shopper) !== null);
  const stayed = (shopper: Shopper) => visitsWithoutAds(city, shopper, since(shopper));
  return {
    treated: { people: treated.length, visitors: truth.visitors, revenueMicros: truth.revenueMicros },
    control: {
      people: heldOut.length,
      visitors: heldOut.filter((shopper) => shopper.sharesLocation && stayed(shopper).length > 0).length,
      revenueMicros: heldOut.reduce((sum, shopper) => sum + (shopper.loyalty === null ? 0 : revenueOf(city, stayed(shopper))), 0),
    },
    heldOut: heldOut.map(({ index }) => index),
    moved: treated.filter((shopper) => firstBid(shopper) !== since(shopper)).length,
  };
}

/** The same of the report. */
export function toldArms({ lift: { arms } }: Report): Pick<FairArms, 'treated' | 'control'> {
  const counts = ({ people, visitors, revenueMicros }: ArmCounts): ArmCounts => ({ people, visitors, revenueMicros });
  return { treated: counts(arms.treated), control: counts(arms.control) };
}
