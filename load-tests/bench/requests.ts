import { isObject, type Json } from './corpus.ts';
import { createDraw, type Draw } from './draw.ts';
import { drawPlace } from './fences.ts';
import { ADVERTISERS, advertiserDomain, CATEGORIES, DEVICE_TYPES, EXCHANGE, OPERATING_SYSTEMS, SIZES } from './line-items.ts';
import { ifaOf } from './people.ts';
import { NETWORK_MS, TMAX } from './world.ts';

/** A request's bytes, with room for the number of the call and for who is asked for. */
export interface Template {
  /** The whole HTTP message. */
  readonly message: Buffer;
  /** Where in it the JSON begins. */
  readonly bodyAt: number;
  readonly idAt: number;
  /** -1: nobody is named, or the person must not be exchanged. */
  readonly ifaAt: number;
  /** How long the request itself gives a bidder, ms; null: it does not say. */
  readonly tmax: number | null;
}

export interface Traffic {
  readonly templates: readonly Template[];
  /** Of the templates so many come from the corpus. */
  readonly fromCorpus: number;
  readonly meanBytes: number;
  /** The message of a call: another person and another id at each, so that no cache sees the same people again and again. */
  message(call: number): Buffer;
  /** Who is asked for in a call. */
  personOf(call: number): number;
  templateOf(call: number): number;
  /** How long a bidder may take for a call, ms from the intended moment: its `tmax` or `TMAX`, less what the network takes. */
  allowedMs(call: number): number;
}

export interface TrafficOptions {
  readonly seed: number;
  readonly fences: number;
  readonly profiles: number;
  readonly corpus: readonly Json[];
  readonly templates?: number;
}

const TEMPLATES = 2_048;
const CITY_SHARE = 0.8;
/** `bench-<template>-<call>`, as long for each call. */
const ID = 'bench-0000000-0000000000';
const ID_CALL_AT = 14;
const IFA = 'feedbead-0000-4000-a000-feedbeadfeed';
/** Of those who are asked for so many are unknown to us. */
const UNKNOWN = 0.2;
/** Where floors lie around what line items bid, so that about 30 % of the requests are bid on. */
const FLOOR_MEDIAN = 2.7;
const FLOOR_SPREAD = 0.6;

export function drawTraffic({ seed, fences, profiles, corpus, templates: count = TEMPLATES }: TrafficOptions): Traffic {
  const draw = createDraw(seed, 4);
  const templates: Template[] = [];
  let fromCorpus = 0;
  for (let index = 0; index < count; index++) {
    const city = corpus.length === 0 || draw.chance(CITY_SHARE);
    if (!city) fromCorpus++;
    templates.push(templateOfRequest(city ? cityRequest(draw, fences) : corpusRequest(draw.pick(corpus)), index));
  }
  const people = Math.max(1, Math.round(profiles / (1 - UNKNOWN)));
  const meanBytes = templates.reduce((sum, { message, bodyAt }) => sum + message.length - bodyAt, 0) / count;
  const templateOf = (call: number): number => call % count;
  // A large odd step visits the people in an order without pattern, all before anybody twice where the numbers have no common factor.
  const personOf = (call: number): number => (call * 1_000_003) % people;
  const allowedMs = (call: number): number => ((templates[templateOf(call)] as Template).tmax ?? TMAX) - NETWORK_MS;
  return { templates, fromCorpus, meanBytes, message, personOf, templateOf, allowedMs };

  function message(call: number): Buffer {
    const template = templates[templateOf(call)] as Template;
    const bytes = Buffer.from(template.message);
    bytes.write(String(call).padStart(10, '0'), template.idAt + ID_CALL_AT, 'latin1');
    if (template.ifaAt >= 0) bytes.write(ifaOf(seed, personOf(call)), template.ifaAt, 'latin1');
    return bytes;
  }
}

/** Number of the template in the id of a request. */
export function templateIn(id: string): number {
  return Number(id.slice(6, 13));
}

