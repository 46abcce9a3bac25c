/**
 * A weekly schedule: half-open spans [from, to) in minutes of the week, Monday 00:00 = 0, in some local time. Used for opening
 * hours and dayparts. Null means always.
 */
export type WeekSpans = readonly (readonly [from: number, to: number])[];

export const WEEK_MINUTES = 7 * 24 * 60;
const DAYS = ['mon', 'tue', 'wed', 'thu', 'fri', 'sat', 'sun'] as const;
export type Day = (typeof DAYS)[number];

/** As people write it: a day's spans of "HH:MM"; a span that ends at or before its start runs past midnight. */
export type WeekHours = { readonly [day in Day]?: readonly (readonly [from: string, to: string])[] };

/** Compiles written hours. Unreadable times throw RangeError (validate before). */
export function weekSpans(hours: WeekHours): WeekSpans {
  const spans: [number, number][] = [];
  DAYS.forEach((day, index) => {
    for (const [from, to] of hours[day] ?? []) {
      const start = index * 1440 + minuteOfDay(from);
      let end = index * 1440 + minuteOfDay(to);
      if (end <= start) end += 1440;
      spans.push([start, Math.min(end, WEEK_MINUTES)]);
      if (end > WEEK_MINUTES) spans.push([0, end - WEEK_MINUTES]);
    }
  });
  return spans.sort((a, b) => a[0] - b[0]);
}

function minuteOfDay(text: string): number {
  const match = /^([01]\d|2[0-4]):([0-5]\d)$/.exec(text);
  const minute = match === null ? Number.NaN : Number(match[1]) * 60 + Number(match[2]);
  if (!(minute <= 1440)) throw new RangeError(`not a time of day: ${text}`);
  return minute;
}

export function isWithin(spans: WeekSpans | null, minute: number): boolean {
  if (spans === null) return true;
  // By index: asked of a line item's hours at every request that comes so far.
  for (let i = 0; i < spans.length; i++) {
    const span = spans[i] as WeekSpans[number];
    if (minute >= span[0] && minute < span[1]) return true;
  }
  return false;
}

const QUARTER = 15 * 60_000;
const offsets = new Map<string, number>();

/** Minutes east of UTC of an IANA zone at a time. Cached by quarter hour, since zones change on quarters only. */
export function zoneOffset(zone: string, at: number): number {
  const key = `${zone}|${Math.floor(at / QUARTER)}`;
  const known = offsets.get(key);
  if (known !== undefined) return known;
  if (offsets.size > 10_000) offsets.clear();
  const offset = computeOffset(zone, at);
  offsets.set(key, offset);
  return offset;
}

const formats = new Map<string, Intl.DateTimeFormat>();

function computeOffset(zone: string, at: number): number {
  let format = formats.get(zone);
  if (format === undefined) {
    format = new Intl.DateTimeFormat('en-US', {
      timeZone: zone,
      hourCycle: 'h23',
      year: 'numeric',
      month: 'numeric',
      day: 'numeric',
      hour: 'numeric',
      minute: 'numeric',
      second: 'numeric',
    });
    formats.set(zone, format);
  }
  const part: Record<string, number> = {};
  for (const { type, value } of format.formatToParts(at)) part[type] = Number(value);
  const local = Date.UTC(
    part['year'] as number,
    (part['month'] as number) - 1,
    part['day'] as number,
    part['hour'] as number,
    part['minute'] as number,
    part['second'] as number,
  );
  return Math.round((local - Math.floor(at / 1000) * 1000) / 60_000);
}

/** Minute of the local week for an offset in minutes east of UTC. 1970-01-05 was a Monday. */
export function minuteOfWeek(at: number, offset: number): number {
  const minutes = Math.floor(at / 60_000) + offset - 4 * 1440;
  return ((minutes % WEEK_MINUTES) + WEEK_MINUTES) % WEEK_MINUTES;
}

/** Local calendar day of a time in a zone, yyyy-mm-dd. */
export function localDay(at: number, zone: string): string {
  return new Date(at + zoneOffset(zone, at) * 60_000).toISOString().slice(0, 10);
}
