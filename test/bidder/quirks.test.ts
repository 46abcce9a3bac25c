import { gzipSync } from 'node:zlib';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { decodeNotes, decodeRequest } from '../../bidder/openrtb/decode.ts';
import { inflate } from '../../bidder/openrtb/inflate.ts';
import { QUIRKS, type Quirk } from '../../bidder/openrtb/quirks.ts';
import type { BidRequest, Imp } from '../../bidder/openrtb/request.ts';
import { LAT, LON, wireRequest } from './support/live.ts';

type Fields = Record<string, unknown>;

const BANNER = { banner: { w: 300, h: 250 } };
const ASSETS = { assets: [{ id: 1, title: { len: 90 } }] };
const imp = (given: Fields): Fields => ({ imp: [{ id: '1', ...BANNER, ...given }] });
const only = (given: Fields): Fields => ({ imp: [{ id: '1', ...given }] });

function read(given: Fields) {
  const notes = decodeNotes();
  const body = Buffer.from(JSON.stringify(wireRequest({ site: undefined, ...given })));
  return { request: decodeRequest(body, 'json', notes), notes };
}

function requestOf(given: Fields): BidRequest {
  const { request } = read(given);
  if (typeof request === 'string') throw new Error(request);
  return request;
}

const impOf = (given: Fields): Imp => requestOf(given).imps[0] as Imp;

/** A request that has it, and what is read there. */
const CASES: Record<Exclude<Quirk, 'byte_order_mark' | 'id_rounded' | 'compressed_unsaid'>, [Fields, Fields | string]> = {
  number_as_text: [{ tmax: '120' }, { tmax: 120 }],
  text_as_number: [{ user: { id: 7 } }, { userId: '7' }],
  flag_as_text: [{ test: 'true' }, { test: true }],
  flag_as_boolean: [{ test: true }, { test: true }],
  fraction_for_integer: [{ at: 2.5 }, { at: 2 }],
  list_for_scalar: [{ user: { id: ['u'] } }, { userId: '' }],
  object_for_scalar: [{ user: { id: {} } }, { userId: '' }],
  scalar_for_list: [{ wseat: '7' }, { wseat: ['7'] }],
  scalar_for_object: [{ user: 'u' }, { userId: '' }],
  unreadable_number: [{ at: 'ab' }, { at: 0 }],
  unreadable_flag: [{ allimps: 'maybe' }, { allimps: false }],
  unreadable_privacy_flag: [{ device: { lmt: 44 } }, { device: { lmt: true } }],
  unreadable_schain: [{ source: { schain: 'a!b' } }, { schain: { complete: false, nodes: [] } }],
  field_of_2_5: [{ regs: { ext: { gdpr: 1 } } }, { regs: { gdpr: true } }],
  tmax_missing: [{ tmax: undefined }, { tmax: 0 }],
  at_missing: [{ at: undefined }, { at: 0 }],
  currency_missing: [imp({ bidfloor: 1 }), { imps: [{ bidfloor: 1, bidfloorcur: 'USD' }] }],
  negative_floor: [imp({ bidfloor: -1 }), { imps: [{ bidfloor: 0 }] }],
  unreadable_floor: [imp({ bidfloor: 'dear' }), 'invalid_request'],
  taxonomy_unreadable: [{ cattax: 'x' }, { cattax: 0 }],
  inventory_missing: [{ app: undefined }, { inventory: { kind: 'unknown' } }],
  inventory_twice: [{ site: {} }, 'invalid_request'],
  imp_not_object: [{ imp: [7, { id: '1', ...BANNER }] }, { imps: [{ id: '1' }] }],
  imp_without_id: [{ imp: [BANNER, { id: '1', ...BANNER }] }, { imps: [{ id: '1' }] }],
  imp_duplicate: [
    {
      imp: [
        { id: '1', ...BANNER },
        { id: 1, ...BANNER },
      ],
    },
    'invalid_request',
  ],
  imp_ext_not_object: [imp({ ext: 'x' }), 'invalid_request'],
  imp_without_media: [only({}), 'invalid_request'],
  too_many_imps: [{ imp: Array.from({ length: 201 }, (_, id) => ({ id: String(id), ...BANNER })) }, 'invalid_request'],
  banner_without_size: [only({ banner: {} }), 'invalid_request'],
  video_without_mimes: [only({ video: {} }), { imps: [{ video: { mimes: ['video/mp4'] } }] }],
  audio_without_mimes: [only({ audio: {} }), 'invalid_request'],
  native_request_object: [only({ native: { request: ASSETS } }), { imps: [{ native: { assets: [{ id: 1 }] } }] }],
  native_request_unreadable: [only({ native: { request: 'x' } }), 'invalid_request'],
  native_asset_unreadable: [
    only({ native: { request: JSON.stringify({ assets: [...ASSETS.assets, { id: 2 }] }) } }),
    { imps: [{ native: { assets: [{ id: 1 }] } }] },
  ],
  qty_unreadable: [imp({ qty: { multiplier: 'many' } }), 'invalid_request'],
  metric_out_of_range: [imp({ metric: [{ type: 'viewability', value: 70 }] }), { imps: [{ viewability: null }] }],
  deal_without_id: [imp({ pmp: { deals: [{}, { id: 'd' }] } }), { imps: [{ deals: [{ id: 'd' }] }] }],
  impossible_place: [{ device: { geo: { lat: 0, lon: 0 } } }, { device: { location: null } }],
  country_of_two_letters: [{ device: { geo: { country: 'de' } } }, { device: { country: 'DEU' } }],
  zeroed_identifier: [{ device: { ifa: '00000000-0000-0000-0000-000000000000' } }, { device: { lmt: true } }],
};

