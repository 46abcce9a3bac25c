import type { Bounds, HourSpan, Near, Window } from './members.ts';
import type { NodeCheck } from './node.ts';

/** What the shape of a member cannot tell. A member that is not there has no fault. */

export function checkBounds(bounds: Bounds | undefined, pointer: string, { fault }: NodeCheck): undefined {
  if (bounds === undefined) return;
  const { min, max } = bounds;
  if (min === undefined && max === undefined) return fault(pointer, 'too_few_properties', 'a measure needs min, max or both');
  if (min !== undefined && max !== undefined && min > max)
    return fault(pointer, 'range_reversed', `min ${min} is above max ${max}`);
}

export function checkWindow(window: Window | undefined, pointer: string, { fault }: NodeCheck): undefined {
  if (window === undefined) return;
  const { days, from, to } = window;
  if (days !== undefined && from === undefined && to === undefined) {
    if (days < 1) fault(`${pointer}/days`, 'window_not_positive', `a window of ${days} days holds nothing`);
    return;
  }
  if (days !== undefined || from === undefined || to === undefined)
    return fault(pointer, 'shape', 'a window has either days, or from and to');
  for (const [name, day] of Object.entries({ from, to }))
    if (!isDay(day)) fault(`${pointer}/${name}`, 'format', `${day} ${NO_DAY}`);
  if (from > to) fault(pointer, 'window_reversed', `the window from ${from} ends before it begins, on ${to}`);
}

export const NO_DAY = 'is not a day of the calendar from 1900 to 2299';

/** ClickHouse's DateTime64(3) holds 1900 to 2299. */
export function isDay(text: string): boolean {
  const at = Date.parse(`${text}T00:00:00Z`);
  return text >= '1900-01-01' && text < '2299-12-31' && !Number.isNaN(at) && new Date(at).toISOString().slice(0, 10) === text;
}

const UNKNOWN = { store: 'unknown_store', 'store-group': 'unknown_store_group', geofence: 'unknown_geofence' } as const;

/** Things of the segment's advertiser. */
export function checkOwned(
  kind: keyof typeof UNKNOWN,
  ids: readonly string[] | undefined,
  pointer: string,
  { named, fault }: NodeCheck,
): void {
  for (const [index, id] of (ids ?? []).entries())
    if (!named.has(kind, id)) fault(`${pointer}/${index}`, UNKNOWN[kind], `no ${kind} ${id}`);
}

export function checkSources(ids: readonly string[] | undefined, pointer: string, check: NodeCheck): void {
  for (const [index, id] of (ids ?? []).entries())
    if (!check.named.has('source', id)) check.fault(`${pointer}/${index}`, 'unknown_source', `no source ${id}`);
}

export function checkNear(near: Near | undefined, pointer: string, check: NodeCheck): undefined {
  if (near === undefined) return;
  checkOwned('store', near.stores, `${pointer}/stores`, check);
  const point = [near.lat, near.lon].filter((part) => part !== undefined).length;
  if (point === 1 || (point === 0) === (near.stores === undefined))
    return check.fault(pointer, 'shape', 'near has either stores, or lat and lon');
}

export function checkHours(hours: HourSpan | undefined, pointer: string, { fault }: NodeCheck): undefined {
  if (hours !== undefined && hours.from === hours.to) return fault(pointer, 'bad_hours', 'the hours end when they begin');
}

/** Money needs one currency that it can be counted in. */
export function checkCurrency(currency: string | undefined, pointer: string, { named, fault }: NodeCheck): undefined {
  if (currency === undefined) {
    if (named.currency === null) fault(pointer, 'required', 'advertisers have several currencies: say in which the money is');
    return;
  }
  if (!named.hasRate(currency)) return fault(pointer, 'no_rate', `no rate is published for ${currency}`);
}

interface PlaceMembers {
  readonly stores?: readonly string[];
  readonly storeGroups?: readonly string[];
  readonly near?: Near;
}

export function checkPlaces(body: PlaceMembers, pointer: string, check: NodeCheck): void {
  checkOwned('store', body.stores, `${pointer}/stores`, check);
  checkOwned('store-group', body.storeGroups, `${pointer}/storeGroups`, check);
  checkNear(body.near, `${pointer}/near`, check);
}
