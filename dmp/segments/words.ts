import { type Bounds, type HourSpan, type Near, WEEKDAYS, type Weekday, type Window } from './members.ts';
import type { Language } from './node.ts';

/** Parts of the sentence that a rule reads as. */

/** Forms by number: English one and other; Russian one (чек), few (чека) and many (чеков); of one where it is not as few (разного чека). */
export interface Forms {
  readonly en: readonly [one: string, other: string];
  readonly ru: readonly [one: string, few: string, many: string, ofOne?: string];
}

const RULES = { en: new Intl.PluralRules('en'), ru: new Intl.PluralRules('ru') } as const;

/** "3 days", «3 дня», «2,5 дня». */
export function counted(n: number, forms: Forms, language: Language): string {
  return `${numeral(n, language)} ${formOf(n, forms, language)}`;
}

function formOf(n: number, { en, ru }: Forms, language: Language): string {
  const category = RULES[language].select(n);
  if (language === 'en') return category === 'one' ? en[0] : en[1];
  // A fraction takes the genitive singular, as few does.
  return category === 'one' ? ru[0] : category === 'many' ? ru[2] : ru[1];
}

/** After «не менее», «не более» and «за последние» Russian numbers take another case: of 1 the genitive singular (few), else the plural. */
function genitive(n: number, { en, ru }: Forms, language: Language): string {
  if (language === 'en') return formOf(n, { en, ru }, 'en');
  const category = RULES.ru.select(n);
  if (category === 'one') return ru[3] ?? ru[1];
  return Number.isInteger(n) ? ru[2] : ru[1];
}

/** "3 days", after words that want the genitive: «в течение 3 дней», «21 дня». */
export function countedOf(n: number, forms: Forms, language: Language): string {
  return `${numeral(n, language)} ${genitive(n, forms, language)}`;
}

export function numeral(n: number, language: Language): string {
  return new Intl.NumberFormat(language, { maximumFractionDigits: 6, useGrouping: false }).format(n);
}

/** "at least 3 and at most 5 times"; equal ends: "exactly 3 times"; once and twice are words of their own. */
export function bounded({ min, max }: Bounds, forms: Forms, language: Language): string {
  const word = (n: number): string | undefined =>
    language === 'en' && forms === TIMES ? { 1: 'once', 2: 'twice' }[n] : undefined;
  const said = (n: number): string => word(n) ?? countedOf(n, forms, language);
  if (min !== undefined && min === max)
    return `${language === 'en' ? 'exactly' : 'ровно'} ${word(min) ?? counted(min, forms, language)}`;
  const [least, most, and] = language === 'en' ? ['at least', 'at most', 'and'] : ['не менее', 'не более', 'и'];
  if (min !== undefined && max !== undefined) return `${least} ${numeral(min, language)} ${and} ${most} ${said(max)}`;
  return min !== undefined ? `${least} ${said(min)}` : max === undefined ? '' : `${most} ${said(max)}`;
}

/** "on at least 3 different days", «не менее чем в 3 разных дня»: forms as they follow the Russian «в». */
export function boundedIn(bounds: Bounds, preposition: string, forms: Forms, language: Language): string {
  const { min, max } = bounds;
  if (language === 'en') return `${preposition} ${bounded(bounds, forms, 'en')}`;
  if (min !== undefined && min === max) return `ровно в ${counted(min, forms, 'ru')}`;
  if (min !== undefined && max !== undefined)
    return `не менее чем в ${numeral(min, 'ru')} и не более чем в ${counted(max, forms, 'ru')}`;
  if (min !== undefined) return `не менее чем в ${counted(min, forms, 'ru')}`;
  return max === undefined ? '' : `не более чем в ${counted(max, forms, 'ru')}`;
}

/** "on at least 3 different days" */
export function daysWords(days: Bounds | undefined, language: Language): string {
  return days === undefined ? '' : boundedIn(days, 'on', DIFFERENT_DAYS, language);
}

/** Bounds of what needs no noun: money, numbers. */
export function boundedBy({ min, max }: Bounds, unit: string, language: Language, scale = 1): string {
  const plain = (n: number | undefined) => (n === undefined ? {} : n / scale);
  const scaled = {
    ...(min === undefined ? {} : { min: plain(min) }),
    ...(max === undefined ? {} : { max: plain(max) }),
  } as Bounds;
  return bounded(scaled, { en: [unit, unit], ru: [unit, unit, unit] }, language).trimEnd();
}

/** Bounds below nothing, counted from the other side: what is at most −10 more is at least 10 less. Null where they are not all below. */
export function below({ min, max }: Bounds): Bounds | null {
  if (max === undefined || max >= 0) return null;
  return { min: -max, ...(min === undefined ? {} : { max: -min }) };
}

export function money(bounds: Bounds, currency: string | undefined, language: Language): string {
  return boundedBy(bounds, currency ?? '', language, 1e6);
}

