import type { Binder } from './binder.ts';
import type { Bounds, HourSpan, Near, Weekday, Window } from './members.ts';
import { WEEKDAYS } from './members.ts';
import type { Compiler } from './plan.ts';

/** Parts of conditions over `facts`. An empty text is no condition. */

export const DAY_MS = 86_400_000;

/** All that are given; 1 where none is. */
export function both(...conditions: readonly string[]): string {
  const given = conditions.filter((condition) => condition !== '');
  return given.length === 0 ? '1' : given.join(' AND ');
}

export function within(window: Window | undefined, { scope, bound }: Compiler): string {
  if (window === undefined) return '';
  if (window.days !== undefined) {
    const start = bound.time(scope.now - window.days * DAY_MS);
    return `at > ${start} AND at <= ${bound.time(scope.now)}`;
  }
  const from = Date.parse(`${window.from}T00:00:00Z`);
  const to = Date.parse(`${window.to}T00:00:00Z`) + DAY_MS;
  return `at >= ${bound.time(from)} AND at < ${bound.time(to)}`;
}

/** Ages at which a fact comes into the window and leaves it. */
export function edgesOf(window: Window | undefined): number[] {
  return window?.days === undefined ? [] : [0, window.days * DAY_MS];
}

export function among(column: string, values: readonly string[] | undefined, bound: Binder): string {
  return values === undefined ? '' : `${column} IN ${bound.texts(values)}`;
}

export function between(expression: string, { min, max }: Bounds, bound: Binder): string {
  return both(
    min === undefined ? '' : `${expression} >= ${bound.add('Float64', min)}`,
    max === undefined ? '' : `${expression} <= ${bound.add('Float64', max)}`,
  );
}

export function onDays(weekdays: readonly Weekday[] | undefined, bound: Binder): string {
  if (weekdays === undefined) return '';
  return `weekday IN ${bound.add(
    'Array(UInt8)',
    weekdays.map((day) => WEEKDAYS.indexOf(day) + 1),
  )}`;
}

export function atHours(hours: HourSpan | undefined, bound: Binder): string {
  if (hours === undefined) return '';
  const from = bound.add('UInt8', hours.from);
  const to = bound.add('UInt8', hours.to);
  return hours.from < hours.to ? `(hour >= ${from} AND hour < ${to})` : `(hour >= ${from} OR hour < ${to})`;
}

interface Places {
  readonly stores?: readonly string[];
  readonly storeGroups?: readonly string[];
  readonly near?: Near;
}

/** The stores that a node names, itself, by group or by distance; null where it names none. Named by several members: all of them. */
export function storesOf({ stores, storeGroups, near }: Places, { scope }: Compiler): string[] | null {
  if (stores === undefined && storeGroups === undefined && near === undefined) return null;
  const named = [
    ...(stores ?? []),
    ...(storeGroups ?? []).flatMap((id) => scope.storesOf(id)),
    ...(near === undefined ? [] : (scope.storesNear?.(near) ?? [])),
  ];
  return [...new Set(named)].sort();
}

/** The geofences that a node names, itself or as those of rivals; null where it names none. */
export function fencesOf(
  { geofences, rivals }: { readonly geofences?: readonly string[]; readonly rivals?: boolean },
  { scope }: Compiler,
): string[] | null {
  if (geofences === undefined && rivals !== true) return null;
  return [...new Set([...(geofences ?? []), ...(rivals === true ? (scope.places?.rivals() ?? []) : [])])].sort();
}
