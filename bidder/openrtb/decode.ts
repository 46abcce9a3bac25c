import { normalizeIdentifier } from '../../proto/identifier.ts';
import { isPlace } from '../../proto/signal.ts';
import {
  flagOf,
  integerOf,
  integersOf,
  isObject,
  type JsonObject,
  numberOf,
  objectOf,
  privacyFlagOf,
  textOf,
  textsOf,
} from './fields.ts';
import type { BidRequest, Device, Imp, Location, Regs } from './request.ts';

/** `malformed` is answered with 400; the others are no-bids. */
export type DecodeFault = 'malformed' | 'invalid_request' | 'unsupported_format';

/** A request with more places than this is answered for the first ones. */
const MAX_IMPS = 100;
const MAX_SIZES = 50;
/** Ids go into every notice address. */
const MAX_ID = 512;

/**
 * Reads OpenRTB 2.3 … 2.6 JSON, field by field: what a real sender gets wrong is the same as absent (see
 * reference/bidding.md, 2.1). Never throws.
 */
export function decodeRequest(body: Buffer): BidRequest | DecodeFault {
  const text = body.toString();
  const wire = parse(text);
  if (!isObject(wire)) return 'malformed';
  const id = idOf(wire['id'], text);
  const { imp } = wire;
  if (id === '' || !Array.isArray(imp) || imp.length === 0) return 'malformed';
  if (id.length > MAX_ID || countMedia(wire) > 1) return 'invalid_request';
  const imps = impsOf(imp, text);
  if (typeof imps === 'string') return imps;
  const device = objectOf(wire['device']);
  const user = objectOf(wire['user']);
  const cur = textsOf(wire['cur']).map((code) => code.toUpperCase());
  return {
    id,
    imps,
    test: flagOf(wire['test']),
    tmax: Math.max(0, numberOf(wire['tmax']) ?? 0),
    cur: cur.length === 0 ? ['USD'] : cur,
    bcat: new Set(textsOf(wire['bcat']).map((category) => category.toUpperCase())),
    cattax: integerOf(wire['cattax']) ?? 1,
    badv: new Set(textsOf(wire['badv']).map((domain) => domain.toLowerCase())),
    wseat: textsOf(wire['wseat']),
    bseat: textsOf(wire['bseat']),
    device: deviceOf(device),
    userId: textOf(user['id']),
    buyeruid: textOf(user['buyeruid']),
    regs: regsOf(objectOf(wire['regs'])),
  };
}

function parse(text: string): unknown {
  try {
    return JSON.parse(text.charCodeAt(0) === 0xfeff ? text.slice(1) : text);
  } catch {
    return undefined;
  }
}

function countMedia(wire: JsonObject): number {
  return Number(isObject(wire['site'])) + Number(isObject(wire['app'])) + Number(isObject(wire['dooh']));
}

function idOf(value: unknown, body: string): string {
  return typeof value === 'number' && !Number.isSafeInteger(value) ? rawDigits(value, body) : textOf(value);
}

/** An id must be sent back digit by digit, and JSON.parse has rounded this one: cut it from the body. */
function rawDigits(value: number, body: string): string {
  for (const match of body.matchAll(/"id"\s*:\s*(-?[\d.eE+-]+)/g)) if (Number(match[1]) === value) return match[1] as string;
  return String(value);
}

function impsOf(list: readonly unknown[], body: string): Imp[] | DecodeFault {
  const imps: Imp[] = [];
  const ids = new Set<string>();
  let otherFormats = 0;
  for (const wire of list.slice(0, MAX_IMPS)) {
    if (!isObject(wire)) continue;
    const id = idOf(wire['id'], body);
    if (ids.has(id)) return 'invalid_request';
    ids.add(id);
    const { ext } = wire;
    if (id === '' || id.length > MAX_ID || (ext !== undefined && ext !== null && !isObject(ext))) continue;
    if (isObject(wire['banner'])) {
      const imp = bannerImp(id, wire, wire['banner']);
      if (imp !== null) imps.push(imp);
    } else if (isObject(wire['video']) || isObject(wire['native']) || isObject(wire['audio'])) otherFormats++;
  }
  if (imps.length > 0) return imps;
  return otherFormats > 0 ? 'unsupported_format' : 'invalid_request';
}

function bannerImp(id: string, wire: JsonObject, banner: JsonObject): Imp | null {
  const sizes = sizesOf(banner);
  if (sizes.length === 0) return null;
  return {
    id,
    sizes,
    bidfloor: Math.max(0, numberOf(wire['bidfloor']) ?? 0),
    bidfloorcur: textOf(wire['bidfloorcur']).toUpperCase() || 'USD',
    battr: integersOf(banner['battr']),
    privateAuction: flagOf(objectOf(wire['pmp'])['private_auction']),
  };
}

/** The union of w × h and `format`. */
function sizesOf(banner: JsonObject): [number, number][] {
  const sizes: [number, number][] = [];
  pushSize(sizes, banner);
  const format = banner['format'];
  if (Array.isArray(format)) for (const size of format.slice(0, MAX_SIZES)) if (isObject(size)) pushSize(sizes, size);
  return sizes;
}

function pushSize(sizes: [number, number][], size: JsonObject): void {
  const w = integerOf(size['w']) ?? 0;
  const h = integerOf(size['h']) ?? 0;
  if (w > 0 && h > 0) sizes.push([w, h]);
}

function deviceOf(device: JsonObject): Device {
  const geo = objectOf(device['geo']);
  const platform = objectOf(objectOf(device['sua'])['platform']);
  const ifa = textOf(device['ifa']);
  const utcoffset = integerOf(geo['utcoffset']);
  return {
    type: integerOf(device['devicetype']),
    os: (textOf(platform['brand']) || textOf(device['os'])).toLowerCase(),
    ifa,
    lmt: privacyFlagOf(device['lmt']) || isRefusal(device, ifa),
    dnt: privacyFlagOf(device['dnt']),
    location: locationOf(geo),
    country: textOf(geo['country']).toUpperCase(),
    utcoffset: utcoffset !== null && Math.abs(utcoffset) <= 15 * 60 ? utcoffset : null,
  };
}

/** A zeroed advertising id, and Apple's tracking states other than "authorized", mean the same as `lmt`. */
function isRefusal(device: JsonObject, ifa: string): boolean {
  const atts = integerOf(objectOf(device['ext'])['atts']);
  return (ifa !== '' && normalizeIdentifier('ifa', ifa) === null) || (atts !== null && atts !== 3);
}

function locationOf(geo: JsonObject): Location | null {
  const lat = numberOf(geo['lat']);
  const lon = numberOf(geo['lon']);
  if (lat === null || lon === null || !isPlace(lat, lon)) return null;
  return {
    lat,
    lon,
    type: integerOf(geo['type']),
    accuracy: numberOf(geo['accuracy']),
    lastfix: numberOf(geo['lastfix']),
  };
}

/** Each field in its place of 2.6, else in that of 2.5. */
function regsOf(regs: JsonObject): Regs {
  const ext = objectOf(regs['ext']);
  const gdpr = regs['gdpr'] ?? ext['gdpr'];
  return {
    coppa: privacyFlagOf(regs['coppa'] ?? ext['coppa']),
    gdpr: gdpr === undefined || gdpr === null || gdpr === '' ? null : privacyFlagOf(gdpr),
    usPrivacy: textOf(regs['us_privacy'] ?? ext['us_privacy']),
    gppSections: integersOf(regs['gpp_sid'] ?? ext['gpp_sid']).filter((section) => section > 0),
  };
}
