import { gzipSync } from 'node:zlib';
import { describe, expect, it } from 'vitest';
import type { Answer, Question, Terms } from '../../load-tests/conformance/judge/case.ts';
import { judge } from '../../load-tests/conformance/judge/judge.ts';

/** Each check must be able to fail: a right answer for each medium, and what spoils it. */

type Json = Record<string, unknown>;

const BASE = 'http://127.0.0.1:8080';
const notice = (name: string, macro: string): string => `${BASE}/n/${name}?d=abc&x=\${${macro}}`;

const BID: Json = {
  id: 'b1',
  impid: '1',
  price: 2.5,
  adid: 'cr',
  adomain: ['shop.example'],
  cid: 'cmp',
  crid: 'cr',
  cat: ['IAB22-1'],
  attr: [1],
  nurl: notice('win', 'AUCTION_PRICE'),
  burl: notice('bill', 'AUCTION_PRICE'),
  lurl: notice('loss', 'AUCTION_LOSS'),
};

const BANNER: Json = {
  ...BID,
  mtype: 1,
  w: 300,
  h: 250,
  adm: `<a href="${BASE}/n/click?u=https%3A%2F%2Fshop.example">go</a><img src="${notice('imp', 'AUCTION_PRICE')}">`,
};

const FILE =
  '<MediaFile delivery="progressive" type="video/mp4" width="640" height="360" bitrate="800"><![CDATA[https://cdn.shop.example/a.mp4]]></MediaFile>';
const vast = (given: { version?: string; duration?: string; linear?: string; file?: string; body?: string } = {}): string =>
  `<?xml version="1.0"?><VAST version="${given.version ?? '4.2'}" xmlns="http://www.iab.com/VAST"><Ad id="1"><InLine>${
    given.body ??
    `<AdSystem>Walkin</AdSystem><AdTitle>Film</AdTitle><Impression><![CDATA[${notice('imp', 'AUCTION_PRICE')}]]></Impression>` +
      `<Creatives><Creative><UniversalAdId idRegistry="unknown">1</UniversalAdId><Linear${given.linear ?? ''}><Duration>${given.duration ?? '00:00:15'}</Duration>` +
      `<MediaFiles>${given.file ?? FILE}</MediaFiles><VideoClicks><ClickThrough>${BASE}/n/click?u=1&amp;v=2</ClickThrough></VideoClicks></Linear></Creative></Creatives>`
  }</InLine></Ad></VAST>`;
const VIDEO: Json = { ...BID, mtype: 2, dur: 15, adm: vast() };
const VIDEO_IMP: Json = {
  mimes: ['video/mp4'],
  protocols: [3, 13],
  minduration: 5,
  maxduration: 30,
  linearity: 1,
  maxbitrate: 900,
  skip: 0,
};

const NATIVE_REQUEST: Json = {
  ver: '1.2',
  assets: [
    { id: 1, required: 1, title: { len: 20 } },
    { id: 2, required: 1, img: { type: 3, wmin: 300, hmin: 200, mimes: ['image/png'] } },
    { id: 3, data: { type: 2, len: 30 } },
  ],
  eventtrackers: [{ event: 1, methods: [1] }],
};
const NATIVE_ANSWER = {
  ver: '1.2',
  assets: [
    { id: 1, title: { text: 'Fresh bread' } },
    { id: 2, img: { url: 'https://cdn.shop.example/a.png', w: 300, h: 200 } },
    { id: 3, data: { value: 'Around the corner' } },
  ],
  link: { url: `${BASE}/n/click` },
  eventtrackers: [{ event: 1, method: 1, url: `${BASE}/n/imp` }],
};
const native = (change: (answer: typeof NATIVE_ANSWER) => void): Json => {
  const answer = structuredClone(NATIVE_ANSWER);
  change(answer);
  return { ...BID, mtype: 4, adm: JSON.stringify(answer) };
};
const NATIVE: Json = native(() => undefined);