function templateOfRequest(request: Json, index: number): Template {
  const id = `bench-${String(index).padStart(7, '0')}${ID.slice(13)}`;
  const body = Buffer.from(JSON.stringify({ ...request, id }));
  const head = Buffer.from(
    `POST /openrtb2/${EXCHANGE} HTTP/1.1\r\nhost: 127.0.0.1\r\ncontent-type: application/json\r\nx-openrtb-version: 2.6\r\ncontent-length: ${body.length}\r\n\r\n`,
  );
  const message = Buffer.concat([head, body]);
  const tmax = typeof request['tmax'] === 'number' && request['tmax'] > 0 ? request['tmax'] : null;
  const [idAt, ifaAt] = [message.indexOf(id, head.length), message.indexOf(IFA, head.length)];
  return { message, bodyAt: head.length, idAt, ifaAt, tmax };
}

/** A request of others as it is, but for who is asked for: a real advertising id gives way to one of our people. */
function corpusRequest(given: Json): Json {
  const { device } = given;
  if (!isObject(device) || typeof device['ifa'] !== 'string' || !/[1-9a-f]/i.test(device['ifa'])) return given;
  return { ...given, device: { ...device, ifa: IFA } };
}

/** An app in the city on a phone with GPS, as sellers fill 2.6. */
function cityRequest(draw: Draw, fences: number): Json {
  const [w, h] = SIZES[Math.min(draw.below(SIZES.length), draw.below(SIZES.length))] as readonly [number, number];
  const app = draw.below(400);
  const os = draw.chance(0.7) ? 'Android' : draw.pick(OPERATING_SYSTEMS);
  const floor = FLOOR_MEDIAN * Math.exp(FLOOR_SPREAD * draw.normal());
  return {
    imp: [
      {
        id: '1',
        tagid: `placement-${draw.below(2_000)}`,
        banner: {
          w,
          h,
          format: [{ w, h }],
          pos: 1,
          api: [3, 5, 6],
          mimes: ['image/jpeg', 'image/png', 'text/html'],
          battr: [draw.below(16) + 1, 17],
        },
        displaymanager: 'sdk',
        displaymanagerver: '7.2.1',
        instl: 0,
        secure: 1,
        bidfloor: Math.round(floor * 100) / 100,
        bidfloorcur: 'USD',
        exp: 300,
      },
    ],
    app: {
      id: `app-${app}`,
      name: `Application ${app}`,
      bundle: `com.example.app${app}`,
      storeurl: `https://play.google.com/store/apps/details?id=com.example.app${app}`,
      cat: [draw.pick(CATEGORIES), draw.pick(CATEGORIES)],
      ver: '4.11.0',
      publisher: { id: `pub-${app % 90}`, name: `Publisher ${app % 90}`, domain: `publisher${app % 90}.example` },
      content: { language: 'ru' },
    },
    device: {
      ua: 'Mozilla/5.0 (Linux; Android 14; SM-A546E Build/UP1A.231005.007; wv) AppleWebKit/537.36 (KHTML, like Gecko) Version/4.0 Chrome/126.0.6478.122 Mobile Safari/537.36',
      ip: `198.51.100.${draw.below(256)}`,
      geo: {
        ...drawPlace(draw, fences),
        type: draw.chance(0.85) ? 1 : 2,
        accuracy: 5 + draw.below(60),
        lastfix: draw.below(90),
        country: 'RUS',
        city: 'Kazan',
        zip: '420000',
        utcoffset: (draw.below(24) - 11) * 60,
      },
      dnt: 0,
      lmt: draw.chance(0.1) ? 1 : 0,
      make: 'Samsung',
      model: 'SM-A546E',
      os,
      osv: '14',
      devicetype: draw.chance(0.8) ? 4 : draw.pick(DEVICE_TYPES),
      w: 1080,
      h: 2340,
      pxratio: 2.6,
      js: 1,
      language: 'ru',
      carrier: 'Carrier',
      connectiontype: 6,
      ifa: IFA,
    },
    user: { id: `u-${draw.below(1e9)}` },
    at: 1,
    tmax: 100,
    cur: ['USD'],
    bcat: Array.from({ length: draw.below(12) }, () => draw.pick(CATEGORIES)),
    badv: draw.chance(0.4) ? Array.from({ length: 5 + draw.below(20) }, () => advertiserDomain(draw.below(ADVERTISERS))) : [],
    source: { fd: 0, tid: '8f4c2a1e-7a43-4e7c-9d0f-2f1f6a3b5c77' },
    regs: { coppa: 0, ext: { gdpr: 0 } },
  };
}
