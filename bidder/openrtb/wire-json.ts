import { isUtf8 } from 'node:buffer';
import { type Field, type Kind, LETTERS, REQUEST, type Shape } from './wire-shapes.ts';

/**
 * Reads a bid request's JSON, of the objects that nearly every request has only the members that are read afterwards: two thirds of
 * the bytes of a request name things that nobody asks for, and JSON.parse makes objects and texts of all of them. What is left out
 * is checked to be JSON all the same. Objects have one shape each, whatever a sender leaves out, so that their fields are found fast.
 *
 * Undefined where it cannot say: the text is no JSON, or is written as few write it. JSON.parse is then to be asked.
 */
export function parseWire(body: Buffer): unknown {
  try {
    data = body;
    isWide = false;
    wasWide = false;
    // A character for each byte: a slice of it costs nothing.
    text = body.toString('latin1');
    const start = skipSpace(body, 0);
    if (body[start] !== 0x7b) return undefined;
    const wire = readObject(body, start, REQUEST);
    if (skipSpace(body, end) !== body.length) return undefined;
    return (isWide || wasWide) && !isUtf8(body) ? undefined : wire;
  } catch {
    // Also of a nesting that is deeper than the stack.
    return undefined;
  }
}

/** What is read at present, as bytes and as text. */
let data: Buffer = Buffer.alloc(0);
let text = '';
/** Whether something beyond ASCII was met since `startSpan`, and whether before that: a text of ASCII alone is a slice. */
let isWide = false;
let wasWide = false;

function startSpan(): void {
  wasWide ||= isWide;
  isWide = false;
}

/** Behind what was read last. */
let end = 0;

class NotJson extends Error {}
const NOT_JSON = new NotJson('no JSON');

function skipSpace(bytes: Uint8Array, at: number): number {
  return (bytes[at] as number) > 0x20 ? at : skipSpaces(bytes, at);
}

function skipSpaces(bytes: Uint8Array, at: number): number {
  let next = at;
  for (;;) {
    const char = bytes[next] as number;
    if (char !== 0x20 && char !== 0x0a && char !== 0x0d && char !== 0x09) return next;
    next++;
  }
}

/** `at`: the brace. */
function readObject(bytes: Uint8Array, at: number, shape: Shape): object {
  const { values } = shape;
  for (let i = 0; i < values.length; i++) values[i] = undefined;
  let next = skipSpace(bytes, at + 1);
  if ((bytes[next] as number) === 0x7d) {
    end = next + 1;
    return shape.make(values);
  }
  for (;;) {
    if ((bytes[next] as number) !== 0x22) throw NOT_JSON;
    const start = next + 1;
    // A name written with escapes is the same name, which JSON.parse can tell.
    if (!skipString(bytes, start)) throw NOT_JSON;
    const field = fieldIn(shape, bytes, start, end - 1);
    next = skipSpace(bytes, end);
    if ((bytes[next] as number) !== 0x3a) throw NOT_JSON;
    next = skipSpace(bytes, next + 1);
    if (field === null) skipValue(bytes, next);
    else values[field.at] = readValue(bytes, next, field.kind);
    next = skipSpace(bytes, end);
    const char = bytes[next] as number;
    if (char === 0x2c) next = skipSpace(bytes, next + 1);
    else if (char === 0x7d) break;
    else throw NOT_JSON;
  }
  end = next + 1;
  return shape.make(values);
}

function fieldIn({ slots, a, b }: Shape, bytes: Uint8Array, start: number, stop: number): Field | null {
  const length = stop - start;
  if (length === 0) return null;
  const field = slots[(length * a + (bytes[start] as number) * b + (bytes[stop - 1] as number)) & (slots.length - 1)] ?? null;
  if (field === null || field.name.length !== length) return null;
  const { lettersAt } = field;
  for (let i = 0; i < length; i++) if ((LETTERS[lettersAt + i] as number) !== (bytes[start + i] as number)) return null;
  return field;
}

function readValue(bytes: Uint8Array, at: number, kind: Kind): unknown {
  const char = bytes[at] as number;
  if (char === 0x22) return readString(bytes, at);
  if (char === 0x2d || (char >= 0x30 && char <= 0x39)) return readNumber(bytes, at);
  if (char === 0x7b) return kind !== null && !kind.isList ? readObject(bytes, at, kind.shape) : readAny(bytes, at);
  if (char === 0x5b) return readList(bytes, at, kind?.isList ? kind.shape : null);
  return readWord(at, char);
}

/** Whatever it is, as JSON.parse makes it. */
function readAny(bytes: Uint8Array, at: number): unknown {
  startSpan();
  skipValue(bytes, at);
  return JSON.parse(textOf(at, end));
}

function readList(bytes: Uint8Array, at: number, shape: Shape | null): unknown[] {
  const list: unknown[] = [];
  let next = skipSpace(bytes, at + 1);
  if ((bytes[next] as number) === 0x5d) {
    end = next + 1;
    return list;
  }
  for (;;) {
    list.push(shape !== null && bytes[next] === 0x7b ? readObject(bytes, next, shape) : readValue(bytes, next, null));
    next = skipSpace(bytes, end);
    const char = bytes[next] as number;
    if (char === 0x2c) next = skipSpace(bytes, next + 1);
    else if (char === 0x5d) break;
    else throw NOT_JSON;
  }
  end = next + 1;
  return list;
}

function readString(bytes: Uint8Array, at: number): string {
  startSpan();
  const isPlain = skipString(bytes, at + 1);
  return isPlain ? textOf(at + 1, end - 1) : (JSON.parse(textOf(at, end)) as string);
}

