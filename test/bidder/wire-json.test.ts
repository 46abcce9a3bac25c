import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { decodeNotes, decodeRequest } from '../../bidder/openrtb/decode.ts';
import { isObject } from '../../bidder/openrtb/fields.ts';
import { parseWire } from '../../bidder/openrtb/wire-json.ts';
import { type Kind, REQUEST, type Shape } from '../../bidder/openrtb/wire-shapes.ts';
import { readCorpus } from '../../load-tests/bench/corpus.ts';
import { createDraw } from '../../load-tests/bench/draw.ts';
import { readFields } from '../conformance/support/recording.ts';
import { wireRequest } from './support/live.ts';

const SHARED = process.env['WALKIN_SHARED'] ?? '../shared';

/** Requests of the fixtures, and real ones where they are there. */
const TEXTS: readonly string[] = [
  JSON.stringify(wireRequest()),
  ...['exemplary', 'supplemental'].flatMap((folder) => requestsIn(join(import.meta.dirname, 'fixtures', folder))),
  ...readCorpus(SHARED).map((request) => JSON.stringify(request)),
];

function requestsIn(folder: string): string[] {
  return readdirSync(folder).flatMap((file) => {
    const { request } = JSON.parse(readFileSync(join(folder, file), 'utf8')) as { request?: unknown };
    return isObject(request) ? [JSON.stringify(request)] : [];
  });
}

/** What of a parsed request is to be read. */
function part(value: unknown, kind: Kind): unknown {
  if (kind === null) return value;
  if (kind.isList) return Array.isArray(value) ? value.map((item) => part(item, { ...kind, isList: false })) : value;
  return isObject(value) ? members(value, kind.shape) : value;
}

function members(value: Readonly<Record<string, unknown>>, { slots }: Shape): object {
  const kept = slots.flatMap((field) => (field !== null && Object.hasOwn(value, field.name) ? [field] : []));
  return Object.fromEntries(kept.map(({ name, kind }) => [name, part(value[name], kind)]));
}

function parsed(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return undefined;
  }
}

/** Whether it could be read at all. */
function expectAgreement(text: string): boolean {
  const whole = parsed(text);
  const wire = parseWire(Buffer.from(text));
  if (wire === undefined) return false;
  expect(isObject(whole), text).toBe(true);
  expect(withoutAbsent(wire), text).toEqual(withoutAbsent(part(whole, { shape: REQUEST, isList: false })));
  return true;
}

/** JSON has no undefined, and the reader has no other absence. */
function withoutAbsent(value: unknown): unknown {
  if (Array.isArray(value)) return value.map(withoutAbsent);
  if (!isObject(value)) return value;
  const there = Object.entries(value).filter(([, member]) => member !== undefined);
  return Object.fromEntries(there.map(([name, member]) => [name, withoutAbsent(member)]));
}

