import { Type } from 'typebox';
import { type Day, type WeekHours, weekSpans } from '../../proto/hours.ts';
import type { Fault } from '../problem.ts';

const Spans = Type.Array(Type.Array(Type.String({ maxLength: 5 }), { minItems: 2, maxItems: 2 }), { maxItems: 10 });

/** Spans of "HH:MM" by day of the week; a span that ends at or before its start runs past midnight. */
export const Hours = Type.Unsafe<WeekHours>({
  type: 'object',
  properties: { mon: Spans, tue: Spans, wed: Spans, thu: Spans, fri: Spans, sat: Spans, sun: Spans },
  additionalProperties: false,
  examples: [{ mon: [['09:00', '21:00']] }],
});

/** Faults of the times in written hours. */
export function hoursFaults(hours: WeekHours, pointer: string): Fault[] {
  return (Object.entries(hours) as [Day, readonly (readonly [string, string])[]][]).flatMap(([day, spans]) =>
    spans.flatMap((span, index) => (isReadable(span) ? [] : [badSpan(span, `${pointer}/${day}/${index}`)])),
  );
}

function isReadable(span: readonly [string, string]): boolean {
  try {
    weekSpans({ mon: [span] });
    return true;
  } catch {
    return false;
  }
}

function badSpan(span: readonly [string, string], pointer: string): Fault {
  return { pointer, code: 'bad_hours', message: `${JSON.stringify(span)} is not a pair of times HH:MM` };
}
