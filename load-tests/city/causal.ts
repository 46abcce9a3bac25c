import { chance, pick, TOPIC } from './chance.ts';
import { type CityMap, type CityStore, UTC_OFFSET_HOURS } from './map.ts';
import { type CitySettings, DAY, HOUR, MINUTE } from './settings.ts';
import type { Shopper } from './shoppers.ts';

/**
 * The known truth. Potential outcomes by common random numbers: one draw `u` per shopper and day; without ads the shopper goes
 * iff u < base, with a recent exposure iff u < base + effect. When, where, how long and what is bought is drawn alike in both
 * worlds, so the difference between the worlds is exactly what the ads caused.
 */
export interface Outing {
  readonly shopper: number;
  /** Days since the first ad, negative before it. */
  readonly day: number;
  readonly store: CityStore;
  /** Epoch ms, [from, until). */
  readonly from: number;
  readonly until: number;
  readonly u: number;
  readonly base: number;
}

/** How long an exposure works. */
export const RECENT = 3 * DAY;
const SHORTEST = 8 * MINUTE;
const LONGEST = 30 * MINUTE;

/** The day's possible way to one of the advertiser's stores. */
export function outingOf(settings: CitySettings, map: CityMap, shopper: Shopper, day: number): Outing {
  const { seed } = settings;
  const draw = chance(seed, TOPIC.outingStore, shopper.index, day);
  const store = map.stores[shopper.favourites.findIndex((share) => draw < share)] as CityStore;
  const times = timesOf(settings, shopper.index, day, 0.55);
  return { shopper: shopper.index, day, store, ...times, u: chance(seed, TOPIC.outing, shopper.index, day), base: shopper.base };
}

/** The day's visit to one of the competitor's stores, or null. Ads do not change it. */
export function rivalOutingOf(settings: CitySettings, map: CityMap, shopper: Shopper, day: number): Outing | null {
  const u = chance(settings.seed, TOPIC.rivalOuting, shopper.index, day);
  if (u >= shopper.rivalBase) return null;
  const draw = chance(settings.seed, TOPIC.rivalOuting, shopper.index, day, 1);
  const store = map.rivals[shopper.rivalFavourites.findIndex((share) => draw < share)] as CityStore;
  const times = timesOf(settings, shopper.index, day, 0.05);
  return { shopper: shopper.index, day, store, ...times, u, base: shopper.rivalBase };
}

/**
 * Times inside every store's hours (10 to 20 o'clock local). Own and rival outings of a day get different halves, so nobody is
 * in two stores at once.
 */
function timesOf(settings: CitySettings, shopper: number, day: number, half: number): { from: number; until: number } {
  const topic = half > 0.5 ? 1 : 2;
  const hour = 10 + 10 * (half + 0.4 * chance(settings.seed, TOPIC.outingTime, shopper, day, topic));
  const from = Math.round(settings.start + day * DAY + (hour - UTC_OFFSET_HOURS) * HOUR);
  const dwell = SHORTEST + (LONGEST - SHORTEST) * chance(settings.seed, TOPIC.outingTime, shopper, day, topic + 2);
  return { from, until: Math.round(from + dwell) };
}

export function goesWithoutAds(outing: Outing): boolean {
  return outing.u < outing.base;
}

/** Whether the shopper goes, given the times of the exposures so far. */
export function goes(outing: Outing, effect: number, exposures: readonly number[]): boolean {
  const recent = exposures.some((at) => at < outing.from && at >= outing.from - RECENT);
  return outing.u < outing.base + (recent ? effect : 0);
}

export interface BasketLine {
  readonly product: string;
  readonly category: string;
  readonly department: string;
  readonly brand: string;
  readonly quantity: number;
  readonly amountMicros: number;
}

interface Goods {
  readonly product: string;
  readonly category: string;
  readonly department: string;
  /** Price of one, cents. */
  readonly cents: number;
}

const GOODS: readonly Goods[] = [
  { product: 'milk-1l', category: 'MILK', department: 'DAIRY', cents: 149 },
  { product: 'yoghurt', category: 'YOGHURT', department: 'DAIRY', cents: 99 },
  { product: 'cheese', category: 'CHEESE', department: 'DAIRY', cents: 459 },
  { product: 'rye-bread', category: 'BREAD', department: 'BAKERY', cents: 189 },
  { product: 'croissant', category: 'PASTRY', department: 'BAKERY', cents: 139 },
  { product: 'apples', category: 'FRUIT', department: 'PRODUCE', cents: 279 },
  { product: 'tomatoes', category: 'VEGETABLES', department: 'PRODUCE', cents: 329 },
  { product: 'cola', category: 'SOFT DRINKS', department: 'DRINKS', cents: 199 },
  { product: 'coffee', category: 'COFFEE', department: 'DRINKS', cents: 749 },
  { product: 'chicken', category: 'POULTRY', department: 'MEAT', cents: 689 },
  { product: 'soap', category: 'HOUSEHOLD', department: 'NON-FOOD', cents: 349 },
];
const BRANDS = ['Birch', 'Northfield', 'Sunny Farm'] as const;
const BUYS = 0.9;

/** What a visit ends with at the till; empty where nothing is bought. One line a product. */
export function basketOf(settings: CitySettings, outing: Outing): BasketLine[] {
  const draw = (n: number): number => chance(settings.seed, TOPIC.basket, outing.shopper, outing.day, n);
  if (draw(0) >= BUYS) return [];
  const first = Math.floor(draw(1) * GOODS.length);
  return Array.from({ length: 1 + Math.floor(draw(2) * 5) }, (_, n) => {
    const { cents, ...goods } = GOODS[(first + n * 3) % GOODS.length] as Goods;
    const quantity = 1 + Math.floor(draw(10 + n) ** 2 * 3);
    return { ...goods, brand: pick(BRANDS, draw(20 + n)), quantity, amountMicros: quantity * cents * 10_000 };
  });
}

export function basketSum(lines: readonly BasketLine[]): number {
  return lines.reduce((sum, line) => sum + line.amountMicros, 0);
}
