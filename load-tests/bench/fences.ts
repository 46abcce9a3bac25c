import { cellToLatLng, latLngToCell } from 'h3-js';
import { fewCellsOf } from '../../proto/cover.ts';
import { CELL_RESOLUTION, type Cover } from '../../proto/fence.ts';
import type { LiveGeofence } from '../../proto/snapshot.ts';
import { createDraw, type Draw } from './draw.ts';
import { sayShare } from './say.ts';

/** Kazan; what stands there is made up. */
export const CENTRE = { lat: 55.7887, lon: 49.1221 };
export const FENCE_RADIUS = 300;
/** Fences of one city. More line items mean more cities, not a denser one: that is how an advertiser's map grows. */
export const CITY_FENCES = 10_000;
/** Cities with fences of their own; line items of further ones share those, or a million would not fit into memory. */
const MOST_CITIES = 10;
/** Standard deviation of where things are around the centre of a full city, metres: 25 fences a km² there, 3.5 around a request. */
const SPREAD = 8_000;

/** Cells of a resolution-11 index lie in one of 122 base cells; twelve of those are pentagons and lack cells. */
const PENTAGONS = new Set([4, 14, 24, 38, 49, 58, 63, 72, 83, 97, 107, 117]);

/** Where a fence, or a device, is. A smaller city is as dense as a large one. */
export function drawPlace(draw: Draw, fences: number): { lat: number; lon: number } {
  const spread = SPREAD * Math.sqrt(Math.min(1, fences / CITY_FENCES));
  const lat = CENTRE.lat + (draw.normal() * spread) / 111_195;
  const lon = CENTRE.lon + (draw.normal() * spread) / (111_195 * Math.cos((CENTRE.lat * Math.PI) / 180));
  return { lat: round(lat), lon: round(lon) };
}

const round = (degrees: number): number => Math.round(degrees * 1e6) / 1e6;

export function fenceId(city: number, index: number): string {
  return `gf_${city}_${index}`;
}

/** The city of a line item, as the fences know it. */
export function fenceCity(city: number): number {
  return city < MOST_CITIES ? city : 1 + ((city - 1) % (MOST_CITIES - 1));
}

/**
 * The fences of the first city, and copies of them for the others. A cover costs milliseconds, so a copy is the cover moved to
 * another base cell of the grid: as many cells in the same pattern, where no request ever comes from.
 */
export function drawFences(seed: number, fences: number): LiveGeofence[] {
  const first = Math.min(fences, CITY_FENCES);
  const draw = createDraw(seed, 1);
  const city: LiveGeofence[] = [];
  for (let i = 0; i < first; i++) {
    const fence = { type: 'circle' as const, ...drawPlace(draw, fences), radius: FENCE_RADIUS };
    city.push({ id: fenceId(0, i), fence, cover: fewCellsOf(fence) });
    sayShare('Covers of the fences', i + 1, first);
  }
  const all = [...city];
  const cities = Math.min(MOST_CITIES, Math.ceil(fences / CITY_FENCES));
  for (let copy = 1; copy < cities; copy++) {
    const base = baseCells(city)[copy] as number;
    for (const [index, { fence, cover }] of city.entries()) {
      const { lat, lon } = fence as { lat: number; lon: number };
      const [movedLat, movedLon] = cellToLatLng(moveCell(latLngToCell(lat, lon, CELL_RESOLUTION), base));
      all.push({
        id: fenceId(copy, index),
        fence: { type: 'circle', lat: movedLat, lon: movedLon, radius: FENCE_RADIUS },
        cover: moveCover(cover, base),
      });
    }
  }
  return all;
}

export function moveCover({ resolution, inner, boundary }: Cover, base: number): Cover {
  return {
    resolution,
    inner: inner.map((cell) => moveCell(cell, base)),
    boundary: boundary.map((cell) => moveCell(cell, base)),
  };
}

/** Base cells that may hold a copy; the first is the city's own. */
function baseCells(city: readonly LiveGeofence[]): number[] {
  const { inner, boundary } = (city[0] as LiveGeofence).cover;
  const own = Number.parseInt((inner[0] ?? boundary[0] ?? '').slice(2, 4), 16) >> 1;
  return [own, ...Array.from({ length: 122 }, (_, base) => base).filter((base) => base !== own && !PENTAGONS.has(base))];
}

/** Bits 45 to 51 of an index are its base cell: seven of the eight bits of its third and fourth hexadecimal digit. */
function moveCell(cell: string, base: number): string {
  const low = Number.parseInt(cell.slice(2, 4), 16) & 1;
  return cell.slice(0, 2) + ((base << 1) | low).toString(16).padStart(2, '0') + cell.slice(4);
}
