import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import type { Choice } from '../../bidder/core/choice.ts';
import { decide } from '../../bidder/core/decide.ts';
import { buildIndex } from '../../bidder/core/index.ts';
import type { Banner, Native } from '../../bidder/core/line-item.ts';
import { WITHHELD } from '../../bidder/core/person.ts';
import { type EncodeOptions, MTYPES, responseOf } from '../../bidder/encode.ts';
import { cdata, escapeXml } from '../../bidder/markup/escape.ts';
import { decodeRequest } from '../../bidder/openrtb/decode.ts';
import { writeBids } from '../../bidder/written-bids.ts';
import { elementsOf, parseXml, type XmlElement } from '../../load-tests/conformance/judge/xml.ts';
import type { BidRecord } from '../../proto/ad-event.ts';
import { CREATIVE_MACROS, splitMacros } from '../../proto/macros.ts';
import { decodeRecord, verify } from '../../proto/notice.ts';
import type { WireBid } from '../../proto/openrtb.ts';
import type { LiveExchange, LiveStore } from '../../proto/snapshot.ts';
import {
  creative,
  exchange,
  type GivenCreative,
  type GivenLineItem,
  lineItem,
  NOON,
  snapshot,
  store,
  wireRequest,
} from './support/live.ts';

const OPTIONS: EncodeOptions = { publicUrl: 'https://bidder.example', noticeSecret: 'secret', reservationSeconds: 60 };

const RECORD: BidRecord = {
  bid: 'bid-1',
  bidAt: NOON,
  exchange: 'x',
  auction: 'auction',
  imp: '1',
  lineItem: 'a',
  campaign: 'cmp_a',
  advertiser: 'adv_1',
  creative: 'ad',
  store: 's',
  identifier: '',
  anchor: '',
  price: 2_000_000,
  lease: '',
  test: false,
  privacy: 'unrestricted',
  currency: 'USD',
  offered: 2_000_000,
  multiplier: 1,
  deal: '',
  mtype: 1,
};

interface Given {
  readonly creative: GivenCreative;
  readonly imp: Record<string, unknown>;
  readonly lineItem?: GivenLineItem;
  readonly exchange?: Partial<LiveExchange>;
  readonly request?: Record<string, unknown>;
}

function bidFor(given: Given): WireBid {
  const seller = exchange('x', given.exchange);
  const item = lineItem('a', {
    creatives: [creative('ad', given.creative)],
    targeting: { promotedStores: ['s'] },
    ...given.lineItem,
  });
  const index = buildIndex(snapshot({ exchanges: [seller], stores: [store('s', { name: 'Tom & <Jerry>' })], lineItems: [item] }));
  const request = decodeRequest(Buffer.from(JSON.stringify(wireRequest({ ...given.request, imp: [{ id: '1', ...given.imp }] }))));
  if (typeof request === 'string') throw new Error(request);
  const question = {
    request,
    person: WITHHELD,
    exchange: seller,
    preciseLocation: true,
    childOnly: false,
    now: NOON,
    allowance: () => 0,
  };
  const { bids, reason } = decide(index, question);
  const [choice] = bids;
  if (choice === undefined) throw new Error(reason);
  const record = {
    ...RECORD,
    auction: request.id,
    price: choice.price,
    currency: choice.currency,
    offered: choice.offered,
    multiplier: choice.imp.multiplier,
    deal: choice.deal?.id ?? '',
    mtype: MTYPES[choice.creative.type],
  };
  const bid = responseOf(request.id, seller, [{ choice, record }], OPTIONS, request.cattax).seatbid[0]?.bid[0];
  if (bid === undefined) throw new Error('no bid');
  return bid;
}

