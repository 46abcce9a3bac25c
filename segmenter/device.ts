import type { PlaceIndex } from '../dmp/visits/places.ts';
import { type Point, STAY, staysOf } from '../dmp/visits/stay.ts';
import { type Visit, visitKey, visitsOf } from '../dmp/visits/visit.ts';

/** A point of a device as it is kept. */
export interface Ping extends Point {
  /** Too vague to be part of a visit. */
  readonly low: boolean;
  /** Came in since the last time. */
  readonly fresh: boolean;
}

/** A visit as it was written before. */
export interface KnownVisit extends Visit {
  readonly cancelled: boolean;
}

/** The part of a device's past that was read: [from, to], epoch ms; infinite where all was. */
export interface Window {
  readonly from: number;
  readonly to: number;
}

export interface Recomputed {
  readonly written: Visit[];
  readonly cancelled: Visit[];
}

const HOUR_MS = 3_600_000;
const DAY_MS = 24 * HOUR_MS;
/** Local days begin up to 14 hours before and end up to 12 hours after those of UTC. */
const EAST_MS = 14 * HOUR_MS;
const WEST_MS = 12 * HOUR_MS;

/**
 * What changes in a device's visits. Stays never span a silence longer than the gap, so only the stretches between silences
 * that hold fresh pings can have changed, and with them the visits of their local days. Null: what was read does not show the
 * stretches whole, more must be read.
 *
 * @param pings in order of time
 * @param known the visits of the device as they are kept, at least those of the window's days
 */
export function recompute(
  pings: readonly Ping[],
  known: readonly KnownVisit[],
  window: Window,
  index: PlaceIndex,
): Recomputed | null {
  const fresh = pings.filter((ping) => ping.fresh);
  const [first, last] = [fresh[0], fresh.at(-1)];
  if (first === undefined || last === undefined) return { written: [], cancelled: [] };
  const points = pings.filter((ping) => !ping.low).filter(isNew);
  const stretches = stretchesOf(points);
  // A ping that is now known to be vague has left its stretch: its neighbours are a gap away at most.
  const [from, to] = [first.at - STAY.gapMs, last.at + STAY.gapMs];
  const touched = stretches.filter((stretch) => start(stretch) <= to && end(stretch) >= from);
  const firstDay = dayStart(Math.min(from, ...touched.map(start)) - WEST_MS);
  const lastDay = dayStart(Math.max(to, ...touched.map(end)) + EAST_MS);
  const needed = { from: firstDay - EAST_MS, to: lastDay + DAY_MS + WEST_MS };
  if (isCut(stretches, needed, window)) return null;
  const stays = stretches
    .filter((stretch) => start(stretch) <= needed.to && end(stretch) >= needed.from)
    .flatMap((s) => staysOf(s));
  const days = { from: isoDay(firstDay), to: isoDay(lastDay) };
  return difference(visitsOf(stays, index), known, days, new Set(pings.map((ping) => ping.at)));
}

/** Two sources may tell of the same point. */
function isNew(point: Point, place: number, points: readonly Point[]): boolean {
  const before = points[place - 1];
  return before === undefined || before.at !== point.at || before.lat !== point.lat || before.lon !== point.lon;
}

type Stretch = readonly Point[];
const start = (stretch: Stretch): number => (stretch[0] as Point).at;
const end = (stretch: Stretch): number => (stretch.at(-1) as Point).at;

function stretchesOf(points: readonly Point[]): Stretch[] {
  const stretches: Point[][] = [];
  let open: Point[] = [];
  for (const point of points) {
    const before = open.at(-1);
    if (before === undefined || point.at - before.at > STAY.gapMs) {
      open = [];
      stretches.push(open);
    }
    open.push(point);
  }
  return stretches;
}

/** Whether a stretch that is needed may go on outside of the window. */
function isCut(stretches: readonly Stretch[], needed: Window, window: Window): boolean {
  if (needed.from < window.from || needed.to > window.to) return true;
  const [first, last] = [stretches[0], stretches.at(-1)];
  if (first === undefined || last === undefined) return false;
  const cutBefore = start(first) - window.from <= STAY.gapMs && end(first) >= needed.from;
  const cutAfter = window.to - end(last) <= STAY.gapMs && start(last) <= needed.to;
  return cutBefore || cutAfter;
}

function difference(
  visits: ReadonlyMap<string, Visit>,
  known: readonly KnownVisit[],
  days: { readonly from: string; readonly to: string },
  times: ReadonlySet<number>,
): Recomputed {
  const isOfDays = ({ day }: Visit): boolean => day >= days.from && day <= days.to;
  const before = new Map(known.filter(isOfDays).map((visit) => [visitKey(visit.kind, visit.place, visit.day), visit]));
  const written: Visit[] = [];
  for (const [key, visit] of visits) {
    const old = before.get(key);
    if (isOfDays(visit) && !(old !== undefined && (isSame(old, visit) || isSettled(old, times)))) written.push(visit);
  }
  const cancelled = [...before].flatMap(([key, visit]) =>
    visit.cancelled || visits.has(key) || isSettled(visit, times) ? [] : [visit],
  );
  return { written, cancelled };
}

/** Visits outlive pings. One whose first ping is no longer kept cannot be judged any more and stays as it is. */
function isSettled(visit: KnownVisit, times: ReadonlySet<number>): boolean {
  return !visit.cancelled && !times.has(visit.start);
}

function isSame(a: KnownVisit, b: Visit): boolean {
  return !a.cancelled && a.start === b.start && a.end === b.end && a.dwell === b.dwell && a.pings === b.pings;
}

function dayStart(at: number): number {
  return Math.floor(at / DAY_MS) * DAY_MS;
}

function isoDay(at: number): string {
  return new Date(at).toISOString().slice(0, 10);
}
