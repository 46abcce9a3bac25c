import {
  CELL_RESOLUTION,
  COARSEST_RESOLUTION,
  distance,
  EARTH_RADIUS,
  parentHigh,
  parentLow,
  RADIANS,
} from '../../proto/fence.ts';
import { cellAt } from './hexagon.ts';
import type { NumberList, Sections } from './layout.ts';
import { slotOf } from './places.ts';

/** Geo first: cells of covers lead to the few places that can hold a point, so fenced line items are never scanned. */

/** Finds the places whose fence holds the point, exactly; each once. The point must be in range. `resolutions`: bits of those there are. */
export function findPlaces(sections: Sections, resolutions: number, lat: number, lon: number, found: NumberList): void {
  if (resolutions === 0) return;
  const { cellSlots, cellStart, cellPlaces } = sections;
  const { high, low } = cellAt(lat, lon);
  const cosine = Math.cos(lat * RADIANS);
  for (let resolution = CELL_RESOLUTION; resolution >= COARSEST_RESOLUTION; resolution--) {
    if ((resolutions & (1 << resolution)) === 0) continue;
    const cell = cellSlots[slotOf(cellSlots, parentHigh(high, resolution), parentLow(low, resolution)) + 2] as number;
    if (cell === 0) continue;
    const end = cellStart[cell] as number;
    for (let at = cellStart[cell - 1] as number; at < end; at++) {
      const place = (cellPlaces[at] as number) >>> 1;
      if (((cellPlaces[at] as number) & 1) === 0 || isInPlace(sections, place, lat, lon, cosine)) found.push(place);
    }
  }
}

/** As `contains` of proto/fence.ts, digit for digit. `cosine`: of the latitude. */
function isInPlace(
  { placeShapes, placeRings, ringStart, corners }: Sections,
  place: number,
  lat: number,
  lon: number,
  cosine: number,
): boolean {
  const radius = placeShapes[place * 4 + 2] as number;
  if (!Number.isNaN(radius))
    return isInCircle(placeShapes[place * 4] as number, placeShapes[place * 4 + 1] as number, radius, lat, lon, cosine);
  let inside = false;
  for (let ring = placeRings[place] as number; ring < (placeRings[place + 1] as number); ring++) {
    const start = ringStart[ring] as number;
    const end = ringStart[ring + 1] as number;
    for (let i = start, j = end - 1; i < end; j = i++) {
      const aLon = corners[i * 2] as number;
      const aLat = corners[i * 2 + 1] as number;
      const bLon = corners[j * 2] as number;
      const bLat = corners[j * 2 + 1] as number;
      if (aLat > lat !== bLat > lat && lon < ((bLon - aLon) * (lat - aLat)) / (bLat - aLat) + aLon) inside = !inside;
    }
  }
  return inside;
}

/** Angles, in radians, within which the bounds below hold. */
const NEAR = 0.02;
/** What the bounds leave out and what floating point loses is less than this share. */
const LESS = 1 - 1e-4;
const MORE = 1 + 1e-3;

/**
 * The distance is asked only close to the rim; elsewhere it is enough to bound it: of a dozen circles around a point one is near. With n
 * and e the differences of latitude and longitude the angle squared is about n² + cos a · cos b · e², and a cosine differs from the other
 * one's by n at most (0.02 µs in place of 0.1).
 */
function isInCircle(centre: number, centreLon: number, radius: number, lat: number, lon: number, cosine: number): boolean {
  const reach = radius / EARTH_RADIUS;
  const north = Math.abs(lat - centre) * RADIANS;
  if (north * LESS > reach) return false;
  const east = Math.abs(lon - centreLon) * RADIANS;
  if (north < NEAR && east < NEAR) {
    const least = north * north + cosine * Math.max(0, cosine - north) * east * east;
    if (least * LESS > reach * reach) return false;
    const most = north * north + cosine * Math.min(1, cosine + north) * east * east;
    if (most * MORE < reach * reach) return true;
  }
  return distance(centre, centreLon, lat, lon) <= radius;
}