describe('a quirk', () => {
  it.each(Object.entries(CASES))('%s is tolerated as said, and noted', (quirk, [given, expected]) => {
    const { request, notes } = read(given);
    if (typeof expected === 'string') expect(request).toBe(expected);
    else expect(request).toMatchObject(expected);
    expect([...notes.quirks]).toContain(quirk);
  });

  it('is not noted where nothing is wrong', () => {
    expect([...read({}).notes.quirks]).toEqual([]);
    const full = {
      ...imp({ bidfloor: 1, bidfloorcur: 'USD', secure: 1, qty: { multiplier: 2 }, native: { request: JSON.stringify(ASSETS) } }),
      regs: { gdpr: 0, gpp_sid: [7] },
      source: { schain: { complete: 1, nodes: [{ asi: 'a.com', sid: '1', hp: 1 }] } },
      cur: ['USD'],
      bcat: [],
    };
    expect([...read(full).notes.quirks]).toEqual([]);
  });

  it('of the body itself is noted too', () => {
    const notes = decodeNotes();
    expect(decodeRequest(Buffer.from(`\ufeff${JSON.stringify(wireRequest())}`), 'json', notes)).toBeTypeOf('object');
    expect(
      decodeRequest(Buffer.from(JSON.stringify(wireRequest()).replace('"auction-1"', '12345678901234567')), 'json', notes),
    ).toBeTypeOf('object');
    inflate(gzipSync('x'), undefined, notes.quirks);
    expect([...notes.quirks]).toEqual(expect.arrayContaining(['byte_order_mark', 'id_rounded', 'compressed_unsaid']));
  });

  it('of the list is in some case', () => {
    expect([...Object.keys(CASES), 'byte_order_mark', 'id_rounded', 'compressed_unsaid'].sort()).toEqual(
      Object.keys(QUIRKS).sort(),
    );
  });
});

