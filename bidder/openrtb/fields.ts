/** Tolerant readers of one JSON field each: what cannot be read as the type is the same as absent. */

export type JsonObject = Readonly<Record<string, unknown>>;

const EMPTY: JsonObject = Object.freeze({});

export function isObject(value: unknown): value is JsonObject {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}

/** The object, or an empty one. */
export function objectOf(value: unknown): JsonObject {
  return isObject(value) ? value : EMPTY;
}

/** Texts as they are, numbers printed, all else ''. */
export function textOf(value: unknown): string {
  if (typeof value === 'string') return value;
  return typeof value === 'number' ? String(value) : '';
}

/** Numbers, and texts that are a number; null otherwise. */
export function numberOf(value: unknown): number | null {
  if (typeof value === 'number') return Number.isFinite(value) ? value : null;
  if (typeof value !== 'string' || value.trim() === '') return null;
  const number = Number(value);
  return Number.isFinite(number) ? number : null;
}

export function integerOf(value: unknown): number | null {
  const number = numberOf(value);
  return number === null ? null : Math.trunc(number);
}

/** 1, "1", true, "true", 1.0. */
export function flagOf(value: unknown): boolean {
  return value === true || value === 'true' || numberOf(value) === 1;
}

/** A flag that protects somebody: whatever is there and is not clearly "no" counts as "yes". */
export function privacyFlagOf(value: unknown): boolean {
  if (value === undefined || value === null || value === false || value === '' || value === 'false') return false;
  return numberOf(value) !== 0;
}

/** A scalar stands for a list of one; what is not a text or a number is left out. */
export function textsOf(value: unknown): string[] {
  if (value === undefined || value === null) return [];
  const list = Array.isArray(value) ? value : [value];
  const texts: string[] = [];
  for (const item of list) {
    const text = textOf(item);
    if (text !== '') texts.push(text);
  }
  return texts;
}

export function integersOf(value: unknown): number[] {
  if (value === undefined || value === null) return [];
  const list = Array.isArray(value) ? value : [value];
  const integers: number[] = [];
  for (const item of list) {
    const integer = integerOf(item);
    if (integer !== null) integers.push(integer);
  }
  return integers;
}
