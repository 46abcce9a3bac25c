import { contains, distance, type Fence, fenceRadius, MAX_RADIUS } from '../../proto/fence.ts';
import type { ErrorCode, Fault } from '../problem.ts';
import { ringFaults } from './rings.ts';
import type { Ring } from './shape.ts';

/** A polygon smaller than a circle of this many metres is a point or a line. */
const MIN_RADIUS = 1;
const NULL_ISLAND = 0.01;

/** Faults of a point; `pointer` is that of the object which has `lat` and `lon`. */
export function pointFaults(lat: number, lon: number, pointer: string): Fault[] {
  const range = rangeFaults(lat, lon, `${pointer}/lat`, `${pointer}/lon`);
  if (range.length > 0) return range;
  const fault = (code: ErrorCode, message: string): Fault[] => [{ pointer: `${pointer}/lat`, code, message }];
  if (Math.abs(lat) < NULL_ISLAND && Math.abs(lon) < NULL_ISLAND)
    return fault('null_island', '(0, 0) is in the sea: coordinates are missing');
  if (lat === lon) return fault('lat_equals_lon', 'is the same number as lon: one was copied into the other');
  return [];
}

function rangeFaults(lat: number, lon: number, atLat: string, atLon: string): Fault[] {
  const faults: Fault[] = [];
  if (!(Math.abs(lat) <= 90))
    faults.push({ pointer: atLat, code: 'lat_out_of_range', message: `${lat} is not between -90 and 90` });
  if (!(Math.abs(lon) <= 180))
    faults.push({ pointer: atLon, code: 'lon_out_of_range', message: `${lon} is not between -180 and 180` });
  return faults;
}

/** Faults of a fence on the map. */
export function fenceFaults(fence: Fence, pointer: string): Fault[] {
  if (fence.type === 'circle') {
    const faults = pointFaults(fence.lat, fence.lon, pointer);
    return faults.length > 0 ? faults : reachFaults(fence, pointer);
  }
  const range = fence.rings.flatMap((ring, index) => ringRangeFaults(ring, `${pointer}/rings/${index}`));
  if (range.length > 0) return range.slice(0, 20);
  const rings = ringFaults(fence.rings, `${pointer}/rings`);
  return rings.length > 0 ? rings : sizeFaults(fence, `${pointer}/rings`);
}

function ringRangeFaults(ring: Ring, pointer: string): Fault[] {
  return ring.flatMap(([lon, lat], index) => rangeFaults(lat, lon, `${pointer}/${index}/1`, `${pointer}/${index}/0`));
}

/** A circle over a pole or the 180th meridian has no cover that is one ring. */
function reachFaults(fence: Fence & { type: 'circle' }, pointer: string): Fault[] {
  const degrees = fence.radius / 111_000;
  const over =
    Math.abs(fence.lat) + degrees >= 90 || Math.abs(fence.lon) + degrees / Math.cos((fence.lat * Math.PI) / 180) >= 180;
  if (!over) return [];
  return [{ pointer, code: 'crosses_antimeridian', message: 'reaches over a pole or the 180th meridian' }];
}

function sizeFaults(fence: Fence & { type: 'polygon' }, pointer: string): Fault[] {
  const outer = fence.rings[0] ?? [];
  const first = outer[0] ?? [0, 0];
  // Twice the radius from one corner is as far as a fence of the largest size can reach; the area alone would let a sliver pass.
  const reach = outer.reduce((most, [lon, lat]) => Math.max(most, distance(first[1], first[0], lat, lon)), 0);
  if (fenceRadius(fence) > MAX_RADIUS || reach > 2 * MAX_RADIUS)
    return [{ pointer, code: 'fence_too_large', message: `is larger than a circle of ${MAX_RADIUS} m` }];
  if (fenceRadius(fence) < MIN_RADIUS) return [{ pointer, code: 'fence_too_small', message: 'has no area' }];
  return [];
}

/** Metres from a point to a polygon: 0 inside, else to its nearest edge. */
export function distanceToFence(fence: Fence, lat: number, lon: number): number {
  if (contains(fence, lat, lon)) return 0;
  if (fence.type === 'circle') return distance(fence.lat, fence.lon, lat, lon) - fence.radius;
  const outer = fence.rings[0] ?? [];
  return outer
    .slice(1)
    .reduce((least, b, index) => Math.min(least, distanceToEdge(outer[index] as Point, b, lat, lon)), Infinity);
}

type Point = readonly [lon: number, lat: number];

/** On a plane around the point, good for the distances that matter here. */
function distanceToEdge(a: Point, b: Point, lat: number, lon: number): number {
  const scale = Math.cos((lat * Math.PI) / 180);
  const [ax, ay, bx, by] = [(a[0] - lon) * scale, a[1] - lat, (b[0] - lon) * scale, b[1] - lat];
  const length = (bx - ax) ** 2 + (by - ay) ** 2;
  const along = length === 0 ? 0 : Math.max(0, Math.min(1, -(ax * (bx - ax) + ay * (by - ay)) / length));
  const nearest = { lat: lat + ay + along * (by - ay), lon: lon + (ax + along * (bx - ax)) / scale };
  return distance(lat, lon, nearest.lat, nearest.lon);
}