/** A request with all that is read, for what else may stand in its places. */
const FULL: Fields = wireRequest({
  ...imp({
    tagid: 't',
    rwdd: 1,
    secure: 1,
    instl: 0,
    exp: 60,
    metric: [{ type: 'viewability', value: 0.5 }],
    bidfloor: 1,
    bidfloorcur: 'USD',
    qty: { multiplier: 2 },
    pmp: { private_auction: 0, deals: [{ id: 'd', bidfloor: 1, at: 3, wseat: ['s'], wadomain: ['a.com'], guar: 0 }] },
    banner: {
      w: 1,
      h: 1,
      format: [{ w: 1, h: 1, wratio: 1, hratio: 1, wmin: 1 }],
      battr: [1],
      btype: [1],
      mimes: ['x'],
      api: [1],
      pos: 1,
    },
    video: {
      mimes: ['video/mp4'],
      minduration: 1,
      maxduration: 9,
      rqddurs: [1],
      protocols: [1],
      skip: 1,
      slotinpod: 1,
      podid: 'p',
      ext: { rewarded: 1 },
    },
    audio: { mimes: ['audio/mp4'], minbitrate: 1 },
    native: { request: { native: { ...ASSETS, eventtrackers: [{ event: 1, methods: [1] }] } } },
  }),
  source: { schain: { complete: 1, nodes: [{ asi: 'a', sid: '1', hp: 1 }] }, ext: { schain: {} } },
  regs: { gdpr: 1, coppa: 0, us_privacy: '1YNN', gpp: 'D', gpp_sid: [7], ext: { gpc: '1', gdpr: 0 } },
  user: {
    id: 'u',
    buyeruid: 'b',
    consent: 'C',
    eids: [{ source: 's', uids: [{ id: 'x' }] }],
    data: [{ name: 'n', segment: [{ id: '1' }] }],
  },
  device: {
    ua: 'x',
    ip: '::1',
    sua: { platform: { brand: 'iOS', version: ['17', '5'] }, model: 'm', browsers: [{ brand: 'Safari', version: ['17'] }] },
    osv: '17',
    make: 'Apple',
    model: 'm',
    carrier: 'c',
    mccmnc: '310-005',
    connectiontype: 2,
    language: 'en',
    lmt: 0,
    dnt: 0,
    ext: { atts: 3 },
    geo: { lat: 1, lon: 2, country: 'US', region: 'CA', city: 'c', zip: '1' },
  },
  cur: ['USD'],
  wlang: ['en'],
  bcat: ['IAB1'],
  cattax: 1,
});

function pathsOf(value: unknown, path: readonly string[] = []): (readonly string[])[] {
  if (typeof value !== 'object' || value === null) return [path];
  const below = Object.entries(value).flatMap(([key, part]) => pathsOf(part, [...path, key]));
  return path.length === 0 ? below : [path, ...below];
}

function withValue(target: unknown, [key, ...rest]: readonly string[], value: unknown): unknown {
  if (key === undefined) return value;
  const copy = (Array.isArray(target) ? [...target] : { ...(target as Fields) }) as Fields;
  copy[key] = withValue(copy[key], rest, value);
  return copy;
}

describe('anything in any field', () => {
  it('is read as a request of the same shape, or refused', () => {
    const shape = kindsOf(requestOf(FULL));
    const odd = fc.oneof(
      fc.jsonValue({ maxDepth: 2 }),
      fc.constantFrom(-1, 1e300, -0, '', '1e999', 'NaN', '\u0000', '\ud800', '__proto__'),
    );
    fc.assert(
      fc.property(fc.constantFrom(...pathsOf(FULL)), odd, (path, value) => {
        const { request } = read(withValue(FULL, path, value) as Fields);
        if (typeof request === 'string') expect(['malformed', 'invalid_request']).toContain(request);
        else expect(kindsOf(request)).toEqual(shape);
      }),
      { numRuns: 5_000, seed: 17 },
    );
  });
});

/** The fields of a request, so that a field that is missing or more is seen. */
function kindsOf(request: BidRequest): unknown {
  return [request, request.inventory, request.device, request.regs, request.imps[0]].map((part) => Object.keys(part ?? {}));
}