describe('a response of banners', () => {
  const text = fc.oneof(
    fc.string(),
    fc.string({
      unit: fc.constantFrom('"', '\\', '/', '<', '&', "'", '`', '\n', '\u2028', 'ä', '€', '😀', ' ', '%', '$', '{', 'a'),
    }),
    fc.string({ unit: fc.constantFrom('a', 'B', '7', '-', '_', '.') }),
  );
  const macro = fc.constantFrom(...CREATIVE_MACROS, 'AUCTION_PRICE').map((name) => `\${${name}}`);
  const template = fc.array(fc.oneof(text, macro), { maxLength: 6 }).map((parts) => parts.join(''));
  const given = fc.record({
    ids: fc.tuple(text, text, text, text, text),
    html: template,
    landing: template,
    iurl: fc.option(text),
    language: fc.option(fc.constantFrom('en', 'fi')),
    apis: fc.subarray([3, 5, 7]),
    attributes: fc.subarray([1, 6]),
    domains: fc.array(text, { maxLength: 2 }),
    bundle: fc.oneof(fc.constant(''), text),
    categories: fc.subarray(['IAB1', 'IAB1-2', '7:1029']),
    store: fc.option(fc.record({ id: text, name: text, address: text })),
    metres: fc.option(fc.double({ min: 0, max: 90_000, noNaN: true })),
    cpm: fc.double({ min: 0, max: 1e4, noNaN: true }),
    deal: fc.option(text),
    seat: fc.option(text),
    exp: fc.integer({ min: 0, max: 600 }),
    multiplier: fc.constantFrom(1, 4.5),
    price: fc.constantFrom('plain', 'b64'),
    publicUrl: fc.constantFrom('https://bidder.example', 'https://bidder.example/in/a/folder', 'https://x.example/?a=1&b="2"'),
  });

  function decidedIn(): [Choice] {
    const item = lineItem('a', { targeting: { promotedStores: ['s'] } });
    const index = buildIndex(snapshot({ stores: [store('s')], lineItems: [item] }));
    const request = decodeRequest(Buffer.from(JSON.stringify(wireRequest())));
    if (typeof request === 'string') throw new Error(request);
    const more = { preciseLocation: true, childOnly: false, now: NOON, allowance: () => 0 };
    return decide(index, { request, person: WITHHELD, exchange: exchange('x'), ...more }).bids as [Choice];
  }

  it('is written to the byte as all others are', () => {
    const seller = exchange('x');
    const [decided] = decidedIn();
    let written = 0;
    fc.assert(
      fc.property(fc.array(given, { minLength: 1, maxLength: 3 }), (several) => {
        const bids = several.map((one, at) => {
          const { ids, html, landing, store: shop, metres, cpm, deal, exp, multiplier, domains, bundle, categories } = one;
          const [creativeId, campaign, lineItemId, , imp] = ids;
          const { iurl, language, apis, attributes } = one;
          const creative = {
            ...(decided.creative as Banner),
            ...{
              id: creativeId,
              html: splitMacros(html),
              landing: splitMacros(landing),
              iurl,
              language,
              apis,
              attributes,
              written: null,
            },
          };
          const item = { ...decided.lineItem, id: lineItemId, campaign, domains, bundle, categories };
          const choice = {
            ...decided,
            imp: { ...decided.imp, exp, multiplier },
            lineItem: item,
            ...{ creative, fit: { creative }, metres, cpm },
            store: shop === null ? null : { ...(decided.store as LiveStore), ...shop },
            deal: deal === null ? null : ({ id: deal } as Choice['deal']),
          };
          return { choice, record: { ...RECORD, bid: `b-${at}`, imp, creative: creativeId, campaign, multiplier } };
        });
        const [{ ids, seat, price, publicUrl }] = several as [(typeof several)[number]];
        const sold = { ...seller, seat, price: { ...seller.price, kind: price } } as LiveExchange;
        const options = { ...OPTIONS, publicUrl };
        // The second time what was made of the creative is used again.
        for (let times = 0; times < 2; times++) {
          const json = writeBids(ids[3], sold, bids, options)?.json;
          if (json === undefined) continue;
          written++;
          expect(json).toBe(JSON.stringify(responseOf(ids[3], sold, bids, options)));
        }
      }),
      { numRuns: 500 },
    );
    expect(written).toBeGreaterThan(400);
  });

  it('is left to others where an ad is none, or something beside it differs', () => {
    const [choice] = decidedIn();
    const bids = [{ choice, record: RECORD }];
    const seller = exchange('x');
    expect(writeBids('id', seller, bids, OPTIONS)).not.toBeNull();
    expect(writeBids('id', seller, bids, OPTIONS, 7)).toBeNull();
    expect(writeBids('id', { ...seller, adLabel: true }, bids, OPTIONS)).toBeNull();
    expect(writeBids('id', seller, bids, { ...OPTIONS, publicUrl: 'https://x.example/"' })).toBeNull();
    const creative = { ...choice.creative, type: 'native' } as Native;
    const other = { ...choice, creative, fit: { creative, assets: [] } };
    expect(writeBids('id', seller, [...bids, { choice: other, record: RECORD }], OPTIONS)).toBeNull();
  });
});

