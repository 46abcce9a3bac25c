import { parseMicros } from '../../proto/money.ts';
import { parseTimeIn } from '../events/time.ts';
import type { Fault } from '../problem.ts';
import type { FieldRule } from './mapping.ts';
import type { FieldKind } from './targets.ts';

/** What a text says as a field's value; undefined: it is not readable as that. */
export type ReadCell = (text: string) => unknown;

/** What is said of a text that is not readable. */
export const UNREADABLE: Readonly<Record<FieldKind, readonly [code: Fault['code'], message: string]>> = {
  text: ['bad_encoding', 'is not a text'],
  time: ['bad_time', 'is not a date or time'],
  amount: ['bad_amount', 'is not a decimal number'],
  number: ['bad_number', 'is not a number'],
  integer: ['bad_number', 'is not a number'],
  boolean: ['enum', 'is none of true, false, yes, no, 1, 0'],
  json: ['not_json', 'is not JSON'],
};

export function cellReader(kind: FieldKind, rule: FieldRule, zone: string): ReadCell {
  const plain = plainNumber(rule.decimal);
  switch (kind) {
    case 'text':
      return (text) => text;
    case 'time':
      return timeReader(rule.time, zone);
    case 'amount':
      return (text) => readAmount(plain(text), rule.unit);
    case 'number':
      return (text) => readNumber(plain(text));
    case 'integer':
      return (text) => (/^[+-]?\d{1,15}$/.test(text) ? Number(text) : undefined);
    case 'boolean':
      return (text) => BOOLEANS[text.toLowerCase()];
    case 'json':
      return readJson;
  }
}

const BOOLEANS: Readonly<Record<string, boolean>> = {
  ...{ true: true, yes: true, '1': true, да: true },
  ...{ false: false, no: false, '0': false, нет: false },
};

/** 1.234,56 could be two numbers: it is read only where the mapping says which. */
function plainNumber(decimal: ',' | '.' | undefined): (text: string) => string {
  if (decimal === ',')
    return (text) => (GROUPED_COMMA.test(text) ? text.replace(/[.\s\u00a0\u202f]/g, '').replace(',', '.') : text);
  if (decimal === '.') return (text) => (GROUPED_POINT.test(text) ? text.replace(/[,\s\u00a0\u202f]/g, '') : text);
  return (text) => text;
}

const GROUPED_COMMA = /^[+-]?\d{1,3}(?:[.\s\u00a0\u202f]\d{3})*(?:,\d*)?$|^[+-]?\d+(?:,\d*)?$/;
const GROUPED_POINT = /^[+-]?\d{1,3}(?:[,\s\u00a0\u202f]\d{3})*(?:\.\d*)?$/;

const NUMBER = /^[+-]?(\d{1,18}(\.\d{0,18})?|\.\d{1,18})([eE][+-]?\d{1,2})?$/;
/** A number as floats are printed when they are tiny: real till data holds 4.440892e-16 where it means nothing. */
const SCIENTIFIC = /^[+-]?\d{1,9}(\.\d{1,20})?[eE]-\d{1,2}$/;
const WHOLE = /^[+-]?\d{1,15}$/;

function readNumber(text: string): number | undefined {
  return NUMBER.test(text) ? Number(text) : undefined;
}

function readAmount(text: string, unit: FieldRule['unit']): number | undefined {
  if (unit === 'hundredths' || unit === 'micros') {
    const whole = WHOLE.test(text) ? Number(text) * (unit === 'micros' ? 1 : 10_000) : Number.NaN;
    return Number.isSafeInteger(whole) ? whole : undefined;
  }
  return parseMicros(SCIENTIFIC.test(text) ? Number(text).toFixed(20) : text) ?? undefined;
}

const EPOCH_MS = /^\d{12,13}$/;
const EPOCH_SECONDS = /^\d{9,10}(?:\.\d{1,6})?$/;
const DMY = /^(\d\d)[./-](\d\d)[./-](\d{4})(?:[ T](\d\d:\d\d(?::\d\d)?))?$/;

function timeReader(form: FieldRule['time'], zone: string): ReadCell {
  switch (form) {
    case 'seconds':
      return (text) => (EPOCH_SECONDS.test(text) ? Math.round(Number(text) * 1000) : undefined);
    case 'localSeconds':
      // A till counts its seconds as if the clock on its wall showed UTC.
      return (text) =>
        EPOCH_SECONDS.test(text)
          ? (parseTimeIn(zone, new Date(Math.floor(Number(text)) * 1000).toISOString().slice(0, 19)) ?? undefined)
          : undefined;
    case 'dmy':
      return (text) => {
        const match = DMY.exec(text);
        if (match === null) return undefined;
        const day = `${match[3]}-${match[2]}-${match[1]}`;
        return parseTimeIn(zone, match[4] === undefined ? day : `${day}T${match[4]}`) ?? undefined;
      };
    default:
      return (text) => (EPOCH_MS.test(text) ? Number(text) : (parseTimeIn(zone, text) ?? undefined));
  }
}

function readJson(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return undefined;
  }
}
