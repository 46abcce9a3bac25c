import { Type } from 'typebox';
import type { WeekHours } from '../../proto/hours.ts';

const Spans = Type.Array(Type.Array(Type.String({ maxLength: 5 }), { minItems: 2, maxItems: 2 }), { maxItems: 10 });

/** Spans of "HH:MM" by day of the week; a span that ends at or before its start runs past midnight. */
export const Hours = Type.Unsafe<WeekHours>({
  type: 'object',
  properties: { mon: Spans, tue: Spans, wed: Spans, thu: Spans, fri: Spans, sat: Spans, sun: Spans },
  additionalProperties: false,
  examples: [{ mon: [['09:00', '21:00']] }],
});
