import type { Outing } from './causal.ts';
import { chance, gauss, TOPIC } from './chance.ts';
import { type CityMap, type CityStore, metres, moved, type Place, UTC_OFFSET_HOURS } from './map.ts';
import { AXIS_PER_ACCURACY } from './pings.ts';
import { type CitySettings, DAY, HOUR, MINUTE } from './settings.ts';
import type { Shopper } from './shoppers.ts';

/** A page or app screen with room for one ad. */
export interface PageView {
  /** Id of its auction. */
  readonly auction: string;
  /** Epoch ms. */
  readonly at: number;
  readonly kind: 'app' | 'site';
  /** Where the app says the phone is, or null. */
  readonly fix: (Place & { readonly accuracy: number }) | null;
}

/** Slots of a day in which a view may fall, local hours, with where the shopper is then. */
const SLOTS: readonly (readonly [hour: number, where: 'home' | 'work' | 'street'])[] = [
  [7.2, 'home'],
  [8.4, 'street'],
  [10, 'work'],
  [12.5, 'street'],
  [15.2, 'work'],
  [18, 'street'],
  [20.5, 'home'],
  [22.2, 'home'],
];
const SLOT_MINUTES = 40;
const SITE = 0.25;
const PRECISE = 0.85;
/** A view during a visit would make "before or after the ad" a matter of seconds. */
const CLEAR = 12 * MINUTE;

/** The day's page views in order. They do not depend on ads, and never fall into a possible visit. */
export function pageViews(
  settings: CitySettings,
  map: CityMap,
  shopper: Shopper,
  day: number,
  outings: readonly (Outing | null)[],
): PageView[] {
  const { seed, start, attempt } = settings;
  const midnight = start + day * DAY - UTC_OFFSET_HOURS * HOUR;
  const share = shopper.views / SLOTS.length;
  return SLOTS.flatMap(([hour, where], slot) => {
    const draw = (n: number): number => chance(seed, TOPIC.view, shopper.index, day, slot * 16 + n);
    if (draw(0) >= share) return [];
    const at = Math.round(midnight + hour * HOUR + draw(1) * SLOT_MINUTES * MINUTE);
    if (outings.some((outing) => outing !== null && at > outing.from - CLEAR && at < outing.until + CLEAR)) return [];
    const kind = draw(2) < SITE ? 'site' : 'app';
    const told = kind === 'app' && shopper.sharesLocation && draw(3) < PRECISE;
    const fix = told ? fixAt(seed, shopper, day, slot, placeOf(map, shopper, where, draw(4), draw(5))) : null;
    return [{ auction: `a${attempt}-${shopper.index}-${day}-${slot}`, at, kind, fix }];
  });
}

function placeOf(map: CityMap, shopper: Shopper, where: 'home' | 'work' | 'street', u: number, v: number): Place {
  if (where !== 'street') return shopper[where];
  const store = nearestStore(map, u < 0.5 ? shopper.home : shopper.work);
  const angle = v * 2 * Math.PI;
  const away = 150 + 800 * Math.abs(u * 2 - 1);
  return moved(store, away * Math.cos(angle), away * Math.sin(angle));
}

export function nearestStore(map: CityMap, place: Place): CityStore {
  return map.stores.reduce((best, store) => (metres(place, store) < metres(place, best) ? store : best));
}

function fixAt(seed: number, shopper: Shopper, day: number, slot: number, place: Place): Place & { accuracy: number } {
  const accuracy = 5 + Math.round(25 * chance(seed, TOPIC.view, shopper.index, day, slot * 16 + 6));
  const spread = accuracy * AXIS_PER_ACCURACY;
  const east = spread * gauss(seed, TOPIC.view, shopper.index, day, slot * 16 + 7);
  const north = spread * gauss(seed, TOPIC.view, shopper.index, day, slot * 16 + 9);
  const { lat, lon } = moved(place, east, north);
  return { lat: Number(lat.toFixed(6)), lon: Number(lon.toFixed(6)), accuracy };
}