describe('a place for an ad', () => {
  it('may be asked for in all formats at once', () => {
    const both = impOf(
      imp({
        video: {
          mimes: ['VIDEO/mp4'],
          w: 640,
          h: '480',
          minduration: 5,
          maxduration: 30,
          protocols: [7, 8],
          skip: 1,
          plcmt: 2,
          linearity: 1,
          slotinpod: -1,
        },
        audio: { mimes: ['audio/mp4'], rqddurs: [15, 0, 30], maxbitrate: 128 },
        native: {
          request: JSON.stringify({ native: { ver: '1.2', ...ASSETS, eventtrackers: [{ event: 1, methods: [1, 2] }] } }),
        },
      }),
    );
    expect(both.banner).toMatchObject({ sizes: [[300, 250]] });
    expect(both.video).toMatchObject({
      mimes: ['video/mp4'],
      w: 640,
      h: 480,
      minduration: 5,
      maxduration: 30,
      skip: true,
      plcmt: 2,
      slotinpod: -1,
      maxbitrate: Number.POSITIVE_INFINITY,
    });
    expect(both.audio).toMatchObject({ rqddurs: [15, 30], maxduration: Number.POSITIVE_INFINITY, maxbitrate: 128 });
    expect(both.native).toMatchObject({ ver: '1.2', trackers: [{ event: 1, methods: [1, 2] }] });
  });

  it('may be a banner of any size of a ratio', () => {
    const { banner } = impOf(only({ banner: { format: [{ wratio: 16, hratio: 9, wmin: 320 }, { wratio: 1 }] } }));
    expect(banner).toMatchObject({ sizes: [], ratios: [{ w: 16, h: 9, wmin: 320 }] });
  });

  it('needs no size where it covers the screen', () => {
    expect(impOf(only({ instl: 1, banner: {} })).banner?.sizes).toEqual([]);
  });

  it('reads the one protocol of old senders', () => {
    expect(impOf(only({ video: { mimes: ['video/mp4'], protocol: 2 } })).video?.protocols).toEqual([2]);
    expect(impOf(only({ video: { mimes: ['video/mp4'], protocols: 3 } })).video?.protocols).toEqual([3]);
  });

  it('reads a native request as text or object, with its wrapper or without', () => {
    for (const request of [ASSETS, { native: ASSETS }, JSON.stringify(ASSETS), JSON.stringify({ native: ASSETS })])
      expect(impOf(only({ native: { request } })).native?.assets).toMatchObject([{ id: 1, kind: 'title', len: 90 }]);
    for (const request of ['', 'x', '[]', '7', null, [], { assets: [] }, { native: {} }])
      expect(read(only({ native: { request } })).request).toBe('invalid_request');
  });

  it('is not native where an asset that is required cannot be named', () => {
    const native = (second: Fields) => read(only({ native: { request: { assets: [...ASSETS.assets, second] } } })).request;
    expect(native({ required: 1, title: { len: 5 } })).toBe('invalid_request');
    expect(native({ id: 1, required: 1, data: { type: 2 } })).toBe('invalid_request');
    expect(native({ id: 2, required: 1 })).toBe('invalid_request');
    expect(native({ title: { len: 5 } })).toBeTypeOf('object');
  });

  it('has deals with their own floors and rules', () => {
    const deal = { id: 5, bidfloor: '2.5', bidfloorcur: 'eur', at: 3, wseat: '7', wadomain: ['A.com'], guar: 1 };
    const found = impOf(imp({ pmp: { private_auction: 'true', deals: [deal, { id: 'x', bidfloor: {} }, null] } }));
    expect(found.privateAuction).toBe(true);
    expect(found.deals).toEqual([
      {
        id: '5',
        bidfloor: 2.5,
        bidfloorcur: 'EUR',
        at: 3,
        wseat: ['7'],
        wadomain: ['a.com'],
        guaranteed: true,
        mincpmpersec: 0,
        durfloors: [],
      },
    ]);
    expect(impOf(imp({ pmp: { private_auction: 'x' } })).privateAuction).toBe(true);
  });

  it('is rewarded in any place where that is said', () => {
    expect(impOf(imp({ rwdd: 1 })).rwdd).toBe(true);
    expect(impOf(imp({ ext: { rwdd: 1 } })).rwdd).toBe(true);
    expect(impOf(imp({ video: { mimes: ['video/mp4'], ext: { rewarded: 1 } } })).rwdd).toBe(true);
    expect(impOf(imp({ rwdd: 0, ext: { rwdd: 1 } })).rwdd).toBe(false);
  });

  it('says how many see one play', () => {
    expect(impOf(imp({ qty: { multiplier: 14.2 } })).multiplier).toBe(14.2);
    expect(impOf(imp({ ext: { qty: { multiplier: '3' } } })).multiplier).toBe(3);
    expect(impOf(imp({ qty: {} })).multiplier).toBe(1);
    for (const multiplier of [0, -1, 'x', {}]) expect(read(imp({ qty: { multiplier } })).request).toBe('invalid_request');
  });

  it('keeps unlike long ids apart', () => {
    const body = JSON.stringify(
      wireRequest({
        imp: [
          { id: 'A', ...BANNER },
          { id: 'B', ...BANNER },
        ],
      }),
    )
      .replace('"A"', '98765432109876543210')
      .replace('"B"', '98765432109876543211');
    const request = decodeRequest(Buffer.from(body)) as BidRequest;
    expect(request.imps.map(({ id }) => id)).toEqual(['98765432109876543210', '98765432109876543211']);
  });
});

