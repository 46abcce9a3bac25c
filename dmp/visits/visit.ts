import { localDay, minuteOfWeek, WEEK_MINUTES, type WeekSpans, zoneOffset } from '../../proto/hours.ts';
import { centreDistance, fenceDistance, MAX_REACH, type Place, type PlaceIndex } from './places.ts';
import type { Stay } from './stay.ts';

/** One device at one place on one local day of the place. */
export interface Visit {
  readonly kind: Place['kind'];
  readonly place: string;
  /** yyyy-mm-dd */
  readonly day: string;
  readonly start: number;
  readonly end: number;
  /** Seconds, the time between two stays left out. */
  readonly dwell: number;
  readonly pings: number;
}

const MIN_DWELL_MS = 3 * 60_000;
/** Longer is somebody who works or lives there. */
const MAX_DWELL_MS = 3 * 3_600_000;
const OPEN_MARGIN = 15;

/** The visits that a device's stays are. Several stays at a place on a day are one visit. */
export function visitsOf(stays: readonly Stay[], index: PlaceIndex): Map<string, Visit> {
  const visits = new Map<string, Visit>();
  for (const stay of stays)
    for (const place of placesVisited(stay, index)) {
      const day = localDay(stay.start, place.timeZone);
      const key = visitKey(place.kind, place.id, day);
      visits.set(key, joined(visits.get(key), stay, place, day));
    }
  return visits;
}

export function visitKey(kind: Place['kind'], place: string, day: string): string {
  return `${kind} ${place} ${day}`;
}

function joined(earlier: Visit | undefined, stay: Stay, place: Place, day: string): Visit {
  return {
    kind: place.kind,
    place: place.id,
    day,
    start: earlier?.start ?? stay.start,
    end: stay.end,
    dwell: (earlier?.dwell ?? 0) + Math.round((stay.end - stay.start) / 1000),
    pings: (earlier?.pings ?? 0) + stay.points,
  };
}

/** Every geofence that the stay is in, and the one store: the nearest, by its fence, then by its centre. */
function placesVisited(stay: Stay, index: PlaceIndex): Place[] {
  const dwell = stay.end - stay.start;
  if (dwell < MIN_DWELL_MS || dwell > MAX_DWELL_MS) return [];
  const reach = Math.min(stay.error, MAX_REACH);
  const visited: Place[] = [];
  let store: { place: Place; metres: number; centre: number } | null = null;
  for (const place of index.near(stay.lat, stay.lon)) {
    const metres = fenceDistance(place.fence, stay.lat, stay.lon);
    if (metres > reach || !isOpenAbout(place, stay.start)) continue;
    if (place.kind === 'geofence') {
      visited.push(place);
      continue;
    }
    const centre = centreDistance(place, stay.lat, stay.lon);
    if (store === null || isNearer({ place, metres, centre }, store)) store = { place, metres, centre };
  }
  return store === null ? visited : [...visited, store.place];
}

type Near = { readonly place: Place; readonly metres: number; readonly centre: number };

function isNearer(a: Near, b: Near): boolean {
  const difference = a.metres - b.metres || a.centre - b.centre;
  return difference < 0 || (difference === 0 && a.place.id < b.place.id);
}

/** Whether the place is open at the time, or within a quarter of an hour of it. */
function isOpenAbout({ hours, timeZone }: Place, at: number): boolean {
  if (hours === null) return true;
  const minute = minuteOfWeek(at, zoneOffset(timeZone, at));
  return [minute - WEEK_MINUTES, minute, minute + WEEK_MINUTES].some((turn) => isAbout(hours, turn));
}

function isAbout(hours: WeekSpans, minute: number): boolean {
  return hours.some(([from, to]) => minute >= from - OPEN_MARGIN && minute < to + OPEN_MARGIN);
}
