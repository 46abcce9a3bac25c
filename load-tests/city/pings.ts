import type { Fence } from '../../proto/fence.ts';
import type { Outing } from './causal.ts';
import { chance, gauss, logNormal, pick, TOPIC } from './chance.ts';
import { type CityMap, moved, type Place, UTC_OFFSET_HOURS } from './map.ts';
import { type CitySettings, DAY, HOUR, MINUTE } from './settings.ts';
import type { Shopper } from './shoppers.ts';

export interface CityPing extends Place {
  /** Epoch ms. */
  readonly at: number;
  /** Metres, as the phone reports it: 68 of 100 fixes lie within. */
  readonly accuracy: number;
}

/** Standard deviation along one axis of a fix whose 68 % radius is 1: 1 / sqrt(−2 ln 0.32). */
export const AXIS_PER_ACCURACY = 1 / Math.sqrt(-2 * Math.log(0.32));
const LOW_ACCURACY = 0.05;
const LOST = 0.04;
/** Share of visits in which the phone is silent for some minutes. */
const INDOOR_GAP = 0.1;
/** Share of days on which the phone reports only its visits. */
const QUIET_DAY = 0.12;
const DRIVE_BY = 0.1;
/** Nothing else is reported so near to a visit, so that nobody is in two places. */
const CLEAR = 12 * MINUTE;

/** A fix of somebody who is at a place: Gaussian noise that grows with the stated accuracy. `key` makes the draw its own. */
export function fix(seed: number, shopper: number, place: Place, at: number, key: number): CityPing {
  const draw = (n: number): number => chance(seed, TOPIC.ping, shopper, key, n);
  const accuracy =
    draw(0) < LOW_ACCURACY
      ? logNormal(250, 0.5, gauss(seed, TOPIC.ping, shopper, key, 1))
      : Math.min(60, Math.max(4, logNormal(13, 0.45, gauss(seed, TOPIC.ping, shopper, key, 1))));
  const spread = accuracy * AXIS_PER_ACCURACY;
  const east = spread * gauss(seed, TOPIC.ping, shopper, key, 3);
  const north = spread * gauss(seed, TOPIC.ping, shopper, key, 5);
  const { lat, lon } = moved(place, east, north);
  return { at: Math.round(at), lat: round(lat, 6), lon: round(lon, 6), accuracy: round(accuracy, 1) };
}

/** Dense fixes of a visit: every one to two minutes, some lost, sometimes a gap, one on the way there and one after. */
export function visitPings(settings: CitySettings, outing: Outing): CityPing[] {
  const { seed } = settings;
  const { shopper, day, store, from, until } = outing;
  const draw = (n: number): number => chance(seed, TOPIC.spot, shopper, day, n + (from % 97));
  const spot = insideOf(store.fence, store, draw(1), draw(2));
  const gap = draw(3) < INDOOR_GAP ? from + 3 * MINUTE : Number.POSITIVE_INFINITY;
  const pings = [fix(seed, shopper, moved(store, 420, -180), from - 4 * MINUTE, keyOf(from, 0))];
  let n = 1;
  for (let at = from + 10_000; at < until; at += MINUTE * (1 + draw(10 + n))) {
    const silent = at > gap && at < gap + 7 * MINUTE;
    if (!silent && (n === 1 || draw(50 + n) >= LOST)) pings.push(fix(seed, shopper, spot, at, keyOf(from, n)));
    n++;
  }
  pings.push(fix(seed, shopper, moved(store, -380, 260), until + 4 * MINUTE, keyOf(from, n)));
  return pings;
}

/** Minutes since the epoch and a number below 64: no two fixes of a phone have the same. */
function keyOf(at: number, n: number): number {
  return (Math.floor(at / MINUTE) % 10_000_000) * 64 + n;
}

/** Where people stand in a store: well within its walls. */
function insideOf(fence: Fence, store: Place, u: number, v: number): Place {
  const reach = fence.type === 'circle' ? 18 : 10;
  return moved(store, (u * 2 - 1) * reach, (v * 2 - 1) * reach);
}

/** Sparse fixes at home and at work, and now and then a drive past a store; none of them is a visit. */
export function backgroundPings(
  settings: CitySettings,
  map: CityMap,
  shopper: Shopper,
  day: number,
  visits: readonly Outing[],
): CityPing[] {
  const { seed, start } = settings;
  const midnight = start + day * DAY - UTC_OFFSET_HOURS * HOUR;
  const draw = (n: number): number => chance(seed, TOPIC.background, shopper.index, day, n);
  if (draw(0) < QUIET_DAY) return [];
  const places: [Place, number][] = [
    [shopper.home, 6.5 + draw(1)],
    [shopper.work, 9.5 + 2 * draw(2)],
    [shopper.work, 14 + 2 * draw(3)],
    [shopper.home, 20.5 + draw(4)],
    [shopper.home, 22 + draw(5)],
  ];
  const seen = places.map(([place, hour], n) => fix(seed, shopper.index, place, midnight + hour * HOUR, dayKey(day, n)));
  const passing = draw(6) < DRIVE_BY ? driveBy(settings, map, shopper, day, midnight) : [];
  return [...seen, ...passing].filter((ping) =>
    visits.every((visit) => ping.at < visit.from - CLEAR || ping.at > visit.until + CLEAR),
  );
}

/** Past a store at 12 m/s. */
function driveBy(settings: CitySettings, map: CityMap, shopper: Shopper, day: number, midnight: number): CityPing[] {
  const draw = (n: number): number => chance(settings.seed, TOPIC.driveBy, shopper.index, day, n);
  const store = pick(map.stores, draw(1));
  const at = midnight + (8.2 + draw(2)) * HOUR;
  const aside = 20 + 30 * draw(3);
  return Array.from({ length: 4 }, (_, n) => {
    const place = moved(store, (n - 1.5) * 84, aside);
    return fix(settings.seed, shopper.index, place, at + n * 7_000, dayKey(day, 20 + n));
  });
}

function dayKey(day: number, n: number): number {
  return -((day + 1_000) * 64 + n);
}

function round(value: number, digits: number): number {
  const scale = 10 ** digits;
  return Math.round(value * scale) / scale;
}
