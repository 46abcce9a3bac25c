import { EVENT_SCHEMAS } from '../events/event.ts';
import { isIdentifierKind, type Keyring } from '../events/keyring.ts';

/** What stands in quarantine for a value that is not kept. */
export const REDACTED = 'redacted';

const MAX_ORIGINAL = 32_768;
const MAX_VALUE = 1_024;
const MAX_LIST = 200;
const EMAIL_LIKE = /[^\s@]@[^\s@]/;
const INTERNATIONAL = /^\s*\+\d[\d\s().-]{8,18}$/;
const PHONE_LIKE = /^\s*\+?[\d\s().-]{10,20}$/;
const DATE_LIKE = /^\d{4}-\d\d-\d\d/;

/** The names that events may use anywhere; a value under any other name is not kept, since nobody knows what it is. */
const NAMES: ReadonlySet<string> = new Set([
  ...Object.values(EVENT_SCHEMAS).flatMap((schema) => Object.keys(schema.properties)),
  ...[
    'kind',
    'value',
    'line',
    'product',
    'category',
    'department',
    'brand',
    'quantity',
    'amountMicros',
    'amount',
    'name',
    'price',
  ],
  ...['address', 'lat', 'lon', 'timeZone', 'radius', 'advertiser', 'hours', 'fence'],
]);
/** A receipt's or product's number looks like a phone's. */
const NUMBERS: ReadonlySet<string> = new Set([
  'id',
  'line',
  'product',
  'store',
  'coupon',
  'promotion',
  'at',
  'quantity',
  'amount',
  'lat',
  'lon',
]);
const PLACE: ReadonlySet<string> = new Set(['lat', 'lon', 'accuracy']);

/**
 * A refused row as quarantine keeps it: identifiers by their keys, nothing that looks like an e-mail or phone, nothing under an
 * unknown name, and no place where consent was refused.
 */
export function redact(raw: unknown, keyring: Keyring): unknown {
  if (!isRecord(raw)) return redactScalar('', raw);
  const withoutPlace = raw['consent'] === false;
  return Object.fromEntries(
    Object.entries(raw)
      .slice(0, MAX_LIST)
      .map(([name, value]) => {
        if (withoutPlace && PLACE.has(name)) return [name, REDACTED];
        return [redactName(name), redactMember(name, value, keyring)];
      }),
  );
}

function redactMember(name: string, value: unknown, keyring: Keyring): unknown {
  if (name === 'identifiers')
    return Array.isArray(value) ? value.slice(0, MAX_LIST).map((item) => redactIdentifier(item, keyring)) : REDACTED;
  if (name === 'lines' && Array.isArray(value)) return value.slice(0, MAX_LIST).map(redactFlat);
  if (name === 'attributes' && isRecord(value)) return redactAttributes(value);
  return redactScalar(name, value);
}

function redactIdentifier(item: unknown, keyring: Keyring): unknown {
  if (!isRecord(item)) return REDACTED;
  const { kind, value } = item;
  if (!isIdentifierKind(kind)) return { kind: REDACTED, value: REDACTED };
  const key = typeof value === 'string' ? keyring.keyOf(kind, value) : null;
  // What is mended later is the same fact as the row that is sent again meanwhile.
  return { kind, value: key === null ? REDACTED : keyring.heldOf(key) };
}

function redactFlat(item: unknown): unknown {
  if (!isRecord(item)) return redactScalar('', item);
  return Object.fromEntries(Object.entries(item).map(([name, value]) => [redactName(name), redactScalar(name, value)]));
}

/** Attributes have names of their own. */
function redactAttributes(attributes: Record<string, unknown>): unknown {
  return Object.fromEntries(
    Object.entries(attributes)
      .slice(0, MAX_LIST)
      .map(([name, value]) => [
        looksPersonal(name) ? REDACTED : name,
        isPersonalAttribute(name, value) ? REDACTED : scalarOf(value),
      ]),
  );
}

function redactName(name: string): string {
  return NAMES.has(name) ? name : REDACTED;
}

function redactScalar(name: string, value: unknown): unknown {
  if (!NAMES.has(name)) return REDACTED;
  if (typeof value === 'string' && (NUMBERS.has(name) ? EMAIL_LIKE.test(value) : looksPersonal(value))) return REDACTED;
  return scalarOf(value);
}

function scalarOf(value: unknown): unknown {
  if (typeof value === 'string') return value.slice(0, MAX_VALUE);
  return value === null || typeof value === 'number' || typeof value === 'boolean' ? value : REDACTED;
}

/** An attribute that is an identifier in disguise: it would be kept raw. */
export function isPersonalAttribute(name: string, value: unknown): boolean {
  if (PERSONAL_NAMES.has(name.toLowerCase())) return true;
  return typeof value === 'string' && (EMAIL_LIKE.test(value) || INTERNATIONAL.test(value));
}

const PERSONAL_NAMES: ReadonlySet<string> = new Set(['email', 'e-mail', 'mail', 'phone', 'ifa']);

function looksPersonal(text: string): boolean {
  return EMAIL_LIKE.test(text) || (PHONE_LIKE.test(text) && !DATE_LIKE.test(text));
}

/** What stands at a JSON pointer of a redacted row, as text. */
export function valueAt(redacted: unknown, pointer: string): string {
  let value = redacted;
  for (const part of pointer.split('/').slice(1)) {
    const name = part.replaceAll('~1', '/').replaceAll('~0', '~');
    if (typeof value !== 'object' || value === null) return '';
    if (!Object.hasOwn(value, name)) return '';
    value = (value as Record<string, unknown>)[name];
  }
  return (typeof value === 'string' ? value : JSON.stringify(value)).slice(0, MAX_VALUE);
}

/** A JSON pointer without names that may be somebody's: a sender may have mistaken names for values. */
export function redactPointer(pointer: string): string {
  const parts = pointer.split('/');
  return parts.map((part) => (NAMES.has(part) || !/@|\d{5}/.test(part) ? part : REDACTED)).join('/');
}

export function originalOf(redacted: unknown): string {
  return JSON.stringify(redacted).slice(0, MAX_ORIGINAL);
}

function isRecord(value: unknown): value is Record<string, unknown> {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}
