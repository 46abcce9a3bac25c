import { createHash } from 'node:crypto';
import { gridDisk } from 'h3-js';
import { cellOf, cellProbes, contains, coverOf, distance, type Fence, fenceCentre } from '../../proto/fence.ts';
import { type WeekSpans, weekSpans } from '../../proto/hours.ts';
import { sourcesWithheld } from '../sources/access.ts';
import { storeFence } from '../stores/store.ts';
import type { Things } from '../things/things.ts';

/** Where a visit can be: a store or a geofence. */
export interface Place {
  readonly kind: 'store' | 'geofence';
  readonly id: string;
  readonly fence: Fence;
  /** Of its days; UTC for geofences. */
  readonly timeZone: string;
  /** Null: always open, or not known. */
  readonly hours: WeekSpans | null;
  /** Sources whose pings make no visits here, since the advertiser may not use them; absent: none, so that all count. */
  readonly withheld?: readonly string[];
}

/** However bad the signal, a device farther than this from a fence is not in it, metres. */
export const MAX_REACH = 50;

export function placesOf(things: Things): Place[] {
  const known = new Map<string, { withheld?: readonly string[] }>();
  const termsFor = (advertiser: string): { withheld?: readonly string[] } => {
    const withheld = known.has(advertiser) ? [] : sourcesWithheld(things, advertiser, 'profiles');
    const terms = known.get(advertiser) ?? (withheld.length === 0 ? {} : { withheld });
    known.set(advertiser, terms);
    return terms;
  };
  const stores = things.list('store').map(({ id, body }): Place => {
    const hours = body.hours === null ? null : weekSpans(body.hours);
    return { kind: 'store', id, fence: storeFence(body), timeZone: body.timeZone, hours, ...termsFor(body.advertiser) };
  });
  const fences = things.list('geofence').map(
    ({ id, body }): Place => ({
      kind: 'geofence',
      id,
      fence: body.fence,
      timeZone: 'UTC',
      hours: null,
      ...termsFor(body.advertiser),
    }),
  );
  return [...stores, ...fences];
}

/** `kind:id` → what its visits depend on, in short. */
export function digestsOf(places: readonly Place[]): Map<string, string> {
  return new Map(
    places.map((place) => [`${place.kind}:${place.id}`, createHash('sha1').update(JSON.stringify(place)).digest('base64')]),
  );
}

/** Metres from a point to a fence, 0 inside. */
export function fenceDistance(fence: Fence, lat: number, lon: number): number {
  if (fence.type === 'circle') return Math.max(0, distance(fence.lat, fence.lon, lat, lon) - fence.radius);
  if (contains(fence, lat, lon)) return 0;
  let nearest = Number.POSITIVE_INFINITY;
  for (const ring of fence.rings)
    for (let i = 1; i < ring.length; i++)
      nearest = Math.min(nearest, edgeDistance(ring[i - 1] as Corner, ring[i] as Corner, lat, lon));
  return nearest;
}

type Corner = readonly [lon: number, lat: number];

const METRES_PER_DEGREE = 111_195.08;

/** On a plane that touches the point: off by less than a millimetre where it matters, within MAX_REACH. */
function edgeDistance(a: Corner, b: Corner, lat: number, lon: number): number {
  const perLon = METRES_PER_DEGREE * Math.cos((lat * Math.PI) / 180);
  const ax = (a[0] - lon) * perLon;
  const ay = (a[1] - lat) * METRES_PER_DEGREE;
  const dx = (b[0] - lon) * perLon - ax;
  const dy = (b[1] - lat) * METRES_PER_DEGREE - ay;
  const length = dx * dx + dy * dy;
  const along = length === 0 ? 0 : Math.max(0, Math.min(1, -(ax * dx + ay * dy) / length));
  return Math.hypot(ax + along * dx, ay + along * dy);
}

export interface PlaceIndex {
  readonly size: number;
  /** All places within MAX_REACH of the point, and some that are farther. */
  near(lat: number, lon: number): readonly Place[];
}

const NOWHERE: readonly Place[] = [];

export function indexPlaces(places: readonly Place[]): PlaceIndex {
  const byCell = new Map<string, Place[]>();
  for (const place of places)
    for (const cell of reachCells(place.fence)) {
      const known = byCell.get(cell);
      if (known === undefined) byCell.set(cell, [place]);
      else known.push(place);
    }
  return {
    size: places.length,
    near: (lat, lon) => {
      const found = cellProbes(cellOf(lat, lon)).flatMap((cell) => byCell.get(cell) ?? NOWHERE);
      return found.length > 1 ? [...new Set(found)] : found;
    },
  };
}

/**
 * Cells of the fence widened by MAX_REACH. A polygon's cover is widened by two rings of cells: one is at least 35 m wide, and
 * above the finest resolution a point's cell can be the neighbour of the one that it is in.
 */
function reachCells(fence: Fence): Set<string> {
  const cover = fence.type === 'circle' ? coverOf(fence, MAX_REACH) : coverOf(fence);
  const cells = [...cover.inner, ...cover.boundary];
  return new Set(fence.type === 'circle' ? cells : cells.flatMap((cell) => gridDisk(cell, 2)));
}

export interface Box {
  readonly south: number;
  readonly north: number;
  readonly west: number;
  readonly east: number;
}

/** A box around everything within `margin` metres of the fence; null where it would cross a pole or the 180th meridian. */
export function boxOf(fence: Fence, margin: number): Box | null {
  const corners: readonly Corner[] = fence.type === 'circle' ? [[fence.lon, fence.lat]] : fence.rings.flat();
  const reach = 1.01 * (margin + (fence.type === 'circle' ? fence.radius : 0));
  const lats = corners.map(([, lat]) => lat);
  const lons = corners.map(([lon]) => lon);
  const south = Math.min(...lats) - reach / METRES_PER_DEGREE;
  const north = Math.max(...lats) + reach / METRES_PER_DEGREE;
  if (south < -89 || north > 89) return null;
  const perLon = METRES_PER_DEGREE * Math.cos((Math.max(Math.abs(south), Math.abs(north)) * Math.PI) / 180);
  const west = Math.min(...lons) - reach / perLon;
  const east = Math.max(...lons) + reach / perLon;
  return west < -180 || east > 180 ? null : { south, north, west, east };
}

/** Metres between a point and the centre of a place. */
export function centreDistance(place: Place, lat: number, lon: number): number {
  const centre = fenceCentre(place.fence);
  return distance(centre.lat, centre.lon, lat, lon);
}