interface Case {
  readonly request?: Json;
  readonly imp?: Json;
  readonly banner?: Json;
  readonly bid?: Json;
  readonly response?: Json;
  readonly seat?: string;
  readonly answer?: Partial<Answer>;
  readonly headers?: Record<string, string | undefined>;
  readonly question?: Partial<Question>;
  readonly terms?: Partial<Terms>;
}

function faultsOf(given: Case): readonly string[] {
  const request = {
    id: 'auction',
    imp: [
      {
        id: '1',
        secure: 1,
        banner: { w: 300, h: 250, ...given.banner },
        video: VIDEO_IMP,
        audio: AUDIO_IMP,
        native: { request: NATIVE_REQUEST },
        ...given.imp,
      },
    ],
    ...given.request,
  };
  const response = {
    id: 'auction',
    cur: 'USD',
    seatbid: [{ seat: given.seat ?? 'me', bid: [given.bid ?? BANNER] }],
    ...given.response,
  };
  const body = given.answer?.body ?? Buffer.from(JSON.stringify(response));
  const headers = {
    'content-type': 'application/json',
    'content-length': String(body.length),
    'x-openrtb-version': '2.6',
    ...given.headers,
  };
  const question: Question = { contentType: 'application/json', request, fatal: false, acceptsGzip: false, ...given.question };
  const terms: Terms = { noticeBase: BASE, bidsPerImp: 1, perUsd: null, requiredFields: [], patience: 1_000, ...given.terms };
  const answer: Answer = {
    status: 200,
    milliseconds: 5,
    read: (bytes) => JSON.parse(bytes.toString()),
    ...given.answer,
    headers,
    body,
  };
  return judge(question, answer, terms).faults;
}

const AUDIO_IMP: Json = { mimes: ['audio/mpeg'], minduration: 5, maxduration: 30 };
const AUDIO: Json = {
  ...BID,
  mtype: 3,
  adm: vast({
    file: '<MediaFile delivery="progressive" type="audio/mpeg"><![CDATA[https://cdn.shop.example/a.mp3]]></MediaFile>',
  }),
};
const EMPTY = Buffer.alloc(0);
const NO_BID = { 'content-type': undefined, 'content-length': undefined };
const PMP = { pmp: { private_auction: 1, deals: [{ id: 'd', bidfloor: 2, wseat: ['me'], wadomain: ['shop.example'] }] } };

describe('a right answer passes:', () => {
  const right: Record<string, Case> = {
    'a banner': {},
    'a banner in one of the formats': {
      banner: {
        w: undefined,
        h: undefined,
        format: [
          { w: 1, h: 1 },
          { w: 300, h: 250 },
        ],
      },
    },
    'a banner of an asked ratio': { banner: { w: undefined, h: undefined, format: [{ wratio: 6, hratio: 5, wmin: 200 }] } },
    'a video': { bid: VIDEO },
    'a video as VAST 3': { bid: { ...VIDEO, adm: vast({ version: '3.0' }) } },
    'a sound': { bid: AUDIO },
    'a native': { bid: NATIVE },
    'a native in the wrapper of old': { bid: { ...NATIVE, adm: `{"native":${NATIVE['adm']}}` } },
    'a native asked for by a text': { bid: NATIVE, imp: { native: { request: JSON.stringify({ native: NATIVE_REQUEST }) } } },
    'a bid under a deal': { imp: PMP, bid: { ...BANNER, dealid: 'd' } },
    'a bid over a floor in another currency': {
      imp: { bidfloor: 2, bidfloorcur: 'EUR' },
      terms: { perUsd: { USD: 1, EUR: 0.9 } },
    },
    'no bid': { answer: { status: 204, body: EMPTY }, headers: NO_BID },
    'no bid with a reason': { response: { seatbid: [], nbr: 2 } },
    'no bid on what must not be bid on': { question: { fatal: true }, answer: { status: 400, body: EMPTY }, headers: NO_BID },
    'an id that was rounded when read': { request: { id: 2 ** 60 }, response: { id: '1152921504606846976' } },
    'gzip that was asked for': { question: { acceptsGzip: true }, ...zipped() },
  };
  for (const [name, given] of Object.entries(right)) it(name, () => expect(faultsOf(given)).toEqual([]));
});

