import type { Quirk } from './quirks.ts';

/**
 * Tolerant readers of one field each: what cannot be read as the type is the same as absent. Each tells what it met that is not
 * as the specification has it.
 */

export type JsonObject = Readonly<Record<string, unknown>>;
export type Quirks = Set<Quirk>;

const EMPTY: JsonObject = Object.freeze({});
const NONE: readonly never[] = Object.freeze([]);
/** As large as an integer of the specification (and of protobuf) can be. */
const MAX_INTEGER = 2 ** 31 - 1;

export function isObject(value: unknown): value is JsonObject {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}

/** Null and the empty text are sent for "nothing". */
export function isAbsent(value: unknown): value is undefined | null | '' {
  return value === undefined || value === null || value === '';
}

/** The object, or an empty one. */
export function objectOf(value: unknown, quirks: Quirks): JsonObject {
  if (isObject(value)) return value;
  if (!isAbsent(value)) quirks.add('scalar_for_object');
  return EMPTY;
}

/** Texts as they are, numbers printed, all else ''. */
export function textOf(value: unknown, quirks: Quirks): string {
  if (typeof value === 'string') return value;
  if (value === undefined || value === null) return '';
  if (typeof value === 'number' && Number.isFinite(value)) {
    quirks.add('text_as_number');
    return String(value);
  }
  noteMisfit(value, quirks);
  return '';
}

function noteMisfit(value: unknown, quirks: Quirks): void {
  if (Array.isArray(value)) quirks.add('list_for_scalar');
  else quirks.add(isObject(value) ? 'object_for_scalar' : 'unreadable_number');
}

/** Numbers, and texts that are a number; null otherwise. */
export function numberOf(value: unknown, quirks: Quirks): number | null {
  if (typeof value === 'number' && Number.isFinite(value)) return value;
  if (isAbsent(value)) return null;
  if (typeof value !== 'string') {
    noteMisfit(value, quirks);
    return null;
  }
  const number = value.trim() === '' ? Number.NaN : Number(value);
  quirks.add(Number.isFinite(number) ? 'number_as_text' : 'unreadable_number');
  return Number.isFinite(number) ? number : null;
}

export function integerOf(value: unknown, quirks: Quirks): number | null {
  const number = numberOf(value, quirks);
  if (number === null) return null;
  const integer = Math.trunc(number);
  if (integer !== number) quirks.add('fraction_for_integer');
  if (Math.abs(integer) <= MAX_INTEGER) return integer;
  quirks.add('unreadable_number');
  return null;
}

/** A length, a size or a rate: what is not positive is the same as absent. */
export function amountOf(value: unknown, quirks: Quirks): number {
  return Math.max(0, integerOf(value, quirks) ?? 0);
}

/** 1, "1", true, "true", 1.0 and their counterparts; null where absent or neither. */
export function answerOf(value: unknown, quirks: Quirks): boolean | null {
  if (value === 1 || value === 0) return value === 1;
  if (isAbsent(value)) return null;
  if (typeof value === 'boolean') {
    quirks.add('flag_as_boolean');
    return value;
  }
  const answer = typeof value === 'string' ? wordOf(value) : null;
  quirks.add(answer === null ? 'unreadable_flag' : 'flag_as_text');
  return answer;
}

function wordOf(text: string): boolean | null {
  const word = text.trim().toLowerCase();
  if (word === 'true' || (word !== '' && Number(word) === 1)) return true;
  return word === 'false' || (word !== '' && Number(word) === 0) ? false : null;
}

export function flagOf(value: unknown, quirks: Quirks): boolean {
  return answerOf(value, quirks) ?? false;
}

/** A flag that protects somebody: whatever is there and is not clearly "no" counts as "yes". Null where absent. */
export function protectionOf(value: unknown, quirks: Quirks): boolean | null {
  if (isAbsent(value)) return null;
  const answer = answerOf(value, quirks);
  if (answer !== null) return answer;
  quirks.add('unreadable_privacy_flag');
  return true;
}

/** A scalar stands for a list of one; what is not a text or a number is left out. */
export function textsOf(value: unknown, quirks: Quirks): readonly string[] {
  if (isAbsent(value)) return NONE;
  if (isAllOf(value, isText)) return value;
  const texts: string[] = [];
  for (const item of listOf(value, quirks)) {
    const text = textOf(item, quirks);
    if (text !== '') texts.push(text);
  }
  return texts;
}

export function integersOf(value: unknown, quirks: Quirks): readonly number[] {
  if (isAbsent(value)) return NONE;
  if (isAllOf(value, isInteger)) return value;
  const integers: number[] = [];
  for (const item of listOf(value, quirks)) {
    const integer = integerOf(item, quirks);
    if (integer !== null) integers.push(integer);
  }
  return integers;
}

/** A list as it should be is taken as it is: nothing else holds it. */
function isAllOf<Item>(value: unknown, is: (item: unknown) => item is Item): value is readonly Item[] {
  if (!Array.isArray(value)) return false;
  for (let i = 0; i < value.length; i++) if (!is(value[i])) return false;
  return true;
}

function isText(item: unknown): item is string {
  return typeof item === 'string' && item !== '';
}

function isInteger(item: unknown): item is number {
  return typeof item === 'number' && Math.trunc(item) === item && Math.abs(item) <= MAX_INTEGER;
}

/** The objects of a list; one object stands for a list of one. */
export function objectsOf(value: unknown, quirks: Quirks): readonly JsonObject[] {
  if (isAbsent(value)) return NONE;
  if (isAllOf(value, isObject)) return value;
  const objects: JsonObject[] = [];
  for (const item of listOf(value, quirks)) {
    if (isObject(item)) objects.push(item);
    else if (!isAbsent(item)) quirks.add('scalar_for_object');
  }
  return objects;
}

function listOf(value: unknown, quirks: Quirks): readonly unknown[] {
  if (Array.isArray(value)) return value;
  quirks.add('scalar_for_list');
  return [value];
}

/** Extensions beside a field; an empty object where there are none. */
export function extOf({ ext }: JsonObject): JsonObject {
  return isObject(ext) ? ext : EMPTY;
}

/**
 * A field in its place of 2.6, else `former`, which is the one of the `ext` beside it, where 2.5 had it. Both are read where they are needed: a field that is asked
 * for by a name from elsewhere is searched for.
 */
export function moved(value: unknown, former: unknown, quirks: Quirks): unknown {
  if (!isAbsent(value)) return value;
  if (!isAbsent(former)) quirks.add('field_of_2_5');
  return former;
}
