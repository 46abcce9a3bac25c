import { distance } from '../../proto/fence.ts';

export interface Point {
  /** Epoch ms. */
  readonly at: number;
  readonly lat: number;
  readonly lon: number;
  /** Metres. */
  readonly error: number;
}

export interface Stay {
  readonly start: number;
  /** When the device was first seen elsewhere, but at most half a gap after it was last seen here. */
  readonly end: number;
  readonly lat: number;
  readonly lon: number;
  /** Mean of the points' errors, metres. */
  readonly error: number;
  readonly points: number;
}

export interface StayOptions {
  /** Metres from the first point of a stay that end it. */
  readonly far: number;
  readonly minDwellMs: number;
  /** A longer silence ends a stay. */
  readonly gapMs: number;
  /** Metres a second: a single point on a way faster than this is somebody passing. */
  readonly passing: number;
}

export const STAY: StayOptions = { far: 75, minDwellMs: 3 * 60_000, gapMs: 15 * 60_000, passing: 8 };

/**
 * Stay points of one device (Li et al. 2008) from its points in order of time. A silence longer than the gap ends a stay at the
 * last point before it; what comes after does not depend on what was before, so the points may be cut at any such silence.
 */
export function staysOf(points: readonly Point[], options: StayOptions = STAY): Stay[] {
  const { far, minDwellMs, gapMs } = options;
  const stays: Stay[] = [];
  let first = 0;
  const close = (last: number, end: number): void => {
    const start = (points[first] as Point).at;
    if (end - start >= minDwellMs && !isPassing(points, first, last, options))
      stays.push(stayOf(points, first, last, start, end));
  };
  for (let next = 1; next < points.length; next++) {
    const origin = points[first] as Point;
    const before = points[next - 1] as Point;
    const point = points[next] as Point;
    if (point.at - before.at > gapMs) {
      close(next - 1, before.at);
      first = next;
    } else if (distance(origin.lat, origin.lon, point.lat, point.lon) >= far) {
      close(next - 1, Math.min(point.at, before.at + gapMs / 2));
      first = next;
    }
  }
  if (points.length > 0) close(points.length - 1, (points.at(-1) as Point).at);
  return stays;
}

/** One point only, and the way from the point before or to the point after was too fast to have stopped. */
function isPassing(points: readonly Point[], first: number, last: number, { gapMs, passing }: StayOptions): boolean {
  if (first !== last) return false;
  const here = points[first] as Point;
  return [points[first - 1], points[first + 1]].some((other) => {
    if (other === undefined) return false;
    const seconds = Math.abs(other.at - here.at) / 1000;
    return seconds * 1000 <= gapMs && distance(here.lat, here.lon, other.lat, other.lon) > passing * seconds;
  });
}

/** The centre is that of the different places: a device that repeats its last fix must not pull it. */
function stayOf(points: readonly Point[], first: number, last: number, start: number, end: number): Stay {
  const seen = new Set<string>();
  const origin = points[first] as Point;
  let lat = 0;
  let lon = 0;
  let error = 0;
  for (let index = first; index <= last; index++) {
    const point = points[index] as Point;
    error += point.error;
    const place = `${point.lat} ${point.lon}`;
    if (seen.has(place)) continue;
    seen.add(place);
    lat += point.lat - origin.lat;
    lon += wrap(point.lon - origin.lon);
  }
  const count = last - first + 1;
  return {
    start,
    end,
    lat: origin.lat + lat / seen.size,
    lon: wrap(origin.lon + lon / seen.size),
    error: error / count,
    points: count,
  };
}

/** Degrees into [-180, 180). */
function wrap(degrees: number): number {
  return degrees >= -180 && degrees < 180 ? degrees : ((((degrees + 180) % 360) + 360) % 360) - 180;
}
