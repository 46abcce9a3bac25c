import type { Fault } from '../problem.ts';

/** What rows a report can be split by. */
export const DIMENSIONS = ['campaign', 'lineItem', 'store', 'day'] as const;
export type Dimension = (typeof DIMENSIONS)[number];

/** What a report of conversions is asked for. Times in epoch ms, `from` included, `to` not. */
export interface ConversionsQuery {
  readonly campaign: string;
  readonly from: number;
  readonly to: number;
  readonly clickDays: number;
  readonly viewDays: number;
  /** At least one. */
  readonly groupBy: readonly Dimension[];
}

/** Absent `from` and `to` are the campaign's start and now, so they stay null here. */
export type AskedQuery = Omit<ConversionsQuery, 'from' | 'to'> & { readonly from: number | null; readonly to: number | null };

export const DAY = 86_400_000;
export const LONGEST_WINDOW_DAYS = 400;
const LONGEST_TOUCH_DAYS = 90;
const NAMES = ['campaign', 'from', 'to', 'clickDays', 'viewDays', 'groupBy'];
const DATE = /^\d{4}-\d{2}-\d{2}$/;
const INSTANT = /^\d{4}-\d{2}-\d{2}[Tt ]\d{2}:\d{2}(:\d{2}(\.\d{1,9})?)?([Zz]|[+-]\d{2}:?\d{2})$/;

/** Reads the query string; all faults at once. */
export function readConversionsQuery(raw: Readonly<Record<string, unknown>>): { query: AskedQuery | null; faults: Fault[] } {
  const faults: Fault[] = [];
  const fault = (name: string, code: Fault['code'], message: string) => {
    faults.push({ pointer: `?${name.slice(0, 64)}`, code, message });
    return null;
  };
  for (const name of Object.keys(raw)) {
    if (!NAMES.includes(name))
      fault(name, 'unknown_property', `There is no parameter ${name.slice(0, 64)}; those known are ${NAMES.join(', ')}`);
    else if (typeof raw[name] !== 'string') fault(name, 'type', `${name} is given more than once`);
  }
  const text = (name: string): string | null => (typeof raw[name] === 'string' && raw[name] !== '' ? raw[name] : null);

  const campaign = text('campaign');
  if (campaign === null && raw['campaign'] === undefined) fault('campaign', 'required', 'campaign is missing');
  else if (campaign === null && raw['campaign'] === '') fault('campaign', 'too_short', 'campaign is empty');

  const time = (name: 'from' | 'to'): number | null => {
    const value = text(name);
    if (value === null) return null;
    const at = readTime(value, name === 'to');
    return at ?? fault(name, 'format', `${name} is not a date nor an RFC 3339 time: ${value.slice(0, 40)}`);
  };
  const days = (name: 'clickDays' | 'viewDays', otherwise: number): number => {
    const value = text(name);
    if (value === null) return otherwise;
    if (!/^[+-]?\d{1,9}$/.test(value)) fault(name, 'type', `${name} is not a whole number: ${value.slice(0, 40)}`);
    else if (Number(value) < 0) fault(name, 'minimum', `${name} cannot be below 0: ${value}`);
    else if (Number(value) > LONGEST_TOUCH_DAYS)
      fault(name, 'maximum', `${name} cannot be above ${LONGEST_TOUCH_DAYS}: ${value}`);
    return Number(value);
  };
  const groupBy = text('groupBy')?.split(',') ?? ['campaign'];
  for (const [index, dimension] of groupBy.entries()) {
    if (!DIMENSIONS.includes(dimension as Dimension)) {
      fault('groupBy', 'enum', `groupBy takes ${DIMENSIONS.join(', ')}, not ${dimension.slice(0, 64) || 'an empty text'}`);
    } else if (groupBy.indexOf(dimension) !== index) fault('groupBy', 'duplicate', `groupBy names ${dimension} twice`);
  }
  const query = {
    campaign: campaign ?? '',
    from: time('from'),
    to: time('to'),
    clickDays: days('clickDays', 30),
    viewDays: days('viewDays', 14),
    groupBy: groupBy as Dimension[],
  };
  return { query: faults.length === 0 ? query : null, faults };
}

/** A plain date is its UTC day: as a start from its first moment, as an end with the whole day included. */
export function readTime(value: string, end: boolean): number | null {
  if (DATE.test(value)) {
    const at = Date.parse(`${value}T00:00:00Z`);
    // Date.parse takes 2026-02-30 for the second of March.
    const real = !Number.isNaN(at) && new Date(at).toISOString().startsWith(value);
    return real ? at + (end ? DAY : 0) : null;
  }
  // A '+' of the zone arrives as a space where the caller did not escape it.
  const at = INSTANT.test(value) ? Date.parse(value.replace(/ (\d{2}:?\d{2})$/, '+$1')) : Number.NaN;
  return Number.isNaN(at) ? null : at;
}

/** Faults of a window that is resolved. */
export function windowFaults(from: number, to: number): Fault[] {
  if (to <= from) {
    return [{ pointer: '?to', code: 'end_before_start', message: `to (${iso(to)}) is not after from (${iso(from)})` }];
  }
  if (to - from > LONGEST_WINDOW_DAYS * DAY) {
    const message = `The window is longer than ${LONGEST_WINDOW_DAYS} days: ${iso(from)} to ${iso(to)}`;
    return [{ pointer: '?to', code: 'window_too_long', message }];
  }
  return [];
}

const iso = (at: number) => new Date(at).toISOString();
