import type { ConversionRow } from './conversions.ts';
import type { Dimension } from './query.ts';

export const MEASURES = [
  'bids',
  'wins',
  'exposures',
  'exposedPeople',
  'clicks',
  'visits',
  'visitors',
  'purchases',
  'revenueMicros',
  'spendMicros',
  'viewers',
  'dataMicros',
  'costMicros',
] as const;

/** RFC 4180: a header, a line a row, and the totals last with `total` in the first column. */
export function conversionsCsv(groupBy: readonly Dimension[], rows: readonly ConversionRow[], totals: ConversionRow): string {
  const lines = rows.map((row) => [
    ...groupBy.map((dimension) => field(row[dimension] ?? '')),
    ...MEASURES.map((name) => row[name]),
  ]);
  const total = [...groupBy.map((_, index) => (index === 0 ? 'total' : '')), ...MEASURES.map((name) => totals[name])];
  return `${[[...groupBy, ...MEASURES], ...lines, total].map((line) => line.join(',')).join('\r\n')}\r\n`;
}

/** Quoted where needed; a text that a spreadsheet would run as a formula is given as text. */
function field(value: string): string {
  const safe = /^[=+\-@\t\r]/.test(value) ? `'${value}` : value;
  return /[",\r\n]/.test(safe) ? `"${safe.replaceAll('"', '""')}"` : safe;
}