const VIDEO = { mimes: ['video/mp4'], protocols: [13], minduration: 5, maxduration: 60, w: 640, h: 360 };
const AUDIO = { mimes: ['audio/mpeg'], protocols: [13], minduration: 5, maxduration: 60 };
const spot = (given: Partial<Given> & { protocols?: number[] } = {}): WireBid =>
  bidFor({
    creative: { type: 'video', skipAfter: 5, title: 'At ${STORE_NAME}' },
    imp: { video: { ...VIDEO, protocols: given.protocols ?? [13] } },
    ...given,
  });
const textOf = (vast: XmlElement, name: string): string => elementsOf(vast, name)[0]?.text ?? '';
const signed = (address: string, context: string): boolean => {
  const query = new URL(address).searchParams;
  return verify(query.get('d') ?? '', context, query.get('s') ?? '', OPTIONS.noticeSecret);
};

describe('a video', () => {
  it('is VAST 4.2 with all that players and sellers ask for', () => {
    const bid = spot();
    const vast = parseXml(bid.adm);
    expect([vast.name, vast.attributes]).toEqual(['VAST', { version: '4.2' }]);
    const inLine = elementsOf(vast, 'InLine')[0] as XmlElement;
    expect(inLine.children.map(({ name }) => name)).toEqual([
      'AdSystem',
      'Error',
      'Impression',
      'ViewableImpression',
      'AdServingId',
      'AdTitle',
      'Advertiser',
      'Category',
      'Creatives',
    ]);
    expect(textOf(vast, 'AdTitle')).toBe('At Tom & <Jerry>');
    expect(textOf(vast, 'AdServingId')).toBe('bid-1');
    expect(textOf(vast, 'UniversalAdId')).toBe('ad');
    expect(textOf(vast, 'Duration')).toBe('00:00:15');
    const [linear] = elementsOf(vast, 'Linear');
    expect(linear?.attributes).toEqual({ skipoffset: '00:00:05' });
    expect(linear?.children.map(({ name }) => name)).toEqual(['TrackingEvents', 'Duration', 'MediaFiles', 'VideoClicks']);
    expect(elementsOf(vast, 'MediaFile')).toMatchObject([
      {
        text: 'https://cdn.shop.example/a.mp4',
        attributes: { delivery: 'progressive', type: 'video/mp4', bitrate: '1200', width: '1280', height: '720' },
      },
    ]);
    expect(bid).toMatchObject({ mtype: 2, dur: 15, w: 1280, h: 720, protocol: 13, attr: [16] });
  });

  it('reports each event to a signed address', () => {
    const vast = parseXml(spot().adm);
    const events = elementsOf(vast, 'Tracking').map(({ attributes, text }) => [attributes['event'], text] as const);
    expect(events.map(([event]) => event)).toEqual(
      'start firstQuartile midpoint thirdQuartile complete mute unmute pause resume skip'.split(' '),
    );
    for (const [event, address] of events) expect(signed(address, `event\n${event}`)).toBe(true);
    const impression = textOf(vast, 'Impression');
    expect(signed(impression, 'imp')).toBe(true);
    expect(impression).toContain('p=${AUCTION_PRICE}');
    expect(textOf(vast, 'Error')).toMatch(/&code=\[ERRORCODE\]$/);
    const click = new URL(textOf(vast, 'ClickThrough'));
    expect(click.searchParams.get('u')).toBe('https://shop.example/?s=s');
    expect(decodeRecord(click.searchParams.get('d') ?? '')).toMatchObject({ bid: 'bid-1', mtype: 2, offered: 2_000_000 });
  });

  it('is in the words of the version that the player knows', () => {
    const two = parseXml(spot({ protocols: [2] }).adm);
    expect(two.attributes['version']).toBe('2.0');
    for (const name of ['UniversalAdId', 'AdServingId', 'ViewableImpression', 'Category'])
      expect(elementsOf(two, name)).toEqual([]);
    expect(elementsOf(two, 'Linear')[0]?.attributes).toEqual({});
    const three = parseXml(spot({ protocols: [2, 3] }).adm);
    expect(elementsOf(three, 'Linear')[0]?.attributes).toEqual({ skipoffset: '00:00:05' });
    const four = parseXml(spot({ protocols: [7] }).adm);
    expect(elementsOf(four, 'UniversalAdId')[0]?.attributes).toEqual({ idRegistry: 'unknown', idValue: 'ad' });
  });

  it('that comes as a playlist is streamed, and says so', () => {
    const file = { url: 'https://cdn.shop.example/a.m3u8', mime: 'application/x-mpegurl', bitrate: 800, w: 640, h: 360 };
    const { adm } = bidFor({
      creative: { type: 'video', media: [file] },
      imp: { video: { ...VIDEO, mimes: ['application/x-mpegURL'], slotinpod: -1, podid: 'p' } },
    });
    expect(elementsOf(parseXml(adm), 'MediaFile')[0]?.attributes).toMatchObject({ delivery: 'streaming' });
  });

  it('in a pod says for which of its places it is; so does sound', () => {
    const slotOf = (slotinpod: number) => spot({ imp: { video: { ...VIDEO, slotinpod } } }).slotinpod;
    expect([-1, 0, 1, 2, 7].map(slotOf)).toEqual([-1, undefined, 1, 2, undefined]);
    const sound = bidFor({ creative: { type: 'audio' }, imp: { audio: { ...AUDIO, slotinpod: -1, podid: 'p' } } });
    expect(sound.slotinpod).toBe(-1);
  });

  it('that needs an API names it', () => {
    const rich = bidFor({ creative: { type: 'video', apis: [2, 8] }, imp: { video: { ...VIDEO, api: [8] } } });
    expect(rich.apis).toEqual([2, 8]);
    expect(spot().apis).toBeUndefined();
  });

  it('has no second address for its money where the exchange bills on the VAST impression', () => {
    expect(spot({ exchange: { billing: 'vast' } }).burl).toBeUndefined();
    expect(spot({ exchange: { billing: 'burl' } }).burl).toContain('/n/bill?');
    const box = bidFor({ creative: {}, imp: { banner: { w: 300, h: 250 } }, exchange: { billing: 'vast' } });
    expect(box.burl).toContain('/n/bill?');
  });
});