describe('a request', () => {
  const CHAIN = { complete: 1, ver: '1.0', nodes: [{ asi: 'A.com', sid: 1, hp: 1 }, 7, { asi: 'b.com', sid: '2' }] };

  it('has its supply chain in any place', () => {
    const expected = {
      complete: true,
      nodes: [
        { asi: 'a.com', sid: '1', hp: true },
        { asi: '', sid: '', hp: null },
        { asi: 'b.com', sid: '2', hp: null },
      ],
    };
    for (const given of [{ source: { schain: CHAIN } }, { source: { ext: { schain: CHAIN } } }, { ext: { schain: CHAIN } }])
      expect(requestOf(given).schain).toEqual(expected);
    for (const schain of [null, undefined, '']) expect(requestOf({ source: { schain } }).schain).toBeNull();
  });

  it('has privacy and ids in the place of 2.6, else in that of 2.5', () => {
    const { regs, eids } = requestOf({
      regs: { gdpr: 0, us_privacy: '', ext: { gdpr: 1, us_privacy: '1YYN', gpp: 'DB', gpp_sid: '7', gpc: '1', coppa: 1 } },
      user: { ext: { consent: 'C', eids: [{ source: 'Id.com', uids: [{ id: 'a' }, { id: 2 }, {}] }, { uids: [{ id: 'x' }] }] } },
    });
    expect(regs).toEqual({ coppa: true, gdpr: false, consent: 'C', usPrivacy: '1YYN', gpp: 'DB', gppSections: [7], gpc: true });
    expect(eids).toEqual([
      { source: 'id.com', id: 'a' },
      { source: 'id.com', id: '2' },
    ]);
  });

  it('names where the ad would be shown', () => {
    const site = { id: 1, domain: 'News.Example', page: 'https://www.news.example/a', publisher: { id: 'p' }, cat: ['IAB12'] };
    expect(requestOf({ app: undefined, site }).inventory).toEqual({
      kind: 'site',
      id: '1',
      domain: 'news.example',
      bundle: '',
      page: site.page,
      publisher: 'p',
      categories: ['IAB12'],
      contentLanguage: '',
    });
    expect(requestOf({ app: undefined, site: { page: site.page } }).inventory.domain).toBe('www.news.example');
    expect(requestOf({ app: undefined, site: { page: 'no page' } }).inventory.domain).toBe('');
    expect(requestOf({ app: undefined, dooh: { id: 'screen' } }).inventory).toMatchObject({ kind: 'dooh', id: 'screen' });
  });

  it('reads what is asked of the ad', () => {
    const { wlang, acat, bapp, badv, allimps } = requestOf({
      wlang: ['EN', 'pt-BR'],
      acat: ['iab1'],
      bapp: [' com.a '],
      badv: ['A.com'],
      allimps: '1',
    });
    expect([wlang, [...acat], [...bapp], [...badv], allimps]).toEqual([['en', 'pt'], ['IAB1'], ['com.a'], ['a.com'], true]);
  });

  it('keeps a place on earth, and a country of three letters', () => {
    const { device } = requestOf({
      device: { ua: 7, ipv6: '::1', geo: { lat: LAT, lon: LON, type: 1.0, country: 'usa', region: 'ca' } },
    });
    expect(device).toMatchObject({ ua: '7', ip: '::1', country: 'USA', region: 'CA', location: { lat: LAT, lon: LON, type: 1 } });
  });

  it('whose id could not be sent back is not answered', () => {
    expect(read({ id: 'a\ufffd' }).request).toBe('invalid_request');
    expect(decodeRequest(Buffer.from(JSON.stringify(wireRequest({ id: '\u00ff' })), 'latin1'))).toBe('malformed');
  });

  it('is the same whatever its JSON has for a prototype', () => {
    const body = JSON.stringify(wireRequest()).replace(
      '{',
      '{"__proto__":{"test":1,"tmax":5},"constructor":{"prototype":{"test":1}},',
    );
    expect(decodeRequest(Buffer.from(body))).toMatchObject({ test: false, tmax: 1_000 });
  });
});
