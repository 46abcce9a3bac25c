import { cellArea, cellToLatLng, compactCells, getResolution, gridDisk, latLngToCell } from 'h3-js';
import { cellToUInt64, distance, type Fence, fenceCentre } from '../../proto/fence.ts';
import { distanceToFence } from '../geofences/check-fence.ts';
import type { Binder } from './binder.ts';

/** Of the cells in `facts`. */
const FINEST = 9;
const KEPT = 5_000;
const known = new Map<string, readonly string[]>();

/** The cells of one resolution that a place is looked for by. */
export interface NearCells {
  readonly resolution: number;
  /** Hexadecimal. */
  readonly cells: readonly string[];
}

/**
 * The cells whose middle is within some metres of a fence, and the one that the fence's own middle is in. Large areas take coarser cells, so that
 * there are a few thousands at most; a cell of resolution 9 has edges of 200 m, of 8 of 530 m, of 7 of 1,400 m, and so exact is the answer.
 */
export function cellsNear(fence: Fence, metres: number): NearCells {
  const centre = fenceCentre(fence);
  const reach = metres + reachOf(fence, centre);
  const resolution = resolutionOf(reach);
  const key = `${metres} ${JSON.stringify(fence)}`;
  const found = known.get(key);
  if (found !== undefined) return { resolution, cells: found };
  const origin = latLngToCell(centre.lat, centre.lon, resolution);
  const edge = Math.sqrt((2 * cellArea(origin, 'm2')) / (3 * Math.sqrt(3)));
  // 1.35 edges a ring is what distortion leaves at worst.
  const cells = gridDisk(origin, Math.ceil((reach + 2 * edge) / (1.35 * edge))).filter((cell) => {
    const [lat, lon] = cellToLatLng(cell);
    return cell === origin || distanceToFence(fence, lat, lon) <= metres;
  });
  if (known.size >= KEPT) known.clear();
  known.set(key, cells);
  return { resolution, cells };
}

export function resolutionOf(reach: number): number {
  if (reach <= 8_000) return 9;
  return reach <= 20_000 ? 8 : 7;
}

/** Metres from the middle of a fence to its farthest corner. */
export function reachOf(fence: Fence, { lat, lon }: { lat: number; lon: number }): number {
  if (fence.type === 'circle') return fence.radius;
  return Math.max(0, ...(fence.rings[0] ?? []).map((corner) => distance(lat, lon, corner[1], corner[0])));
}

/** The condition that `cell` of a row is in one of the sets. Nothing is in none. Cells that fill a coarser one are written as that one. */
export function inCells(sets: readonly NearCells[], bound: Binder): string {
  const looked = new Map<number, Set<string>>();
  for (const { resolution, cells } of sets) {
    const all = looked.get(resolution) ?? new Set();
    for (const cell of cells) all.add(cell);
    looked.set(resolution, all);
  }
  const written = new Map<number, Set<string>>();
  for (const cells of looked.values())
    for (const cell of compactCells([...cells])) {
      const resolution = getResolution(cell);
      const all = written.get(resolution) ?? new Set();
      written.set(resolution, all.add(cell));
    }
  if (written.size === 0) return '0';
  const parts = [...written].map(([resolution, cells]) => {
    // Numbers of 64 bits are bound as texts: JSON has no such numbers.
    const listed = bound.texts([...cells].map(cellToUInt64).sort());
    return `${parent(resolution)} IN (arrayMap(c -> toUInt64(c), ${listed}))`;
  });
  return `(${parts.join(' OR ')})`;
}

/** The cell above the row's own, by its bits: h3ToParent fails at rows without a cell. */
function parent(resolution: number): string {
  if (resolution === FINEST) return 'cell';
  const above = (0xfn << 52n) ^ 0xffff_ffff_ffff_ffffn;
  let digits = BigInt(resolution) << 52n;
  for (let digit = resolution + 1; digit <= FINEST; digit++) digits |= 7n << BigInt((15 - digit) * 3);
  return `bitOr(bitAnd(cell, toUInt64('${above}')), toUInt64('${digits}'))`;
}
