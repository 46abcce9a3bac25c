/** How far a stated location can be trusted. Both the bidder and the visits read it, so they cannot differ. */

export type SignalClass = 'high' | 'medium' | 'low';

export interface Signal {
  readonly class: SignalClass;
  /** Estimated error in metres. */
  readonly error: number;
}

/** OpenRTB `geo.type`: 1 GPS or location services, 2 derived from IP, 3 provided by the user; null unknown. */
export interface StatedLocation {
  readonly lat: number;
  readonly lon: number;
  readonly type: number | null;
  /** Metres as the operating system reports them. */
  readonly accuracy: number | null;
  /** Seconds since the fix. */
  readonly lastfix: number | null;
}

const METRES_PER_DEGREE = 111_195;
const DEFAULT_ACCURACY = 30;
const WALKING_AND_DRIVING = 10;

const POWERS = [1, 10, 100, 1_000, 10_000, 100_000, 1_000_000];

/**
 * Smallest number of decimals d ≤ 7 that gives the coordinate back, also where a seller passed it through float32. A whole
 * number divided by a power of ten is the double nearest to that decimal, so this equals `Number(value.toFixed(d))` at a
 * fraction of its cost.
 */
export function decimals(value: number): number {
  for (let d = 0; d < 7; d++) {
    const power = POWERS[d] as number;
    const rounded = Math.round(value * power) / power;
    if (rounded === value || Math.fround(rounded) === value) return d;
  }
  return 7;
}

/**
 * The trust in a location, or null where it cannot be a place of the device at all (out of range, near (0, 0), lat = lon).
 * Error: max(accuracy, step of the decimals) plus the way since the fix; IP-derived at least 5 km, unknown at least 1 km.
 */
export function signalOf(location: StatedLocation): Signal | null {
  const { lat, lon, type } = location;
  if (!isPlace(lat, lon)) return null;
  const digits = Math.max(decimals(lat), decimals(lon));
  const step = METRES_PER_DEGREE * 10 ** -digits * (digits <= 2 ? 1.5 : 1);
  const accuracy = type === 1 && location.accuracy !== null && location.accuracy > 0 ? location.accuracy : DEFAULT_ACCURACY;
  const stale = Math.max(0, (location.lastfix ?? 0) - 120) * WALKING_AND_DRIVING;
  const floor = type === 1 ? 0 : type === 2 ? 5_000 : 1_000;
  const error = Math.max(Math.max(accuracy, step) + stale, floor);
  return { class: classOf(type, digits, error), error };
}

function classOf(type: number | null, digits: number, error: number): SignalClass {
  if (type === 1 && digits >= 4 && error <= 50) return 'high';
  return type === 1 && error <= 250 ? 'medium' : 'low';
}

/** In range, not null island, not the copy bug lat = lon. */
export function isPlace(lat: number, lon: number): boolean {
  if (!(Math.abs(lat) <= 90 && Math.abs(lon) <= 180)) return false;
  return !(Math.abs(lat) < 0.01 && Math.abs(lon) < 0.01) && lat !== lon;
}

/** A fence may be matched by a signal whose error is no larger than the fence itself, or 50 m. */
export function isPreciseFor(signal: Signal, fenceRadius: number): boolean {
  return signal.error <= Math.max(fenceRadius, 50);
}
