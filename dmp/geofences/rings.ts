import type { Fault } from '../problem.ts';
import type { Ring } from './shape.ts';

const MAX_POINTS = 1_000;
/** Coordinates are compared on a grid of 10⁻⁹ degrees (0.1 mm), where the test is exact. */
const GRID = 1e9;

type Point = readonly [x: number, y: number];
type Segment = readonly [a: Point, b: Point];

/** Everything that is wrong with the rings of a polygon. Coordinates are in range, which is checked before. */
export function ringFaults(rings: readonly Ring[], pointer: string): Fault[] {
  const points = rings.reduce((sum, ring) => sum + ring.length, 0);
  if (points > MAX_POINTS)
    return [{ pointer, code: 'ring_too_long', message: `has ${points} points, at most ${MAX_POINTS} are allowed` }];
  const shape = rings.flatMap((ring, index) => closureFaults(ring, `${pointer}/${index}`));
  if (shape.length > 0) return shape;
  const onGrid = rings.map(toGrid);
  const wide = onGrid.findIndex(isWide);
  if (wide >= 0)
    return [{ pointer: `${pointer}/${wide}`, code: 'crosses_antimeridian', message: 'spans more than 180 degrees of longitude' }];
  const crossings = onGrid.flatMap((ring, index) => selfFaults(ring, `${pointer}/${index}`));
  return crossings.length > 0 ? crossings : holeFaults(onGrid, pointer);
}

function closureFaults(ring: Ring, pointer: string): Fault[] {
  if (ring.length < 4) return [{ pointer, code: 'ring_too_short', message: `has ${ring.length} points, at least 4 are needed` }];
  const [first, last] = [ring[0] as Point, ring.at(-1) as Point];
  if (first[0] === last[0] && first[1] === last[1]) return [];
  return [{ pointer, code: 'ring_not_closed', message: 'its last point must be equal to its first' }];
}

function toGrid(ring: Ring): Point[] {
  return ring.map(([lon, lat]) => [Math.round(lon * GRID), Math.round(lat * GRID)]);
}

function isWide(ring: readonly Point[]): boolean {
  const xs = ring.map(([x]) => x);
  return Math.max(...xs) - Math.min(...xs) > 180 * GRID;
}

function selfFaults(ring: readonly Point[], pointer: string): Fault[] {
  const segments = segmentsOf(ring);
  const fault = (message: string): Fault[] => [{ pointer, code: 'self_intersecting', message }];
  for (let i = 0; i < segments.length; i++) {
    const a = segments[i] as Segment;
    if (isPoint(a)) return fault(`points ${i} and ${i + 1} are the same`);
    for (let j = i + 1; j < segments.length; j++) {
      const b = segments[j] as Segment;
      const isNext = j === i + 1 || (i === 0 && j === segments.length - 1);
      if (isNext ? foldsBack(a, b) : meet(a, b)) return fault(`its edges ${i} and ${j} meet`);
    }
  }
  return [];
}

function holeFaults(rings: readonly Point[][], pointer: string): Fault[] {
  const [outer = [], ...holes] = rings;
  return holes.flatMap((hole, index): Fault[] => {
    const at = `${pointer}/${index + 1}`;
    const others = [outer, ...holes.slice(0, index)];
    const crossed = others.some((other) => ringsMeet(hole, other));
    if (crossed) return [{ pointer: at, code: 'self_intersecting', message: 'meets another ring' }];
    const within = (ring: readonly Point[]) => isInside(hole[0] as Point, ring);
    if (!within(outer)) return [{ pointer: at, code: 'hole_outside', message: 'is not inside the outer ring' }];
    if (holes.some((other, j) => j !== index && within(other)))
      return [{ pointer: at, code: 'hole_outside', message: 'is inside another hole' }];
    return [];
  });
}

function ringsMeet(a: readonly Point[], b: readonly Point[]): boolean {
  const others = segmentsOf(b);
  return segmentsOf(a).some((segment) => others.some((other) => meet(segment, other)));
}

function segmentsOf(ring: readonly Point[]): Segment[] {
  return ring.slice(1).map((point, index) => [ring[index] as Point, point]);
}

function isPoint([a, b]: Segment): boolean {
  return a[0] === b[0] && a[1] === b[1];
}

/** Neighbours share one point; they must not lie on each other. */
function foldsBack(a: Segment, b: Segment): boolean {
  const [shared, p, q] = samePoint(a[1], b[0]) ? [a[1], a[0], b[1]] : [a[0], a[1], b[0]];
  if (side(p, shared, q) !== 0) return false;
  return (p[0] - shared[0]) * (q[0] - shared[0]) + (p[1] - shared[1]) * (q[1] - shared[1]) > 0;
}

function samePoint(a: Point, b: Point): boolean {
  return a[0] === b[0] && a[1] === b[1];
}

/** Whether two segments have a point in common. */
function meet([a, b]: Segment, [c, d]: Segment): boolean {
  if (Math.max(a[0], b[0]) < Math.min(c[0], d[0]) || Math.max(c[0], d[0]) < Math.min(a[0], b[0])) return false;
  if (Math.max(a[1], b[1]) < Math.min(c[1], d[1]) || Math.max(c[1], d[1]) < Math.min(a[1], b[1])) return false;
  const [ofC, ofD, ofA, ofB] = [side(a, b, c), side(a, b, d), side(c, d, a), side(c, d, b)];
  // Where all are on one line the boxes that overlap say that they meet.
  return ofC * ofD <= 0 && ofA * ofB <= 0;
}

/** On which side of the line a → b the point c is: 1 left, -1 right, 0 on it. Exact: where floats cannot tell, integers do. */
function side(a: Point, b: Point, c: Point): number {
  const left = (b[0] - a[0]) * (c[1] - a[1]);
  const right = (b[1] - a[1]) * (c[0] - a[0]);
  const cross = left - right;
  if (Math.abs(cross) > (Math.abs(left) + Math.abs(right)) * 1e-15) return Math.sign(cross);
  const exact = BigInt(b[0] - a[0]) * BigInt(c[1] - a[1]) - BigInt(b[1] - a[1]) * BigInt(c[0] - a[0]);
  return exact > 0n ? 1 : exact < 0n ? -1 : 0;
}

function isInside([x, y]: Point, ring: readonly Point[]): boolean {
  let inside = false;
  for (let i = 1; i < ring.length; i++) {
    const a = ring[i - 1] as Point;
    const b = ring[i] as Point;
    if (a[1] > y !== b[1] > y && x < ((b[0] - a[0]) * (y - a[1])) / (b[1] - a[1]) + a[0]) inside = !inside;
  }
  return inside;
}
