import { chance, gauss, logNormal, pick, TOPIC, uuid } from './chance.ts';
import { type CityMap, metres, onStreet, type Place } from './map.ts';
import type { CitySettings } from './settings.ts';

export interface Shopper {
  readonly index: number;
  readonly home: Place;
  readonly work: Place;
  /** Advertising id of the phone; null where tracking is limited (`lmt` = 1). */
  readonly ifa: string | null;
  /** The exchange's user id in the browser. */
  readonly exchangeUser: string;
  /** Loyalty card, which names the person on receipts. */
  readonly loyalty: string | null;
  /** Whether the phone's apps may share where it is: only then are there pings. */
  readonly sharesLocation: boolean;
  /** Whether the browser's id has been linked with the phone and the card. */
  readonly linked: boolean;
  readonly os: 'ios' | 'android';
  /** Chance to visit one of the advertiser's stores on a day, without ads. */
  readonly base: number;
  /** Chance to visit one of the competitor's on a day. */
  readonly rivalBase: number;
  /** Page views a day, on average. */
  readonly views: number;
  /** The stores with how often each is chosen, ascending, the last 1. */
  readonly favourites: readonly number[];
  readonly rivalFavourites: readonly number[];
}

const LIMITED = 0.07;
const SHARES = 0.86;
const LOYAL = 0.88;
const LINKED = 0.95;
/** Nobody lives or works so near a store that being at home looks like a visit. */
const CLEARANCE = 260;

export function drawShopper(settings: Pick<CitySettings, 'seed'>, map: CityMap, index: number): Shopper {
  const { seed } = settings;
  const home = awayFromStores(seed, map, TOPIC.home, index);
  const work = awayFromStores(seed, map, TOPIC.work, index);
  const limited = chance(seed, TOPIC.consent, index, 1) < LIMITED;
  return {
    index,
    home,
    work,
    ifa: limited ? null : uuid(seed, TOPIC.device, index),
    exchangeUser: `u${index}-${uuid(seed, TOPIC.device, -1 - index).slice(0, 8)}`,
    loyalty: chance(seed, TOPIC.card, index) < LOYAL ? `B${String(7_000_000 + index)}` : null,
    sharesLocation: !limited && chance(seed, TOPIC.consent, index, 2) < SHARES,
    linked: !limited && chance(seed, TOPIC.consent, index, 3) < LINKED,
    os: pick(['ios', 'android'] as const, chance(seed, TOPIC.device, index, 9)),
    base: dailyChance(nearest(home, work, map.stores), gauss(seed, TOPIC.habit, index, 1)),
    rivalBase: dailyChance(nearest(home, work, map.rivals), gauss(seed, TOPIC.habit, index, 2)),
    views: Math.min(4, logNormal(1.5, 0.35, gauss(seed, TOPIC.habit, index, 3))),
    favourites: shares(map.stores, home, work),
    rivalFavourites: shares(map.rivals, home, work),
  };
}

function awayFromStores(seed: number, map: CityMap, topic: number, index: number): Place {
  for (let tryNo = 0; ; tryNo++) {
    const place = onStreet(seed, topic, index, tryNo);
    if ([...map.stores, ...map.rivals].every((store) => metres(place, store) > CLEARANCE)) return place;
  }
}

function nearest(home: Place, work: Place, stores: readonly Place[]): number {
  return Math.min(...stores.map((store) => Math.min(metres(home, store), metres(work, store))));
}

/** Falls with the way: about a visit in two to six weeks. */
function dailyChance(way: number, normal: number): number {
  return Math.min(0.1, logNormal(0.012 + 0.03 * Math.exp(-way / 1_200), 0.35, normal));
}

/** Cumulative shares of the stores by distance. */
function shares(stores: readonly Place[], home: Place, work: Place): number[] {
  const weights = stores.map((store) => Math.exp(-Math.min(metres(home, store), metres(work, store)) / 700));
  const total = weights.reduce((sum, weight) => sum + weight, 0);
  let sum = 0;
  return weights.map((weight, index) => {
    sum += weight / total;
    return index === weights.length - 1 ? 1 : sum;
  });
}

/** The identifiers that a linking event names together; only one where there is nothing to link. */
export function identifiersOf(shopper: Shopper, exchange: string): { kind: string; value: string }[] {
  return [
    ...(shopper.ifa === null ? [] : [{ kind: 'ifa', value: shopper.ifa }]),
    ...(shopper.loyalty === null ? [] : [{ kind: 'loyalty', value: shopper.loyalty }]),
    ...(shopper.linked ? [{ kind: 'exchange', value: `${exchange}:${shopper.exchangeUser}` }] : []),
  ];
}
