import { type Static, Type } from 'typebox';
import type { Language, NodeCheck } from './node.ts';
import { counted, type Forms } from './words.ts';

const part = (most: number) => Type.Optional(Type.Number({ exclusiveMinimum: 0, maximum: most }));

/** A length of time: its members added up. */
export const gap = (description: string) =>
  Type.Object(
    { seconds: part(31_536_000), minutes: part(5_256_000), hours: part(876_000), days: part(36_500) },
    { additionalProperties: false, description },
  );
export type Gap = Static<ReturnType<typeof gap>>;

export function gapMs({ seconds = 0, minutes = 0, hours = 0, days = 0 }: Gap): number {
  return Math.round(((days * 24 + hours) * 60 + minutes) * 60_000 + seconds * 1_000);
}

export function checkGap(given: Gap | undefined, pointer: string, { fault }: NodeCheck): undefined {
  if (given !== undefined && gapMs(given) === 0)
    return fault(pointer, 'too_few_properties', 'a length of time needs seconds, minutes, hours or days');
}

/** Russian in the accusative: «через 1 минуту», «за 2 дня». */
const UNITS: readonly (readonly [keyof Gap, Forms])[] = [
  ['days', { en: ['day', 'days'], ru: ['день', 'дня', 'дней'] }],
  ['hours', { en: ['hour', 'hours'], ru: ['час', 'часа', 'часов'] }],
  ['minutes', { en: ['minute', 'minutes'], ru: ['минуту', 'минуты', 'минут'] }],
  ['seconds', { en: ['second', 'seconds'], ru: ['секунду', 'секунды', 'секунд'] }],
];

/** "1 day 12 hours"; Russian in the accusative, or after «в течение» in the genitive. */
export function gapWords(given: Gap, language: Language, say: typeof counted = counted): string {
  return UNITS.flatMap(([unit, forms]) => (given[unit] === undefined ? [] : [say(given[unit], forms, language)])).join(' ');
}
