import { existsSync, readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import fc from 'fast-check';
import protobuf from 'protobufjs';
import { describe, expect, it } from 'vitest';
import { decide } from '../../bidder/core/decide.ts';
import { buildIndex } from '../../bidder/core/index.ts';
import { NOBODY } from '../../bidder/core/person.ts';
import { decodeNotes, decodeRequest } from '../../bidder/openrtb/decode.ts';
import { BID_REQUEST, decodeResponseMessage, encodeResponseMessage } from '../../bidder/openrtb/protobuf.ts';
import type { BidRequest } from '../../bidder/openrtb/request.ts';
import type { WireResponse } from '../../proto/openrtb.ts';
import { creative, exchange, lineItem, NOON, snapshot, wireRequest } from './support/live.ts';
import { encodeRequestMessage } from './support/message.ts';

type Fields = Record<string, unknown>;

const SHARED = join(process.env['WALKIN_SHARED'] ?? '../shared', 'data/openrtb');
const missing = !existsSync(SHARED);
if (missing) console.warn(`skipped: no real bid requests at ${SHARED} (set WALKIN_SHARED)`);

const ASSET_TITLE = '{"ver":"1.2","assets":[{"id":1,"required":1,"title":{"len":90}}]}';

function decodeJson(wire: unknown): BidRequest | string {
  return decodeRequest(Buffer.from(JSON.stringify(wire)));
}

function decodeMessage(wire: unknown): BidRequest | string {
  return decodeRequest(encodeRequestMessage(wire), 'protobuf');
}

/** What a message of the given fields has no number for: that of the JSON is not compared. */
function withoutUnnumbered(request: BidRequest | string): unknown {
  if (typeof request === 'string') return request;
  const userData = request.userData.map((data) => ({ ...data, segtax: 0 }));
  return { ...request, userData, device: { ...request.device, atts: null }, regs: { ...request.regs, gpc: false } };
}

const INDEX = buildIndex(
  snapshot({
    lineItems: [
      lineItem('one', { creatives: [creative('a'), creative('b', { w: 728, h: 90 }), creative('c', { w: 320, h: 50 })] }),
      lineItem('two', { bid: { maxCpm: 3_000_000, distance: null }, targeting: { deviceTypes: [4] } }),
    ],
  }),
);

function decisionOn(request: BidRequest | string): unknown {
  if (typeof request === 'string') return request;
  const { bids, reason } = decide(INDEX, {
    request,
    person: NOBODY,
    exchange: exchange('x'),
    preciseLocation: true,
    childOnly: false,
    now: NOON,
    allowance: () => 0,
  });
  const plain = bids.map(({ imp, lineItem: { id }, creative: ad, price }) => [imp.id, id, ad.id, price]);
  return { bids: plain, reason };
}

describe('a request in protobuf', () => {
  it('is read as the same request in JSON', () => {
    const wire = wireRequest({
      imp: [
        {
          id: '1',
          instl: 1,
          secure: 0,
          rwdd: 1,
          bidfloor: 1.25,
          bidfloorcur: 'EUR',
          exp: 300,
          qty: { multiplier: 14.2 },
          pmp: { private_auction: 1, deals: [{ id: 'd', bidfloor: 2, at: 3, wseat: ['7'], wadomain: ['A.com'], guar: 1 }] },
          banner: {
            w: 300,
            h: 250,
            format: [
              { w: 728, h: 90 },
              { wratio: 4, hratio: 1, wmin: 200 },
            ],
            btype: [1],
            api: [5],
            pos: 1,
          },
          video: { mimes: ['video/mp4'], protocols: [7], skip: 0, plcmt: 1, rqddurs: [15, 30], podid: 'p', mincpmpersec: 0.5 },
          audio: { mimes: ['audio/mp4'], minduration: 5, maxduration: 30 },
          native: { request: ASSET_TITLE, ver: '1.2', battr: [3] },
        },
      ],
      source: {
        schain: {
          complete: 1,
          nodes: [
            { asi: 'a.com', sid: '1', hp: 1 },
            { asi: 'b.com', sid: '2', hp: 0 },
          ],
        },
      },
      regs: { coppa: 0, gdpr: 1, us_privacy: '1YNN', gpp: 'DBAA', gpp_sid: [2, 7] },
      user: { id: 'u', buyeruid: 'b', consent: 'C', eids: [{ source: 'Id.com', uids: [{ id: 'x' }] }] },
      wlang: ['en'],
      acat: ['IAB1'],
      bapp: ['com.rival'],
      allimps: 1,
      test: 1,
    });
    const request = decodeMessage(wire);
    expect(request).toBeTypeOf('object');
    expect(request).toEqual(decodeJson(wire));
  });

  it('tells flags that were not sent from those that are off', () => {
    const secure = (value: unknown) =>
      (decodeMessage(wireRequest({ imp: [{ id: '1', secure: value, banner: { w: 1, h: 1 } }] })) as BidRequest).imps[0]?.secure;
    expect([secure(undefined), secure(0), secure(1)]).toEqual([null, false, true]);
    expect((decodeMessage(wireRequest()) as BidRequest).regs.gdpr).toBeNull();
  });

  it('may hold a native request as a message, and wants its markup as one', () => {
    const notes = decodeNotes();
    const native = { request: JSON.parse(ASSET_TITLE) as unknown };
    const request = decodeRequest(encodeRequestMessage(wireRequest({ imp: [{ id: '1', native }] })), 'protobuf', notes);
    expect((request as BidRequest).imps[0]?.native?.assets).toMatchObject([{ id: 1, required: true, kind: 'title', len: 90 }]);
    expect([notes.nativeMessages, notes.quirks.has('native_request_object')]).toEqual([true, false]);
  });

  it('may carry what nobody here knows: extensions and new fields are skipped', () => {
    const { root } = protobuf.parse(
      'syntax = "proto2"; message More { optional string a = 100; optional double b = 9999; optional More c = 300; optional int32 d = 60; }',
    );
    const more = root.lookupType('More');
    const tail = more.encode({ a: 'ext', b: 1.5, c: { a: 'x', d: 7 }, d: 1 }).finish();
    const body = Buffer.concat([encodeRequestMessage(wireRequest()), tail]);
    expect(decodeRequest(body, 'protobuf')).toEqual(decodeMessage(wireRequest()));
  });

  it('may hold genres as numbers or as texts', () => {
    const base = encodeRequestMessage(wireRequest({ app: undefined, site: { id: 's' } }));
    // Of `site` (3) the `content` (12): field 34, packed and not.
    for (const content of [
      [0x92, 0x02, 3, 1, 0xac, 0x02],
      [0x90, 0x02, 7],
    ]) {
      const extra = Buffer.from([0x1a, content.length + 2, 0x62, content.length, ...content]);
      expect(decodeRequest(Buffer.concat([base, extra]), 'protobuf')).toMatchObject({ inventory: { kind: 'site' } });
    }
    // Field 34 of type text, "drama".
    const text = Buffer.from([0x1a, 10, 0x62, 8, 0x92, 0x02, 5, 0x64, 0x72, 0x61, 0x6d, 0x61]);
    expect(decodeRequest(Buffer.concat([base, text]), 'protobuf')).toMatchObject({ inventory: { kind: 'site' } });
  });

  it('that is cut off anywhere is malformed, or a shorter message, and never an exception', () => {
    const body = encodeRequestMessage(wireRequest());
    for (let length = 0; length < body.length; length++) {
      const request = decodeRequest(body.subarray(0, length), 'protobuf');
      if (typeof request === 'string') expect(['malformed', 'invalid_request']).toContain(request);
    }
    expect(decodeRequest(body.subarray(0, body.length - 1), 'protobuf')).toBe('malformed');
  });

  it('of any bytes is answered', () => {
    const body = encodeRequestMessage(wireRequest());
    const broken = fc.tuple(fc.nat(body.length - 1), fc.uint8Array({ minLength: 1, maxLength: 6 })).map(([at, bytes]) => {
      const copy = Buffer.from(body);
      copy.set(bytes.subarray(0, body.length - at), at);
      return copy;
    });
    fc.assert(
      fc.property(fc.oneof(broken, fc.uint8Array({ maxLength: 200 }).map(Buffer.from)), (bytes) => {
        const request = decodeRequest(bytes as Buffer, 'protobuf');
        if (typeof request !== 'string') expect(request.imps.length).toBeGreaterThan(0);
      }),
      { numRuns: 3_000, seed: 3 },
    );
  });

  it('of nested groups without end is malformed', () => {
    expect(decodeRequest(Buffer.alloc(200_000, 0xfb), 'protobuf')).toBe('malformed');
    expect(decodeRequest(Buffer.alloc(200_000, 0x63), 'protobuf')).toBe('malformed');
  });

  it('decides as the same request in JSON, whatever is in it', () => {
    fc.assert(
      fc.property(anyRequest, (wire) => {
        const json = decodeJson(wire);
        const message = decodeMessage(wire);
        expect(withoutUnnumbered(message)).toEqual(withoutUnnumbered(json));
        expect(decisionOn(message)).toEqual(decisionOn(json));
      }),
      { numRuns: 1_000, seed: 5 },
    );
  });
});

/** Small, so that equal ids, sizes and domains meet. */
const size = fc.record({ w: fc.constantFrom(300, 320, 728), h: fc.constantFrom(250, 50, 90) });
const anyImp = fc.record(
  {
    id: fc.constantFrom('1', '2', '3', '4', '5'),
    banner: fc.record(
      {
        w: fc.constantFrom(300, 728, '320', -1),
        h: fc.constantFrom(250, 90, '50', 0),
        format: fc.array(size, { maxLength: 3 }),
        battr: fc.array(fc.integer({ min: 1, max: 17 }), { maxLength: 3 }),
      },
      { requiredKeys: [] },
    ),
    video: fc.record(
      {
        mimes: fc.array(fc.constantFrom('video/mp4', 'video/webm')),
        maxduration: fc.integer({ min: -5, max: 60 }),
        skip: fc.constantFrom(0, 1),
        protocols: fc.array(fc.integer({ min: 1, max: 14 })),
      },
      { requiredKeys: [] },
    ),
    native: fc.record({
      request: fc.constantFrom<unknown>(ASSET_TITLE, 'no json', JSON.parse(ASSET_TITLE), {
        native: JSON.parse(ASSET_TITLE) as unknown,
      }),
    }),
    bidfloor: fc.oneof(fc.double({ min: -2, max: 5, noNaN: true }), fc.constantFrom('1.5')),
    bidfloorcur: fc.constantFrom('USD', 'EUR', ''),
    secure: fc.constantFrom(0, 1, '1', true),
    qty: fc.record({ multiplier: fc.double({ min: 0.5, max: 20, noNaN: true }) }),
    pmp: fc.record({
      private_auction: fc.constantFrom(0, 1),
      deals: fc.array(fc.record({ id: fc.constantFrom('d1', 'd2'), bidfloor: fc.double({ min: 0, max: 3, noNaN: true }) }), {
        maxLength: 2,
      }),
    }),
  },
  { requiredKeys: ['id', 'banner'] },
);
const anyRequest = fc.record(
  {
    id: fc.string({ minLength: 1 }),
    imp: fc.array(anyImp, { minLength: 1, maxLength: 3 }),
    app: fc.record({ id: fc.string(), bundle: fc.string(), publisher: fc.record({ id: fc.string() }) }),
    device: fc.record(
      {
        devicetype: fc.constantFrom(1, 4, '4'),
        os: fc.string(),
        ifa: fc.uuid(),
        lmt: fc.constantFrom(0, 1),
        geo: fc.record({
          lat: fc.double({ min: -90, max: 90, noNaN: true }),
          lon: fc.double({ min: -180, max: 180, noNaN: true }),
          country: fc.constantFrom('US', 'DEU'),
        }),
      },
      { requiredKeys: [] },
    ),
    regs: fc.record(
      {
        gdpr: fc.constantFrom(0, 1),
        ext: fc.record({ gdpr: fc.constantFrom(0, 1), us_privacy: fc.constantFrom('1YYN', '1NNN') }),
      },
      { requiredKeys: [] },
    ),
    user: fc.record({ ext: fc.record({ consent: fc.string() }) }),
    cur: fc.array(fc.constantFrom('USD', 'EUR', 'usd'), { maxLength: 2 }),
    badv: fc.array(fc.constantFrom('shop.example', 'EXAMPLE', 'x.y'), { maxLength: 2 }),
    bcat: fc.array(fc.constantFrom('IAB22', 'IAB22-1', 'iab1'), { maxLength: 2 }),
    at: fc.constantFrom(1, 2, 3),
    tmax: fc.integer({ min: 0, max: 500 }),
    test: fc.constantFrom(0, 1),
  },
  { requiredKeys: ['id', 'imp'] },
);

describe.skipIf(missing)('real requests in protobuf', () => {
  it('are read, and decide, as in JSON', () => {
    const folder = join(SHARED, 'valid');
    const files = readdirSync(folder, { recursive: true, encoding: 'utf8' }).filter(
      (name) => name.endsWith('.json') && !name.endsWith('manifest.json'),
    );
    expect(files.length).toBeGreaterThan(230);
    for (const file of files) {
      const wire = JSON.parse(readFileSync(join(folder, file), 'utf8')) as unknown;
      const json = decodeJson(wire);
      const message = decodeMessage(wire);
      expect(withoutUnnumbered(message), file).toEqual(withoutUnnumbered(json));
      expect(decisionOn(message), file).toEqual(decisionOn(json));
    }
  });

  it('have the numbers and types of the field table', () => {
    const [, ...lines] = readFileSync(join(SHARED, 'protobuf-fields.csv'), 'utf8').trim().split('\n');
    expect(lines.length).toBeGreaterThan(440);
    for (const line of lines) {
      const [message = '', name = '', number, type = '', label, oneof] = line.trim().split(',');
      if (message === 'BidRequest.Content' && name === 'genres') continue;
      const field = BID_REQUEST.root.lookupType(`walkin.openrtb.${message}`).fields[name];
      expect([field?.id, field?.type, field?.repeated], line).toEqual([Number(number), type, label === 'repeated']);
      expect(field?.partOf?.name ?? '', line).toBe(oneof);
    }
  });
});

describe('a response in protobuf', () => {
  const bid = {
    id: 'b',
    impid: '1',
    price: 1.25,
    adm: '<p>',
    adomain: ['a.com'],
    cid: 'c',
    crid: 'cr',
    mtype: 1,
    attr: [1, 2],
    ext: { nroa: {} },
  };
  const native = {
    ...bid,
    mtype: 4,
    adm: '{"native":{"assets":[{"id":1,"required":1,"title":{"text":"T"}}],"link":{"url":"https://a.com"}}}',
  };
  const response = (...bids: WireResponse['seatbid'][number]['bid']): WireResponse => ({
    id: 'r',
    cur: 'USD',
    seatbid: [{ seat: '7', group: 0, bid: bids }],
  });
  const bidsOf = (message: Fields) => (message['seatbid'] as { bid: Fields[] }[])[0]?.bid ?? [];

  it('is what its JSON is, but for `ext`', () => {
    const { ext, ...rest } = bid;
    expect(ext).toBeDefined();
    expect(decodeResponseMessage(encodeResponseMessage(response(bid), false))).toEqual({
      id: 'r',
      cur: 'USD',
      seatbid: [{ seat: '7', group: false, bid: [rest] }],
    });
  });

  it('has native markup as text, or as a message for who asked with one', () => {
    expect(bidsOf(decodeResponseMessage(encodeResponseMessage(response(native), false)))[0]?.['adm']).toBe(native.adm);
    const [first, second] = bidsOf(decodeResponseMessage(encodeResponseMessage(response(native, bid), true)));
    expect(first).not.toHaveProperty('adm');
    expect(first?.['adm_native']).toEqual({
      assets: [{ id: 1, required: true, title: { text: 'T' } }],
      link: { url: 'https://a.com' },
    });
    expect(second?.['adm']).toBe('<p>');
  });

  it('may say only why nothing is bid', () => {
    expect(decodeResponseMessage(encodeResponseMessage({ id: 'r', nbr: 512, seatbid: [] }, true))).toEqual({ id: 'r', nbr: 512 });
  });
});
