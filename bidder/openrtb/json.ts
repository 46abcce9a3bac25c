import { isUtf8 } from 'node:buffer';
import { isObject, type JsonObject, type Quirks } from './fields.ts';
import { parseWire } from './wire-json.ts';

/**
 * A bid request's JSON as far as it is read afterwards, undefined where it is none; ids that are numbers beyond 2^53 as text, digit by
 * digit.
 */
export function parseJson(body: Buffer, quirks: Quirks): unknown {
  const plain = parseWire(body);
  if (isObject(plain) && !hasRoundedId(plain)) return plain;
  if (!isUtf8(body)) return undefined;
  const text = body.toString();
  const marked = text.charCodeAt(0) === 0xfeff;
  if (marked) quirks.add('byte_order_mark');
  const json = marked ? text.slice(1) : text;
  const wire = parse(json);
  if (!isObject(wire) || !hasRoundedId(wire)) return wire;
  quirks.add('id_rounded');
  return parse(quoteLongIds(json));
}

function parse(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return undefined;
  }
}

/** Of those that are sent back, or that name somebody. */
function hasRoundedId(wire: JsonObject): boolean {
  if (isRounded(wire['id']) || hasOwnRounded(wire['user'])) return true;
  const { imp } = wire;
  if (!Array.isArray(imp)) return false;
  return imp.some((item) => hasOwnRounded(item) || (isObject(item) && hasRoundedDeal(item['pmp'])));
}

function hasRoundedDeal(pmp: unknown): boolean {
  const deals = isObject(pmp) ? pmp['deals'] : null;
  return Array.isArray(deals) && deals.some(hasOwnRounded);
}

function hasOwnRounded(value: unknown): boolean {
  return isObject(value) && (isRounded(value['id']) || isRounded(value['buyeruid']));
}

function isRounded(id: unknown): boolean {
  return typeof id === 'number' && !Number.isSafeInteger(id) && Number.isInteger(id);
}

/** A key stands between two quotes without a backslash, which no place inside of a text does. */
function quoteLongIds(json: string): string {
  return json.replace(/("(?:id|buyeruid)"\s*:\s*)(-?\d{16,})(?=\s*[,}])/g, '$1"$2"');
}
