import { zoneOffset } from '../../proto/hours.ts';

/** Events are from 2000 on, and clocks of sources may be a day ahead. */
export const EARLIEST = Date.UTC(2000, 0, 1);
export const AHEAD_MS = 24 * 3600_000;

const RFC3339 = /^(\d{4})-(\d\d)-(\d\d)[Tt ](\d\d):(\d\d):(\d\d)(?:\.(\d{1,9}))?(?:[Zz]|([+-])(\d\d):(\d\d))$/;
const LOCAL = /^(\d{4})-(\d\d)-(\d\d)(?:[T ](\d\d):(\d\d)(?::(\d\d)(?:\.(\d{1,9}))?)?)?$/;
const MINUTE = 60_000;

/** Epoch ms of a time with a zone, or null where it is none (also 30 February). */
export function parseRfc3339(text: string): number | null {
  const match = RFC3339.exec(text);
  if (match === null) return null;
  const local = utcOf(match[1], match[2], match[3], match[4], match[5], match[6], match[7]);
  if (local === null || match[8] === undefined) return local;
  const hours = Number(match[9]);
  const minutes = Number(match[10]);
  if (hours > 23 || minutes > 59) return null;
  return local - (match[8] === '-' ? -1 : 1) * (hours * 60 + minutes) * MINUTE;
}

/** Epoch ms of yyyy-mm-dd or yyyy-mm-dd hh:mm[:ss] as a clock in `zone` shows it; a time with its own zone is taken as such. */
export function parseTimeIn(zone: string, text: string): number | null {
  const match = LOCAL.exec(text);
  if (match === null) return parseRfc3339(text);
  const local = utcOf(match[1], match[2], match[3], match[4] ?? '0', match[5] ?? '0', match[6] ?? '0', match[7]);
  if (local === null) return null;
  // The offset is that of the answer, which a first guess finds but for the hours around a change.
  const guess = local - zoneOffset(zone, local) * MINUTE;
  return local - zoneOffset(zone, guess) * MINUTE;
}

type Digits = string | undefined;

function utcOf(
  year: Digits,
  month: Digits,
  day: Digits,
  hour: Digits,
  minute: Digits,
  second: Digits,
  fraction: Digits,
): number | null {
  const h = Number(hour);
  const m = Number(minute);
  const s = Number(second);
  if (h > 23 || m > 59 || s > 59) return null;
  const ms = fraction === undefined ? 0 : Number(fraction.slice(0, 3).padEnd(3, '0'));
  const at = Date.UTC(Number(year), Number(month) - 1, Number(day), h, m, s, ms);
  // Date.UTC rolls a day that its month lacks into the next.
  return new Date(at).getUTCDate() === Number(day) && new Date(at).getUTCMonth() === Number(month) - 1 ? at : null;
}

/** Epoch ms as ClickHouse reads a DateTime64 parameter. */
export function dateTimeOf(at: number): string {
  return new Date(at).toISOString().replace('T', ' ').replace('Z', '');
}
