import { distance, type Fence } from '../../proto/fence.ts';
import type { WeekHours } from '../../proto/hours.ts';
import { chance, TOPIC } from './chance.ts';

/** Around the real Kazan; the streets, the shops and the people are made up. */
export const CENTRE: Place = { lat: 55.7887, lon: 49.1221 };
/** No daylight saving time: a local day of the city is the same stretch of UTC all year. */
export const TIME_ZONE = 'Europe/Moscow';
export const UTC_OFFSET_HOURS = 3;

export interface Place {
  readonly lat: number;
  readonly lon: number;
}

export interface CityStore extends Place {
  readonly id: string;
  readonly name: string;
  readonly address: string;
  readonly fence: Fence;
  /** Local hours [open, close); 0 to 24 is always open. */
  readonly open: number;
  readonly close: number;
}

export interface CityMap {
  /** The advertiser's. */
  readonly stores: readonly CityStore[];
  /** The competitor's, known to the advertiser as geofences. */
  readonly rivals: readonly CityStore[];
  /** "Near our stores": circles, and one polygon around the store with the polygon. */
  readonly nearby: readonly { readonly id: string; readonly name: string; readonly fence: Fence }[];
}

const STREETS = [
  'Linden',
  'Mill',
  'River',
  'Orchard',
  'Station',
  'Market',
  'Garden',
  'Bridge',
  'Chapel',
  'Meadow',
  'Tower',
  'Canal',
];
const BLOCK = 400;
/** Stores by east and north of the centre, metres; moved a little by the seed. */
const STORE_GRID: readonly (readonly [number, number])[] = [
  [-2300, 1900],
  [0, 2300],
  [2400, 1700],
  [-2600, -300],
  [200, 100],
  [2600, -500],
  [-1500, -2300],
  [1400, -2400],
];
const RIVAL_GRID: readonly (readonly [number, number])[] = [
  [-1200, 900],
  [1300, 900],
  [-1000, -1000],
  [1300, -1100],
];
/** The one that never closes. */
export const NIGHT_STORE = 4;
const POLYGON_STORE = 2;
const NEARBY_RADIUS = 1_300;
export const CITY_RADIUS = 3_600;

export function drawMap(seed: number): CityMap {
  const stores = STORE_GRID.map((grid, index) => drawStore(seed, 'birch', 'Birch Market', index, grid));
  const rivals = RIVAL_GRID.map((grid, index) => drawStore(seed, 'corner', 'Cornerway', 100 + index, grid));
  return { stores, rivals, nearby: stores.map((store, index) => drawNearby(store, index)) };
}

function drawStore(seed: number, prefix: string, brand: string, index: number, grid: readonly [number, number]): CityStore {
  const place = moved(CENTRE, grid[0] + jitter(seed, index, 0), grid[1] + jitter(seed, index, 1));
  const street = STREETS[index % STREETS.length] as string;
  const night = index === NIGHT_STORE;
  return {
    ...place,
    id: `${prefix}-${(index % 100) + 1}`,
    name: `${brand} ${street} Street${night ? ' 24h' : ''}`,
    address: `${street} Street ${1 + Math.floor(chance(seed, TOPIC.street, index) * 90)}`,
    fence: index === POLYGON_STORE ? building(place, 60, 45) : { type: 'circle', ...place, radius: 75 },
    open: night ? 0 : 8,
    close: night ? 24 : 22,
  };
}

function jitter(seed: number, index: number, axis: number): number {
  return (chance(seed, TOPIC.store, index, axis) - 0.5) * 300;
}

/** A turned rectangle, [lon, lat], as a building on a map. */
function building(centre: Place, halfWidth: number, halfDepth: number): Fence {
  const corners: [number, number][] = [
    [-1, -1],
    [1, -1],
    [1, 1],
    [-1, 1],
    [-1, -1],
  ];
  const [cos, sin] = [Math.cos(0.4), Math.sin(0.4)];
  const ring = corners.map(([x, y]): [number, number] => {
    const [east, north] = [x * halfWidth, y * halfDepth];
    const { lat, lon } = moved(centre, east * cos - north * sin, east * sin + north * cos);
    return [lon, lat];
  });
  return { type: 'polygon', rings: [ring] };
}

function drawNearby(store: CityStore, index: number): CityMap['nearby'][number] {
  const fence: Fence =
    index === POLYGON_STORE
      ? building(store, NEARBY_RADIUS, NEARBY_RADIUS * 0.8)
      : { type: 'circle', lat: store.lat, lon: store.lon, radius: NEARBY_RADIUS };
  return { id: `near-${store.id}`, name: `Near ${store.name}`, fence };
}

/** A block corner's street: homes and work places stand along the streets of a grid. */
export function onStreet(seed: number, topic: number, index: number, tryNo: number): Place {
  const along = (chance(seed, topic, index, tryNo, 1) * 2 - 1) * CITY_RADIUS;
  const across = Math.round(((chance(seed, topic, index, tryNo, 2) * 2 - 1) * CITY_RADIUS) / BLOCK) * BLOCK;
  const [east, north] = chance(seed, topic, index, tryNo, 3) < 0.5 ? [along, across] : [across, along];
  return moved(CENTRE, east, north);
}

/** The place so many metres east and north. */
export function moved(from: Place, east: number, north: number): Place {
  const lat = from.lat + north / 111_195;
  return { lat, lon: from.lon + east / (111_195 * Math.cos((from.lat * Math.PI) / 180)) };
}

export function metres(a: Place, b: Place): number {
  return distance(a.lat, a.lon, b.lat, b.lon);
}

/** Opening hours as the API takes them; null for the store that never closes. */
export function weekHours(store: CityStore): WeekHours | null {
  if (store.open === 0 && store.close === 24) return null;
  const span: [string, string][] = [[`${String(store.open).padStart(2, '0')}:00`, `${store.close}:00`]];
  return { mon: span, tue: span, wed: span, thu: span, fri: span, sat: span, sun: span };
}