function zipped(): Case {
  const body = gzipSync(JSON.stringify({ id: 'auction', cur: 'USD', seatbid: [{ seat: 'me', bid: [BANNER] }] }));
  return { answer: { body }, headers: { 'content-encoding': 'gzip' } };
}

describe('a wrong answer is seen:', () => {
  const wrong: readonly (readonly [name: string, fault: RegExp, given: Case])[] = [
    ['status 503', /status 503/, { answer: { status: 503, body: EMPTY } }],
    ['a late answer', /after 300 ms of 120 ms/, { request: { tmax: 120 }, answer: { milliseconds: 300 } }],
    ['a late answer without tmax', /after 1200 ms/, { answer: { milliseconds: 1_200 } }],
    ['another content type', /content-type/, { headers: { 'content-type': 'text/html' } }],
    ['no length', /no content-length/, { headers: { 'content-length': undefined } }],
    ['a wrong length', /content-length 3 for/, { headers: { 'content-length': '3' } }],
    ['no version', /x-openrtb-version is absent/, { headers: { 'x-openrtb-version': undefined } }],
    ['a version that is none', /x-openrtb-version is "3"/, { headers: { 'x-openrtb-version': '3' } }],
    ['200 without a body', /200 without a body/, { answer: { body: EMPTY } }],
    ['an encoding nobody asked for', /gzip was not asked for/, zipped()],
    ['another encoding', /content-encoding br/, { headers: { 'content-encoding': 'br' } }],
    ['gzip that is none', /no gzip/, { question: { acceptsGzip: true }, headers: { 'content-encoding': 'gzip' } }],
    ['204 with a body', /204 with a body/, { answer: { status: 204 }, headers: { ...NO_BID } }],
    [
      '204 with an encoding',
      /204 with content-encoding/,
      { answer: { status: 204, body: EMPTY }, headers: { ...NO_BID, 'content-encoding': 'gzip' } },
    ],
    ['204 with a type', /204 with content-type/, { answer: { status: 204, body: EMPTY } }],
    [
      '204 without a version',
      /x-openrtb-version/,
      { answer: { status: 204, body: EMPTY }, headers: { ...NO_BID, 'x-openrtb-version': undefined } },
    ],
    ['400 with a body', /400 with a body/, { answer: { status: 400 } }],
    ['a body that is no JSON', /cannot be read/, { answer: { body: Buffer.from('{"id":') } }],
    ['a price as text', /price must be number/, { bid: { ...BANNER, price: '2.5' } }],
    ['a field that does not exist', /additional properties \(prize\)/, { bid: { ...BANNER, prize: 1 } }],
    ['a seat bid without bids', /fewer than 1/, { response: { seatbid: [{ bid: [] }] } }],
    ['another auction', /is not the request's/, { response: { id: 'other' } }],
    ['another auction in a no-bid', /is not the request's/, { response: { id: 'other', seatbid: [] } }],
    ['a bid on what must not be bid on', /must not be bid on/, { question: { fatal: true } }],
    ['a bid on bytes', /cannot be read/, { question: { request: null } }],
    ['a reason for what cannot be read', /400 or 204/, { question: { request: null }, response: { seatbid: [] } }],
    ['an unknown imp', /0 imps have this id/, { bid: { ...BANNER, impid: '2' } }],
    ['two bids on one imp', /2 bids on imp 1/, { response: { seatbid: [{ bid: [BANNER, { ...BANNER, id: 'b2' }] }] } }],
    [
      'two bids with one id',
      /two bids have the id/,
      { response: { seatbid: [{ bid: [BANNER, BANNER] }] }, terms: { bidsPerImp: 2 } },
    ],
    ['a price of zero', /not above 0/, { bid: { ...BANNER, price: 0 } }],
    ['a price under the floor', /under the floor of 3 USD/, { imp: { bidfloor: '3' } }],
    [
      'a price under a floor in another currency',
      /under the floor of 2 EUR/,
      { imp: { bidfloor: 2, bidfloorcur: 'EUR' }, terms: { perUsd: { USD: 1, EUR: 0.5 } } },
    ],
    [
      'a price under the floor for its length',
      /for its length/,
      { bid: VIDEO, imp: { video: { ...VIDEO_IMP, mincpmpersec: 0.2 } } },
    ],
    [
      'a price under the floor of its length',
      /under the floor of 9 USD/,
      { bid: VIDEO, imp: { video: { ...VIDEO_IMP, durfloors: [{ mindur: 10, maxdur: 20, bidfloor: 9 }] } } },
    ],
    [
      'a price under the deal’s floor for its length',
      /under the deal's floor for its length/,
      { bid: { ...VIDEO, dealid: 'd' }, imp: { pmp: { deals: [{ id: 'd', mincpmpersec: 1 }] } } },
    ],
    ['another currency', /currency USD is none of EUR/, { request: { cur: ['EUR'] } }],
    ['a currency where only dollars are allowed', /currency EUR/, { response: { cur: 'EUR' } }],
    ['no media type', /no mtype/, { bid: { ...BANNER, mtype: undefined } }],
    ['a medium that is not offered', /offers no video/, { bid: VIDEO, imp: { video: undefined } }],
    ['no advertiser domain', /no adomain/, { bid: { ...BANNER, adomain: [] } }],
    ['no creative id', /no crid/, { bid: { ...BANNER, crid: undefined } }],
    ['a field that the exchange insists on', /no iurl/, { terms: { requiredFields: ['iurl'] } }],
    ['no markup', /neither adm nor nurl/, { bid: { ...BANNER, adm: undefined, nurl: undefined } }],
    ['an open bid in a private auction', /open bid in a private auction/, { imp: PMP }],
    ['a deal that is not offered', /deal x is not offered/, { imp: PMP, bid: { ...BANNER, dealid: 'x' } }],
    ['a price under the deal’s floor', /deal's floor/, { imp: PMP, bid: { ...BANNER, dealid: 'd', price: 1 } }],
    ['a seat that the deal does not invite', /not invited to deal/, { imp: PMP, bid: { ...BANNER, dealid: 'd' }, seat: 'other' }],
    [
      'a domain that the deal does not allow',
      /not allowed in deal/,
      { imp: PMP, bid: { ...BANNER, dealid: 'd', adomain: ['else.example'] } },
    ],
    ['a seat that is not invited', /none of wseat/, { request: { wseat: ['you'] } }],
    ['a blocked seat', /in bseat/, { request: { bseat: ['me'] } }],
    ['a blocked advertiser', /in badv/, { request: { badv: ['SHOP.example'] } }],
    ['a blocked parent domain', /in badv/, { request: { badv: ['example'] } }],
    ['a blocked category', /in bcat/, { request: { bcat: ['IAB22'] } }],
    ['categories of another taxonomy', /taxonomy 1/, { request: { bcat: ['1'], cattax: 6 } }],
    ['a category that is not allowed', /not in acat/, { request: { acat: ['IAB1'] } }],
    ['a blocked attribute', /in battr/, { banner: { battr: [1] } }],
    ['a blocked app', /in bapp/, { request: { bapp: ['com.shop'] }, bid: { ...BANNER, bundle: 'com.shop' } }],
    ['another language', /none of wlang/, { request: { wlang: ['de'] }, bid: { ...BANNER, language: 'fr' } }],
    [
      'a plain address on a secure imp',
      /on a secure imp/,
      { bid: { ...BANNER, adm: '<img src="http://cdn.shop.example/a.gif">' } },
    ],
    ['a plain image address', /on a secure imp/, { bid: { ...BANNER, iurl: 'http://cdn.shop.example/a.gif' } }],
    ['plain notices that are not on loopback', /on a secure imp/, { terms: { noticeBase: 'http://bidder.example' } }],
    ['a macro left over', /\$\{STORE_NAME\} is no macro/, { bid: { ...BANNER, adm: '<b>${STORE_NAME}</b>' } }],
    ['a win notice without price', /nurl has no/, { bid: { ...BANNER, nurl: `${BASE}/n/win` } }],
    ['a loss notice without reason', /lurl has no/, { bid: { ...BANNER, lurl: `${BASE}/n/loss` } }],
    ['a notice that is no address', /nurl/, { bid: { ...BANNER, nurl: 'win' } }],
    ['another size', /320 × 50 is not asked for/, { bid: { ...BANNER, w: 320, h: 50 } }],
    ['no size', /no w and h/, { bid: { ...BANNER, w: undefined } }],
    [
      'a size under the least width of the ratio',
      /not asked for/,
      { banner: { w: undefined, h: undefined, format: [{ wratio: 6, hratio: 5, wmin: 301 }] } },
    ],
    [
      'a script where scripts are blocked',
      /blocks scripts/,
      { banner: { btype: [3] }, bid: { ...BANNER, adm: '<script src="https://a.example/a.js"></script>' } },
    ],
    [
      'a frame where frames are blocked',
      /blocks iframes/,
      { banner: { btype: [4] }, bid: { ...BANNER, adm: '<iframe src="https://a.example"></iframe>' } },
    ],
    ['HTML where only Flash is shown', /HTML is none of/, { banner: { mimes: ['application/x-shockwave-flash'] } }],
    ['VAST that is cut off', /is not closed/, { bid: { ...VIDEO, adm: vast().slice(0, -7) } }],
    ['VAST with a bare ampersand', /no entity/, { bid: { ...VIDEO, adm: vast().replace('&amp;', '&') } }],
    ['XML that is no VAST', /the root is <ad>/, { bid: { ...VIDEO, adm: '<ad/>' } }],
    ['VAST without an ad', /0 ads/, { bid: { ...VIDEO, adm: '<VAST version="4.2"></VAST>' } }],
    [
      'a version of VAST that is not asked for',
      /protocol 2, asked for 3, 13/,
      { bid: { ...VIDEO, adm: vast({ version: '2.0' }) } },
    ],
    ['a protocol that it is not', /is said of/, { bid: { ...VIDEO, protocol: 3 } }],
    [
      'an ad without impression',
      /no Impression/,
      { bid: { ...VIDEO, adm: vast({ body: '<AdSystem/><AdTitle/><Creatives/>' }) } },
    ],
    [
      'VAST 4 without a universal id',
      /no UniversalAdId/,
      { bid: { ...VIDEO, adm: vast().replace(/<UniversalAdId.*?<\/UniversalAdId>/, '') } },
    ],
    [
      'a click that leads nowhere',
      /ClickThrough is no address/,
      { bid: { ...VIDEO, adm: vast().replace(/<ClickThrough>[^<]*/, '<ClickThrough>go') } },
    ],
    ['a length that is too long', /45 s is not within/, { bid: { ...VIDEO, dur: 45, adm: vast({ duration: '00:00:45' }) } }],
    [
      'a length that is not one of those',
      /15 s is none of 6, 30/,
      { bid: VIDEO, imp: { video: { ...VIDEO_IMP, rqddurs: [6, 30] } } },
    ],
    ['another length than said', /dur 30 for 15 s/, { bid: { ...VIDEO, dur: 30 } }],
    ['a length that is none', /duration "15"/, { bid: { ...VIDEO, adm: vast({ duration: '15' }) } }],
    ['a linear ad where only overlays may be', /linear where/, { bid: VIDEO, imp: { video: { ...VIDEO_IMP, linearity: 2 } } }],
    ['a skippable ad where none may be', /skippable/, { bid: { ...VIDEO, adm: vast({ linear: ' skipoffset="00:00:05"' }) } }],
    ['no media file', /no media file/, { bid: { ...VIDEO, adm: vast({ file: '' }) } }],
    [
      'a media file of another type',
      /one of video\/mp4/,
      { bid: { ...VIDEO, adm: vast({ file: FILE.replace('video/mp4', 'video/webm') }) } },
    ],
    ['a media file of too many bits', /bitrate/, { bid: { ...VIDEO, adm: vast({ file: FILE.replace('800', '8000') }) } }],
    ['a media file without size', /without width/, { bid: { ...VIDEO, adm: vast({ file: FILE.replace('width="640"', '') }) } }],
    [
      'a media file without delivery',
      /delivery/,
      { bid: { ...VIDEO, adm: vast({ file: FILE.replace('delivery="progressive"', '') }) } },
    ],
    [
      'a media file that needs an API',
      /needs an API/,
      { bid: { ...VIDEO, adm: vast({ file: FILE.replace('type=', 'apiFramework="VPAID" type=') }) } },
    ],
    ['a plain media file', /on a secure imp/, { bid: { ...VIDEO, adm: vast({ file: FILE.replace('https:', 'http:') }) } }],
    [
      'another slot of the pod',
      /slot 1 of the pod/,
      { bid: { ...VIDEO, slotinpod: 1 }, imp: { video: { ...VIDEO_IMP, slotinpod: -1 } } },
    ],
    [
      'sound of another type',
      /one of audio\/mpeg/,
      { bid: { ...AUDIO, adm: String(AUDIO['adm']).replace('audio/mpeg', 'audio/ogg') } },
    ],
    ['native that is no JSON', /no JSON object/, { bid: { ...NATIVE, adm: '<b>' } }],
    ['native on a request that is none', /cannot be read/, { bid: NATIVE, imp: { native: { request: 'none' } } }],
    ['a required asset that is missing', /required asset 2/, { bid: native((answer) => answer.assets.splice(1, 1)) }],
    [
      'an asset that is not asked for',
      /asset 9 is not asked for/,
      { bid: native((answer) => answer.assets.push({ id: 9, data: { value: 'x' } })) },
    ],
    [
      'an asset of another kind',
      /is a data/,
      { bid: native((answer) => Object.assign(answer.assets, { 0: { id: 1, data: { value: 'x' } } })) },
    ],
    ['an asset of no kind', /of 0 kinds/, { bid: native((answer) => Object.assign(answer.assets, { 2: { id: 3 } })) }],
    ['an asset twice', /asset 1 twice/, { bid: native((answer) => answer.assets.push({ id: 1, title: { text: 'x' } })) }],
    [
      'a title that is too long',
      /characters of 20/,
      { bid: native((answer) => Object.assign(answer.assets[0] as Json, { title: { text: 'x'.repeat(21) } })) },
    ],
    ['an empty text', /empty/, { bid: native((answer) => Object.assign(answer.assets[0] as Json, { title: { text: '' } })) }],
    [
      'an image that is too small',
      /w 299 is not at least 300/,
      { bid: native((answer) => Object.assign(answer.assets[1]?.img as Json, { w: 299 })) },
    ],
    [
      'an image of another type',
      /image\/gif is not asked for/,
      { bid: native((answer) => Object.assign(answer.assets[1]?.img as Json, { url: 'https://a.example/a.gif' })) },
    ],
    [
      'a plain image in native',
      /secure imp/,
      { bid: native((answer) => Object.assign(answer.assets[1]?.img as Json, { url: 'http://a.example/a.png' })) },
    ],
    ['native without a link', /link\.url/, { bid: native((answer) => Object.assign(answer, { link: {} })) }],
    [
      'an event that is not offered',
      /event 2 by method 1/,
      { bid: native((answer) => Object.assign(answer.eventtrackers[0] as Json, { event: 2 })) },
    ],
    [
      'a tracker that is no address',
      /tracker is no address/,
      { bid: native((answer) => Object.assign(answer.eventtrackers[0] as Json, { url: '' })) },
    ],
  ];
  for (const [name, fault, given] of wrong) it(name, () => expect(faultsOf(given).join('\n')).toMatch(fault));
});
