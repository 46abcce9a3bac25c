/** How the judge reads a request: what cannot be read as its type is the same as absent, a scalar stands for a list of one. */

export type Json = Readonly<Record<string, unknown>>;

const NOTHING: Json = Object.freeze({});

export const isObject = (value: unknown): value is Json => typeof value === 'object' && value !== null && !Array.isArray(value);
export const objectOf = (value: unknown): Json => (isObject(value) ? value : NOTHING);

export function listOf(value: unknown): readonly unknown[] {
  if (value === undefined || value === null || value === '') return [];
  return Array.isArray(value) ? value : [value];
}

export const objectsOf = (value: unknown): readonly Json[] => listOf(value).filter(isObject);

export function textOf(value: unknown): string {
  if (typeof value === 'string') return value;
  return typeof value === 'number' && Number.isFinite(value) ? String(value) : '';
}

export const textsOf = (value: unknown): readonly string[] =>
  listOf(value)
    .map(textOf)
    .filter((text) => text !== '');

export function numberOf(value: unknown): number | null {
  if (typeof value === 'string' && value.trim() === '') return null;
  if (typeof value !== 'number' && typeof value !== 'string') return null;
  const number = Number(value);
  return Number.isFinite(number) ? number : null;
}

/** A positive number, else 0. */
export const positiveOf = (value: unknown): number => Math.max(0, numberOf(value) ?? 0);

/** Whole numbers are cut; what no sender can mean is absent. */
export function wholeOf(value: unknown): number | null {
  const number = numberOf(value);
  return number === null || Math.abs(number) >= 2 ** 31 ? null : Math.trunc(number);
}

export const wholesOf = (value: unknown): readonly number[] => listOf(value).flatMap((item) => wholeOf(item) ?? []);

/** A positive whole number, else 0. */
export const countOf = (value: unknown): number => Math.max(0, wholeOf(value) ?? 0);

export const isOn = (value: unknown): boolean => value === true || value === 'true' || numberOf(value) === 1;

/** A number beyond 2^53 was rounded when it was read here, so it is compared as a number. */
export function isSameId(asked: unknown, answered: string): boolean {
  return typeof asked === 'number' && !Number.isSafeInteger(asked) ? Number(answered) === asked : textOf(asked) === answered;
}

/** The field in its place of 2.6, else in that of 2.5. */
export const fieldOf = (object: Json, name: string): unknown => object[name] ?? objectOf(object['ext'])[name];

/** The bytes as a JSON object, null where they are none. */
export function parseObject(body: Uint8Array): Json | null {
  try {
    const value: unknown = JSON.parse(
      Buffer.from(body)
        .toString()
        .replace(/^\ufeff/, ''),
    );
    return isObject(value) ? value : null;
  } catch {
    return null;
  }
}
