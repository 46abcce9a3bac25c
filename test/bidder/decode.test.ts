import { gzipSync } from 'node:zlib';
import fc from 'fast-check';
import { describe, expect, it, test } from 'vitest';
import { decodeRequest } from '../../bidder/openrtb/decode.ts';
import { inflate, MAX_BODY, MAX_COMPRESSED } from '../../bidder/openrtb/inflate.ts';
import { listed, lower, upper } from '../../bidder/openrtb/listed.ts';
import type { BidRequest } from '../../bidder/openrtb/request.ts';
import { LAT, LON, wireRequest } from './support/live.ts';
import { encodeRequestMessage } from './support/message.ts';

function decode(given: Record<string, unknown> = {}) {
  return decodeRequest(Buffer.from(JSON.stringify(wireRequest(given))));
}

function decoded(given: Record<string, unknown> = {}): BidRequest {
  const request = decode(given);
  if (typeof request === 'string') throw new Error(request);
  return request;
}

const BANNER = { banner: { w: 300, h: 250 } };

describe('decoding a bid request', () => {
  it.each([
    [''],
    ['null'],
    ['[]'],
    ['42'],
    ['"text"'],
    ['{'],
    ['{}'],
    ['{"id":"1"}'],
    ['{"id":"1","imp":[]}'],
    ['{"id":"1","imp":{}}'],
  ])('calls %s malformed', (body) => {
    expect(decodeRequest(Buffer.from(body))).toBe('malformed');
  });

  it('calls a request without a readable id malformed', () => {
    for (const id of [undefined, null, '', {}, [], true]) expect(decode({ id })).toBe('malformed');
  });

  it('reads a numeric id as text, digit by digit', () => {
    expect(decoded({ id: 42 }).id).toBe('42');
    const body = JSON.stringify(wireRequest({ id: 'X', imp: [{ id: 'Y', ...BANNER }] }))
      .replace('"X"', '12345678901234567891')
      .replace('"Y"', '98765432109876543210');
    const request = decodeRequest(Buffer.from(body)) as BidRequest;
    expect([request.id, request.imps[0]?.id]).toEqual(['12345678901234567891', '98765432109876543210']);
  });

  it('refuses more than one of site, app and dooh', () => {
    expect(decode({ site: { id: 's' } })).toBe('invalid_request');
    expect(decode({ app: null, site: { id: 's' } })).toBeTypeOf('object');
    expect(decode({ app: undefined })).toBeTypeOf('object');
  });

  it('refuses duplicate ids of imps', () => {
    expect(
      decode({
        imp: [
          { id: '1', ...BANNER },
          { id: 1, ...BANNER },
        ],
      }),
    ).toBe('invalid_request');
  });

  it('skips an imp without media, without size, without id, or whose ext is not an object', () => {
    for (const imp of [
      { id: '1' },
      { id: '1', banner: {} },
      { id: '1', banner: [] },
      BANNER,
      { id: '1', ...BANNER, ext: '' },
      7,
      null,
    ]) {
      expect(decode({ imp: [imp] })).toBe('invalid_request');
      expect(decoded({ imp: [imp, { id: '2', ...BANNER, ext: null }] }).imps.map(({ id }) => id)).toEqual(['2']);
    }
  });

  it('takes the union of width and height and formats, also as texts', () => {
    const banner = { w: '728', h: '90', format: [{ w: 300, h: 250 }, { w: 0, h: 5 }, null, { w: 1 }] };
    expect(decoded({ imp: [{ id: '1', banner }] }).imps[0]?.banner?.sizes).toEqual([
      [728, 90],
      [300, 250],
    ]);
  });

  it('reads numbers as texts and drops what is no number', () => {
    expect(decoded({ tmax: '120' }).tmax).toBe(120);
    for (const tmax of ['', 'as', -5, null, {}, Number.NaN]) expect(decoded({ tmax }).tmax).toBe(0);
  });

  it('reads flags in all forms in which they are sent', () => {
    for (const test of [1, '1', true, 'true', 1.0]) expect(decoded({ test }).test).toBe(true);
    for (const test of [0, '0', false, '', null, 'no', {}]) expect(decoded({ test }).test).toBe(false);
  });

  it('takes an unreadable privacy flag for a refusal', () => {
    for (const lmt of [1, '1', true, 44, 'eew', {}]) expect(decoded({ device: { lmt } }).device.lmt).toBe(true);
    for (const lmt of [0, '0', false, '', null]) expect(decoded({ device: { lmt } }).device.lmt).toBe(false);
  });

  it('drops objects where texts belong', () => {
    const { device, userId } = decoded({ device: { os: {}, ifa: ['x'] }, user: { id: { a: 1 } } });
    expect([device.os, device.ifa, userId]).toEqual(['', '', '']);
  });

  it('wraps scalars where lists belong, and takes an empty list for none', () => {
    const request = decoded({ cur: 'eur', bcat: 'iab1', badv: ['A.com', 7, null, {}], wseat: 5, bseat: [] });
    expect([request.cur, [...request.bcat], [...request.badv], request.wseat, request.bseat]).toEqual([
      ['EUR'],
      ['IAB1'],
      ['a.com', '7'],
      ['5'],
      [],
    ]);
    expect(decoded({ cur: [] }).cur).toEqual(['USD']);
  });

  it('drops coordinates that cannot be a place', () => {
    const places = [
      { lat: 0, lon: 0 },
      { lat: 123, lon: 123 },
      { lat: 3723.516, lon: -12202.625 },
      { lat: LAT },
      { lat: 'x', lon: LON },
    ];
    for (const geo of places) expect(decoded({ device: { geo } }).device.location).toBeNull();
    expect(decoded({ device: { geo: { lat: String(LAT), lon: LON, type: '1' } } }).device.location).toMatchObject({
      lat: LAT,
      type: 1,
    });
  });

  it('reads privacy in its place of 2.6 and in that of 2.5', () => {
    expect(decoded({ regs: { gdpr: 0, ext: { gdpr: 1 } } }).regs.gdpr).toBe(false);
    expect(decoded({ regs: { ext: { gdpr: 1, us_privacy: '1YYN' } } }).regs).toMatchObject({ gdpr: true, usPrivacy: '1YYN' });
    expect(decoded({ regs: { ext: 7 } }).regs.gdpr).toBeNull();
    expect(decoded({ regs: { gpp_sid: [-1, '7'] } }).regs.gppSections).toEqual([7]);
  });

  it("takes Apple's refusal of tracking for limited tracking", () => {
    expect(decoded({ device: { ext: { atts: 2 } } }).device.lmt).toBe(true);
    expect(decoded({ device: { ext: { atts: 3 } } }).device.lmt).toBe(false);
  });

  it('reads what begins with a byte order mark', () => {
    expect(decodeRequest(Buffer.from(`\ufeff${JSON.stringify(wireRequest())}`))).toBeTypeOf('object');
  });

  it('refuses an id that is too long to be sent back in every notice', () => {
    expect(decode({ id: 'x'.repeat(513) })).toBe('invalid_request');
  });
});