describe('sound', () => {
  it('is VAST with audio files and no size', () => {
    const bid = bidFor({ creative: { type: 'audio', duration: 30.5 }, imp: { audio: AUDIO } });
    const vast = parseXml(bid.adm);
    expect(elementsOf(vast, 'Ad')[0]?.attributes).toMatchObject({ adType: 'audio' });
    expect(textOf(vast, 'Duration')).toBe('00:00:30.500');
    expect(elementsOf(vast, 'MediaFile')[0]?.attributes).toEqual({ delivery: 'progressive', type: 'audio/mpeg', bitrate: '128' });
    expect(elementsOf(vast, 'ViewableImpression')).toEqual([]);
    expect(bid).toMatchObject({ mtype: 3, dur: 31, attr: [] });
    expect(bid.w).toBeUndefined();
  });

  it('is DAAST for players that know only that', () => {
    const daast = parseXml(bidFor({ creative: { type: 'audio' }, imp: { audio: { ...AUDIO, protocols: [9] } } }).adm);
    expect([daast.name, daast.attributes]).toEqual(['DAAST', { version: '1.0' }]);
    expect(elementsOf(daast, 'AdInteractions')[0]?.children.map(({ name }) => name)).toEqual(['ClickThrough']);
  });
});

describe('a native ad', () => {
  const ASSETS = [
    { id: 1, required: 1, title: { len: 50 } },
    { id: 2, img: { type: 3, wmin: 600 } },
    { id: 3, data: { type: 2 } },
  ];
  const native = (request: object): { bid: WireBid; ad: Record<string, unknown> } => {
    const bid = bidFor({
      creative: { type: 'native' },
      imp: { native: { request: JSON.stringify({ assets: ASSETS, ...request }) } },
    });
    return { bid, ad: JSON.parse(bid.adm) as Record<string, unknown> };
  };

  it('answers assets, leads to a signed click and is counted by a picture', () => {
    const eventtrackers = [{ event: 1, methods: [1, 2] }];
    const { bid, ad } = native({ ver: '1.2', eventtrackers });
    expect(ad).toMatchObject({
      ver: '1.2',
      assets: [
        { id: 1, required: 1, title: { text: 'Fresh bread' } },
        { id: 2, img: { url: 'https://cdn.shop.example/main.jpg', w: 1200, h: 627, type: 3 } },
        { id: 3, data: { value: 'At Tom & <Jerry>', type: 2 } },
      ],
      eventtrackers: [{ event: 1, method: 1 }],
    });
    const [tracker] = ad['eventtrackers'] as { url: string }[];
    expect(signed(tracker?.url ?? '', 'imp')).toBe(true);
    expect((ad['link'] as { url: string }).url).toContain('/n/click?');
    expect(bid.mtype).toBe(4);
  });

  it('is counted by the older trackers where no picture is offered, and stands in an object of its own in 1.0', () => {
    expect(native({ ver: '1.1' }).ad['imptrackers']).toHaveLength(1);
    const { ad } = native({ ver: '1.0' });
    expect(Object.keys(ad)).toEqual(['native']);
  });
});