function textOf(from: number, to: number): string {
  return isWide ? data.toString('utf8', from, to) : text.slice(from, to);
}

/** `at`: behind the quote. Whether it is without escapes. */
function skipString(bytes: Uint8Array, at: number): boolean {
  const { length } = bytes;
  let isPlain = true;
  for (let next = at; ; next++) {
    while (next < length && IN_TEXT[bytes[next] as number] === 1) next++;
    if (next >= length) throw NOT_JSON;
    const char = bytes[next] as number;
    if (char === 0x22) {
      end = next + 1;
      return isPlain;
    }
    if (char >= 0x80) {
      isWide = true;
      continue;
    }
    if (char !== 0x5c) throw NOT_JSON;
    isPlain = false;
    next = skipEscape(next + 1);
  }
}

/** ASCII that stands for itself in a text: one look in place of three for each of a request's 1,500 bytes. */
const IN_TEXT = Uint8Array.from({ length: 256 }, (_, byte) =>
  byte >= 0x20 && byte < 0x80 && byte !== 0x22 && byte !== 0x5c ? 1 : 0,
);

/** `at`: behind the backslash; returns where the last character of the escape is. */
function skipEscape(at: number): number {
  const char = text.charAt(at);
  if (char !== 'u') {
    if (!ESCAPED.has(char)) throw NOT_JSON;
    return at;
  }
  if (!HEX.test(text.slice(at + 1, at + 5))) throw NOT_JSON;
  return at + 4;
}

const ESCAPED = new Set('"\\/bfnrt');
const HEX = /^[\da-fA-F]{4}$/;

function readNumber(bytes: Uint8Array, at: number): number {
  const isNegative = (bytes[at] as number) === 0x2d;
  const first = isNegative ? at + 1 : at;
  let next = first;
  let number = 0;
  /** Where the fraction begins, 0: there is none. */
  let fraction = 0;
  for (; next - first <= MOST_DIGITS; next++) {
    const char = bytes[next] as number;
    if (char === 0x2e && fraction === 0 && next > first) fraction = next + 1;
    else if (char >= 0x30 && char <= 0x39) number = number * 10 + (char - 0x30);
    else break;
  }
  const char = bytes[next] as number;
  // Up to 15 digits are exact, and so are the powers of ten below: the quotient of two such is the double nearest to what is written.
  const isShort =
    next > first && next - first <= MOST_DIGITS && next !== fraction && char !== 0x65 && char !== 0x45 && char !== 0x2e;
  const startsWell = (bytes[first] as number) !== 0x30 || next === first + 1 || fraction === first + 2;
  if (isShort && startsWell) {
    end = next;
    const value = fraction === 0 ? number : number / (POWERS[next - fraction] as number);
    return isNegative ? -value : value;
  }
  skipNumber(bytes, at);
  return Number(text.slice(at, end));
}

const POWERS = Array.from({ length: 16 }, (_, power) => Number(`1e${power}`));

/** Digits with a point that are read at once. */
const MOST_DIGITS = 15;

function skipNumber(bytes: Uint8Array, at: number): void {
  let next = (bytes[at] as number) === 0x2d ? at + 1 : at;
  next = (bytes[next] as number) === 0x30 ? next + 1 : skipDigits(bytes, next);
  if ((bytes[next] as number) === 0x2e) next = skipDigits(bytes, next + 1);
  const char = bytes[next] as number;
  if (char === 0x65 || char === 0x45) {
    const sign = bytes[next + 1] as number;
    next = skipDigits(bytes, sign === 0x2b || sign === 0x2d ? next + 2 : next + 1);
  }
  end = next;
}

/** At least one. */
function skipDigits(bytes: Uint8Array, at: number): number {
  let next = at;
  for (;;) {
    const char = bytes[next] as number;
    if (!(char >= 0x30 && char <= 0x39)) break;
    next++;
  }
  if (next === at) throw NOT_JSON;
  return next;
}

function readWord(at: number, char: number): boolean | null {
  if (char === 0x74 && text.startsWith('true', at)) end = at + 4;
  else if (char === 0x66 && text.startsWith('false', at)) end = at + 5;
  else if (char === 0x6e && text.startsWith('null', at)) end = at + 4;
  else throw NOT_JSON;
  return char === 0x6e ? null : char === 0x74;
}

function skipValue(bytes: Uint8Array, at: number): void {
  const char = bytes[at] as number;
  if (char === 0x22) skipString(bytes, at + 1);
  else if (char === 0x7b) skipMembers(bytes, at, 0x7d);
  else if (char === 0x5b) skipMembers(bytes, at, 0x5d);
  else if (char === 0x2d || (char >= 0x30 && char <= 0x39)) skipNumber(bytes, at);
  else readWord(at, char);
}

/** Of an object or a list, by what closes it. */
function skipMembers(bytes: Uint8Array, at: number, close: number): void {
  let next = skipSpace(bytes, at + 1);
  if ((bytes[next] as number) === close) {
    end = next + 1;
    return;
  }
  for (;;) {
    if (close === 0x7d) {
      if ((bytes[next] as number) !== 0x22) throw NOT_JSON;
      skipString(bytes, next + 1);
      next = skipSpace(bytes, end);
      if ((bytes[next] as number) !== 0x3a) throw NOT_JSON;
      next = skipSpace(bytes, next + 1);
    }
    skipValue(bytes, next);
    next = skipSpace(bytes, end);
    const char = bytes[next] as number;
    if (char === 0x2c) next = skipSpace(bytes, next + 1);
    else if (char === close) break;
    else throw NOT_JSON;
  }
  end = next + 1;
}