describe('inflating a body', () => {
  const plain = Buffer.from('{"id":"1"}');

  it('knows gzip by its magic bytes, whatever the header says', () => {
    for (const encoding of [undefined, 'gzip', 'identity', 'br'])
      expect(inflate(gzipSync(plain), encoding, new Set())).toEqual(plain);
    expect(inflate(plain, 'gzip', new Set())).toEqual(plain);
  });

  it('calls broken compression malformed', () => {
    expect(inflate(gzipSync(plain).subarray(0, 15), 'gzip', new Set())).toBe('malformed');
    expect(inflate(plain, 'deflate', new Set())).toBe('malformed');
  });

  it('refuses what is too large before or after inflating', () => {
    expect(inflate(gzipSync(Buffer.alloc(MAX_BODY + 1)), 'gzip', new Set())).toBe('too_large');
    expect(inflate(Buffer.concat([gzipSync(plain), Buffer.alloc(MAX_COMPRESSED)]), 'gzip', new Set())).toBe('too_large');
    expect(inflate(Buffer.alloc(MAX_BODY + 1), undefined, new Set())).toBe('too_large');
  });
});

describe('a name that is there twice', () => {
  it('means its last value, at the root and below, as in protobuf', () => {
    const twice =
      '{"id":"first","id":"last","imp":[{"id":"1","banner":{"w":1,"h":1,"w":300}}],"regs":{"coppa":0},"regs":{"coppa":1}}';
    const request = decodeRequest(Buffer.from(twice)) as BidRequest;
    expect([request.id, request.imps[0]?.banner?.sizes, request.regs.coppa]).toEqual(['last', [[300, 1]], true]);
    const once = (id: string, coppa: number) =>
      encodeRequestMessage({ id, imp: [{ id: '1', banner: { w: 300, h: 1 } }], regs: { coppa } });
    const message = decodeRequest(Buffer.concat([once('first', 0).subarray(0, 7), once('last', 1)]), 'protobuf') as BidRequest;
    expect([message.id, message.regs.coppa]).toEqual(['last', true]);
  });
});

test('a list of what is blocked says the same of its first texts as of all after', () => {
  const text = fc.stringMatching(/^[ \u00a0]?[aAsS.\u0130\u212a\u00df]{0,3}[ \t]?$/);
  fc.assert(
    fc.property(fc.array(text, { maxLength: 6 }), fc.array(text, { maxLength: 12 }), (given, asked) => {
      for (const form of [lower, upper]) {
        const list = listed(given, form);
        const set = new Set(given.map((one) => form(one.trim())));
        for (const one of [...asked, ...asked.map((other) => form(other.trim())), ...given])
          expect(list.has(one)).toBe(set.has(one));
      }
    }),
    { seed: 3, numRuns: 500 },
  );
});