/** What cannot be seen, and what turns the direction of the writing round it. */
const UNSEEN = /[\p{Cc}\p{Zl}\p{Zp}\p{Surrogate}\u00ad\u061c\u200b\u200e\u200f\u202a-\u202e\u2060-\u2069\ufeff]/u;
const EVERY_UNSEEN = new RegExp(UNSEEN, 'gu');
/** What could be taken for the sentence's own. */
const OWN = /^\s|\s$|[,"«»“”„]| (?:or|and|nor|или|и) |^[^\p{L}\p{N}\p{S}]*$/u;

/** A text as its writer gave it, in quotes where it could be taken for words of the sentence; of what cannot be seen the code. */
export function asGiven(text: string): string {
  return OWN.test(text) || UNSEEN.test(text) ? inQuotes(text) : text;
}

export function inQuotes(text: string): string {
  const seen = text.replaceAll(/["\\]/g, '\\$&').replaceAll(EVERY_UNSEEN, (one) => `\\u{${one.codePointAt(0)?.toString(16)}}`);
  return `"${seen}"`;
}

/** "a, b or c" */
export function anyOf(values: readonly (string | number | boolean)[], language: Language): string {
  const shown = values.slice(0, NAMED).map((value) => (typeof value === 'string' ? asGiven(value) : String(value)));
  const rest = values.length - shown.length;
  if (rest > 0) shown.push(language === 'en' ? `${rest} more` : `ещё ${rest}`);
  return new Intl.ListFormat(language, { type: 'disjunction' }).format(shown);
}

/** Of a long list a sentence names the first. */
const NAMED = 5;

export const TIMES: Forms = { en: ['time', 'times'], ru: ['раз', 'раза', 'раз'] };
const DIFFERENT_DAYS: Forms = { en: ['day', 'different days'], ru: ['день', 'разных дня', 'разных дней'] };
export const DAYS: Forms = { en: ['day', 'days'], ru: ['день', 'дня', 'дней'] };

/** "in the last 30 days", «с 2026-01-01 по 2026-01-31» */
export function windowWords(window: Window | undefined, language: Language): string {
  if (window === undefined) return '';
  const { days, from, to } = window;
  if (days === undefined) return language === 'en' ? `from ${from} to ${to}` : `с ${from} по ${to}`;
  if (language === 'en') return days === 1 ? 'in the last day' : `in the last ${days} days`;
  // «за последний 21 день», «за последние 3 дня»
  return `за ${RULES.ru.select(days) === 'one' ? 'последний' : 'последние'} ${days === 1 ? 'день' : counted(days, DAYS, 'ru')}`;
}

const WEEKDAY_WORDS: Readonly<Record<Weekday, readonly [en: string, ru: string]>> = {
  mon: ['Mondays', 'понедельникам'],
  tue: ['Tuesdays', 'вторникам'],
  wed: ['Wednesdays', 'средам'],
  thu: ['Thursdays', 'четвергам'],
  fri: ['Fridays', 'пятницам'],
  sat: ['Saturdays', 'субботам'],
  sun: ['Sundays', 'воскресеньям'],
};

export function weekdayWords(weekdays: readonly Weekday[] | undefined, language: Language): string {
  if (weekdays === undefined) return '';
  const days = WEEKDAYS.filter((day) => weekdays.includes(day)).map((day) => WEEKDAY_WORDS[day][language === 'en' ? 0 : 1]);
  const named = new Intl.ListFormat(language, { type: 'conjunction' }).format(days);
  return `${language === 'en' ? 'on' : 'по'} ${named}`;
}

export function hourWords(hours: HourSpan | undefined, language: Language): string {
  if (hours === undefined) return '';
  return language === 'en' ? `between ${hours.from}:00 and ${hours.to}:00` : `с ${hours.from}:00 до ${hours.to}:00`;
}

interface PlaceMembers {
  readonly stores?: readonly string[];
  readonly storeGroups?: readonly string[];
  readonly near?: Near;
}

/** "at store st_1 or in a store of group sg_1" */
export function placeWords({ stores, storeGroups, near }: PlaceMembers, language: Language): string {
  const parts: string[] = [];
  const en = language === 'en';
  if (stores !== undefined) parts.push(`${en ? 'at store' : 'в магазине'} ${anyOf(stores, language)}`);
  if (storeGroups !== undefined)
    parts.push(`${en ? 'at a store of group' : 'в магазине группы'} ${anyOf(storeGroups, language)}`);
  if (near !== undefined) parts.push(nearWords(near, language));
  return parts.join(en ? ' or ' : ' или ');
}

function nearWords({ metres, stores, lat, lon }: Near, language: Language): string {
  const of = stores === undefined ? `${lat}, ${lon}` : anyOf(stores, language);
  if (language === 'en') return `at a store within ${numeral(metres, 'en')} m of ${of}`;
  return `в магазине не дальше ${numeral(metres, 'ru')} м от ${of}`;
}

/** "bought milk at least 3 times, for at least 20 USD, in the last 30 days": what they did, how often, what else holds of it, when. */
export function clause(words: string, often: string, measures: readonly string[], when: string): string {
  const given = measures.filter((measure) => measure !== '');
  if (given.length === 0) return spaced(words, often, when);
  return [spaced(words, often), ...given, when].filter((part) => part !== '').join(', ');
}

/** The parts that are there, with spaces. */
export function spaced(...parts: readonly string[]): string {
  return parts.filter((part) => part !== '').join(' ');
}

const AGO: Forms = { en: ['day ago', 'days ago'], ru: ['день назад', 'дня назад', 'дней назад'] };

/** "for the first time at least 30 days ago" */
export function ageWords(which: 'first' | 'last', age: Bounds | undefined, language: Language): string {
  if (age === undefined) return '';
  const word = which === 'first' ? ['for the first time', 'в первый раз'] : ['for the last time', 'в последний раз'];
  return `${word[language === 'en' ? 0 : 1]} ${bounded(age, AGO, language)}`;
}