describe('the reader of requests', () => {
  it('reads what JSON.parse reads, of every request that we have', () => {
    expect(TEXTS.length).toBeGreaterThan(300);
    expect(TEXTS.filter((text) => !expectAgreement(text))).toEqual([]);
    // With white space everywhere, too.
    expect(TEXTS.filter((text) => !expectAgreement(JSON.stringify(JSON.parse(text), null, '\t ')))).toEqual([]);
  });

  it('leaves out nothing that decoding looks at', () => {
    const mark = Buffer.from('\ufeff');
    for (const text of TEXTS) {
      const [notes, whole] = [decodeNotes(), decodeNotes()];
      // A byte order mark leads past the reader, to JSON.parse.
      expect(decodeRequest(Buffer.from(text), 'json', notes), text).toEqual(
        decodeRequest(Buffer.concat([mark, Buffer.from(text)]), 'json', whole),
      );
      whole.quirks.delete('byte_order_mark');
      expect(notes.quirks, text).toEqual(whole.quirks);
    }
  });

  it('knows every field that is read, and no other', () => {
    const known: string[] = [];
    const whole = new Set<string>();
    list(REQUEST, '');
    const read = [...readFields()].filter((path) => ![...whole].some((parent) => path.startsWith(`${parent}.`)));
    // Nobody has an imp with a buyer's id: the same check serves users.
    expect(read.filter((path) => !known.includes(path))).toEqual(['imp.buyeruid']);
    expect(known.filter((path) => !read.includes(path))).toEqual([]);

    function list({ slots }: Shape, path: string): void {
      for (const field of slots) {
        if (field === null) continue;
        const own = path === '' ? field.name : `${path}.${field.name}`;
        known.push(own);
        if (field.kind === null) whole.add(own);
        else list(field.kind.shape, own);
      }
    }
  });

  it('reads numbers to the last digit', () => {
    const draw = createDraw(11, 1);
    const digits = (most: number): string => Array.from({ length: 1 + draw.below(most) }, () => draw.below(10)).join('');
    const texts = ['0', '-0', '0.0', '-0.10', '1e2', '0.1e-7', '999999999999999', '9007199254740993', '0.30000000000000004'];
    for (let turn = 0; turn < 5_000; turn++)
      texts.push(`${draw.chance(0.3) ? '-' : ''}${Number(digits(9))}${draw.chance(0.8) ? `.${digits(9)}` : ''}`);
    for (const text of texts) {
      const wire = parseWire(Buffer.from(`{"tmax":${text}}`)) as { readonly tmax: number };
      expect(Object.is(wire.tmax, JSON.parse(text)), text).toBe(true);
    }
    for (const text of ['01', '1.', '.5', '-', '-.1', '1.2.3', '00.1', '1.e1', '--1', '1-'])
      expect(parseWire(Buffer.from(`{"tmax":${text}}`)), text).toBeUndefined();
  });

  it('takes for JSON what is JSON, and nothing else', () => {
    const draw = createDraw(7, 1);
    const pieces = [
      '"',
      '\\',
      '{',
      '}',
      '[',
      ']',
      ',',
      ':',
      '0',
      '-',
      '.',
      'e',
      ' ',
      '\n',
      '\u0000',
      '\\u12',
      'tru',
      'null',
      'я',
      '\\u0041',
      '1e',
      '01',
    ];
    let [read, refused] = [0, 0];
    for (let turn = 0; turn < 30_000; turn++) {
      const text = TEXTS[turn % TEXTS.length] as string;
      const at = draw.below(text.length);
      const changed = text.slice(0, at) + draw.pick(pieces) + text.slice(at + draw.below(3));
      if (parsed(changed) === undefined) {
        expect(parseWire(Buffer.from(changed)), changed).toBeUndefined();
        refused++;
      } else if (expectAgreement(changed)) read++;
    }
    expect(read).toBeGreaterThan(1_000);
    expect(refused).toBeGreaterThan(1_000);
  });

  it.each([
    '{"id":"\\u0041\\n\\ud83d\\ude00","at":-0,"tmax":1e400,"cur":[],"imp":[{},{"id":1.50e-3}],"bcat":["\u2028"]}',
    '{"id":"a","id":"b","device":{"geo":{"lat":1},"geo":{"lon":2}},"device":{"geo":{}}}',
    '{"imp":{"id":"1"},"site":[{"id":"2"}],"app":"none","device":null,"user":7,"regs":true}',
    '{"imp":[[{"id":"1"}],null,"x",{"banner":[{"w":1}],"ext":{"__proto__":{"a":1}}}]}',
    '{"__proto__":{"id":"x"},"constructor":1,"":2,"\\u0069d":"escaped"}',
    '{"id":123456789012345,"tmax":1234567890123456,"at":12345678901234567890,"test":0.1}',
    ' {"ext" : { } , "imp" : [ ] }\r\n',
  ])('agrees on %s', (text) => {
    expectAgreement(text);
  });

  it.each([
    '',
    ' ',
    '{',
    '{}x',
    '{"a"}',
    '{"a":}',
    '{"a":1,}',
    '{"id":01}',
    '{"id":-}',
    '{"id":1.}',
    '{"id":"\t"}',
    '{"id":"\\x"}',
    '[]',
    '"a"',
  ])('leaves alone what is none: %s', (text) => {
    expect(parseWire(Buffer.from(text))).toBeUndefined();
  });

  it('is not thrown off by what is nested deeper than the stack', () => {
    expect(parseWire(Buffer.from('{"ext":['.repeat(200_000)))).toBeUndefined();
  });
});
