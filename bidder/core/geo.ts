import { CELL_RESOLUTION, COARSEST_RESOLUTION, cellOf, distance, parentHigh, parentLow, splitCell } from '../../proto/fence.ts';
import type { Sections } from './layout.ts';
import { slotOf } from './places.ts';

/** Geo first: cells of covers lead to the few places that can hold a point, so fenced line items are never scanned. */

/** The places whose fence holds the point, exactly; each once. The point must be in range. `resolutions`: bits of those there are. */
export function placesAt(sections: Sections, resolutions: number, lat: number, lon: number): number[] {
  const found: number[] = [];
  if (resolutions === 0) return found;
  const { cellSlots, cellStart, cellPlaces } = sections;
  const { high, low } = splitCell(cellOf(lat, lon));
  for (let resolution = CELL_RESOLUTION; resolution >= COARSEST_RESOLUTION; resolution--) {
    if ((resolutions & (1 << resolution)) === 0) continue;
    const cell = cellSlots[slotOf(cellSlots, parentHigh(high, resolution), parentLow(low, resolution)) + 2] as number;
    if (cell === 0) continue;
    const end = cellStart[cell] as number;
    for (let at = cellStart[cell - 1] as number; at < end; at++) {
      const place = (cellPlaces[at] as number) >>> 1;
      if (((cellPlaces[at] as number) & 1) === 0 || isInPlace(sections, place, lat, lon)) found.push(place);
    }
  }
  return found;
}

/** Metres by which a degree of latitude is surely no shorter: the box of a circle must not be too small. */
const METRES_PER_DEGREE = 111_000;

/** As `contains` of proto/fence.ts, digit for digit. */
export function isInPlace(
  { placeShapes, placeRings, ringStart, corners }: Sections,
  place: number,
  lat: number,
  lon: number,
): boolean {
  const radius = placeShapes[place * 4 + 2] as number;
  if (!Number.isNaN(radius)) {
    const centre = placeShapes[place * 4] as number;
    if (Math.abs(lat - centre) * METRES_PER_DEGREE > radius) return false;
    return distance(centre, placeShapes[place * 4 + 1] as number, lat, lon) <= radius;
  }
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
