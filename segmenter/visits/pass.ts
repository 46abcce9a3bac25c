import type { DmpDeps } from '../../dmp/deps.ts';
import { type Box, boxOf, type Place } from '../../dmp/visits/places.ts';
import type { Window } from '../device.ts';

/** With more changed places than this everybody is reconsidered. */
const MAX_BOXES = 200;
/** A stay's centre is within 75 m of its first point, a place within 50 m of that. */
const BOX_MARGIN = 150;
/** Of a statement about many devices. */
export const LIMITS = { seconds: 120, memoryBytes: 4 * 1024 ** 3 };

export type VisitsDeps = Pick<DmpDeps, 'warehouse' | 'redis' | 'things' | 'now'>;

/** Which devices are looked at, and which of their pings count as fresh. */
export interface Pass {
  /** Condition over `identifier`, with its parameters. */
  readonly devices: string;
  readonly fresh: string;
  readonly params: Readonly<Record<string, unknown>>;
  readonly window: Window;
}

export const ALL_TIME: Window = { from: Number.NEGATIVE_INFINITY, to: Number.POSITIVE_INFINITY };
export const EVERYBODY = { devices: '1', fresh: '1', params: {} } as const;

/** Everybody who was near a changed place as it is now, or has visits to it from before; all their past. */
export function passOfPlaces(places: readonly Place[], changed: readonly string[]): Pass {
  const names = new Set(changed);
  const boxes = places.filter((place) => names.has(`${place.kind}:${place.id}`)).map(({ fence }) => boxOf(fence, BOX_MARGIN));
  const drawn = boxes.filter((box): box is Box => box !== null);
  if (drawn.length < boxes.length || changed.length > MAX_BOXES) return { ...EVERYBODY, window: ALL_TIME };
  const devices = `(identifier IN (SELECT identifier FROM pings WHERE arrayExists((s, n, w, e) -> lat >= s AND lat <= n AND lon >= w AND lon <= e,
      {souths:Array(Float64)}, {norths:Array(Float64)}, {wests:Array(Float64)}, {easts:Array(Float64)}))
    OR identifier IN (SELECT identifier FROM visits WHERE concat(toString(kind), ':', place) IN {places:Array(String)}))`;
  const params = {
    souths: drawn.map((box) => box.south),
    norths: drawn.map((box) => box.north),
    wests: drawn.map((box) => box.west),
    easts: drawn.map((box) => box.east),
    places: changed,
  };
  return { devices, fresh: '1', params, window: ALL_TIME };
}

/** The rows of a window, empty params where it is all time. */
export function within(column: 'at' | 'start', window: Window): string {
  if (!Number.isFinite(window.from)) return '1';
  return `${column} BETWEEN fromUnixTimestamp64Milli({from:Int64}) AND fromUnixTimestamp64Milli({to:Int64})`;
}

export function boundsOf(window: Window): Record<string, number> {
  return Number.isFinite(window.from) ? { from: window.from, to: window.to } : {};
}