describe('a bid', () => {
  it('names its deal, app, language and ad label', () => {
    const adLabel = { erid: 'Kra23', inn: '7700000000', name: 'Shop' };
    const bid = bidFor({
      creative: { language: 'en' },
      imp: { banner: { w: 300, h: 250 }, exp: 20, pmp: { deals: [{ id: 'd', bidfloor: 1.5, at: 3 }] } },
      lineItem: { bundle: 'com.shop', adLabel, targeting: { deals: ['d'] } },
      exchange: { adLabel: true },
    });
    const ext = { nroa: { erid: 'Kra23', client: { inn: '7700000000', name: 'Shop' } } };
    expect(bid).toMatchObject({ dealid: 'd', price: 1.5, bundle: 'com.shop', language: 'en', exp: 20, ext });
  });

  it('names its categories in the taxonomy of the request where it has any there, else in that of all', () => {
    const given = { creative: {}, imp: { banner: { w: 300, h: 250 } }, lineItem: { categories: ['IAB8', '7:1029'] } };
    expect([bidFor(given).cat, bidFor(given).cattax]).toEqual([['IAB8'], undefined]);
    const asked = bidFor({ ...given, request: { cattax: 7 } });
    expect([asked.cat, asked.cattax]).toEqual([['1029'], 7]);
    const other = bidFor({ ...given, request: { cattax: 6 } });
    expect([other.cat, other.cattax]).toEqual([['IAB8'], undefined]);
  });

  it('has an ad label only where the exchange takes one', () => {
    const adLabel = { erid: 'Kra23', inn: '7700000000', name: 'Shop' };
    expect(bidFor({ creative: {}, imp: { banner: { w: 300, h: 250 } }, lineItem: { adLabel } }).ext).toBeUndefined();
  });

  it('is not made where the answer would grow without end', () => {
    const creatives = Array.from({ length: 90 }, (_, at) => creative(`c${at}`, { html: 'x'.repeat(20_000) }));
    const items = creatives.map((one, at) => lineItem(`li${at}`, { creatives: [one] }));
    const request = decodeRequest(
      Buffer.from(
        JSON.stringify(
          wireRequest({ imp: Array.from({ length: 90 }, (_, at) => ({ id: `${at}`, banner: { w: 300, h: 250 } })) }),
        ),
      ),
    );
    if (typeof request === 'string') throw new Error(request);
    const seller = exchange('x');
    const question = {
      request,
      person: WITHHELD,
      exchange: seller,
      preciseLocation: false,
      childOnly: false,
      now: NOON,
      allowance: () => 0,
    };
    const { bids } = decide(buildIndex(snapshot({ lineItems: items })), question);
    expect(bids.length).toBeGreaterThan(5);
    expect(bids.length * 20_000).toBeLessThan(256 * 1024);
  });
});

it('any text is XML', () => {
  const text = 'a\u0000b\ud800c <&>"\' ]]> \u{1f600}';
  expect(parseXml(`<x y="${escapeXml(text)}">${escapeXml(text)}${cdata(text)}</x>`).name).toBe('x');
  expect(parseXml(`<x>${cdata('a]]>b')}</x>`).text).toBe('a]]>b');
});
