import { normalizeIdentifier } from '../../proto/identifier.ts';
import { isPlace } from '../../proto/signal.ts';
import { countryOf } from './countries.ts';
import {
  integerOf,
  isAbsent,
  type JsonObject,
  numberOf,
  objectOf,
  objectsOf,
  protectionOf,
  type Quirks,
  textOf,
  textsOf,
} from './fields.ts';
import type { Device, Location } from './request.ts';

/** Farther from UTC than this nobody lives. */
const MAX_UTC_OFFSET = 15 * 60;
/** Apple's answer "authorized". */
const AUTHORIZED = 3;

export function deviceOf(device: JsonObject, quirks: Quirks): Device {
  const geo = objectOf(device['geo'], quirks);
  const ifa = textOf(device['ifa'], quirks);
  const atts = integerOf(objectOf(device['ext'], quirks)['atts'], quirks);
  const utcoffset = integerOf(geo['utcoffset'], quirks);
  const refusal = isZeroed(ifa, quirks) || (atts !== null && atts !== AUTHORIZED);
  const sua = objectOf(device['sua'], quirks);
  const platform = objectOf(sua['platform'], quirks);
  return {
    type: integerOf(device['devicetype'], quirks),
    // The structured user agent knows better than what was read out of its text.
    os: nameOf(platform['brand'], quirks) || nameOf(device['os'], quirks),
    osv: versionOf(platform, quirks) || nameOf(device['osv'], quirks),
    make: nameOf(device['make'], quirks),
    model: nameOf(sua['model'], quirks) || nameOf(device['model'], quirks),
    brands: brandsOf(sua, quirks),
    carrier: nameOf(device['carrier'], quirks),
    mccmnc: networkOf(device, quirks),
    connectionType: integerOf(device['connectiontype'], quirks),
    ua: textOf(device['ua'], quirks),
    ip: textOf(device['ip'], quirks) || textOf(device['ipv6'], quirks),
    language: languageOf(device, quirks),
    ifa,
    lmt: (protectionOf(device['lmt'], quirks) ?? false) || refusal,
    dnt: protectionOf(device['dnt'], quirks) ?? false,
    atts,
    location: placeOf(geo, quirks),
    country: nationOf(geo, quirks),
    region: regionOf(geo, quirks),
    city: nameOf(geo['city'], quirks),
    zip: textOf(geo['zip'], quirks).trim(),
    utcoffset: utcoffset !== null && Math.abs(utcoffset) <= MAX_UTC_OFFSET ? utcoffset : null,
  };
}

/** A text to be compared. */
function nameOf(value: unknown, quirks: Quirks): string {
  if (isAbsent(value)) return '';
  return textOf(value, quirks).trim().toLowerCase();
}

/** The parts of a structured version, or ''. */
function versionOf(platform: JsonObject, quirks: Quirks): string {
  if (isAbsent(platform['version'])) return '';
  return textsOf(platform['version'], quirks).join('.').toLowerCase();
}

const NO_BRANDS: readonly string[] = Object.freeze([]);

function brandsOf(sua: JsonObject, quirks: Quirks): readonly string[] {
  if (isAbsent(sua['browsers'])) return NO_BRANDS;
  return objectsOf(sua['browsers'], quirks).map((browser) => textOf(browser['brand'], quirks));
}

/** "310-005"; senders leave out the hyphen, and some write it into `carrier`. */
function networkOf(device: JsonObject, quirks: Quirks): string {
  return networkIn(device['mccmnc'], quirks) || networkIn(device['carrier'], quirks);
}

const NETWORK = /^(\d{3})[-_ ]?(\d{2,3})$/;

function networkIn(value: unknown, quirks: Quirks): string {
  const network = isAbsent(value) ? null : NETWORK.exec(textOf(value, quirks).trim());
  return network === null ? '' : `${network[1]}-${network[2]}`;
}

/** ISO 639-1, or the language of the BCP 47 tag of 2.6, in lower case; '' where there is neither. */
export function languageOf(speaker: JsonObject, quirks: Quirks): string {
  const tag = textOf(speaker['language'], quirks) || textOf(speaker['langb'], quirks);
  if (tag === '' || isPlainLanguage(tag)) return tag;
  return (tag.trim().split(/[-_]/, 1)[0] as string).toLowerCase();
}

/** Two small letters, as nearly all are sent. */
function isPlainLanguage(tag: string): boolean {
  return tag.length === 2 && isSmallLetter(tag.charCodeAt(0)) && isSmallLetter(tag.charCodeAt(1));
}

function isSmallLetter(code: number): boolean {
  return code >= 0x61 && code <= 0x7a;
}

/** ISO 3166-2 without the country that some senders put in front. */
function regionOf(geo: JsonObject, quirks: Quirks): string {
  if (isAbsent(geo['region'])) return '';
  const region = textOf(geo['region'], quirks).trim().toUpperCase();
  return region.charCodeAt(2) === HYPHEN && region.length > 3 ? region.slice(3) : region;
}

const HYPHEN = 0x2d;

/** A zeroed or unexpanded advertising id says the same as `lmt`. */
function isZeroed(ifa: string, quirks: Quirks): boolean {
  if (ifa === '' || normalizeIdentifier('ifa', ifa) !== null) return false;
  quirks.add('zeroed_identifier');
  return true;
}

function placeOf(geo: JsonObject, quirks: Quirks): Location | null {
  const lat = numberOf(geo['lat'], quirks);
  const lon = numberOf(geo['lon'], quirks);
  if (lat === null || lon === null) return null;
  if (!isPlace(lat, lon)) {
    quirks.add('impossible_place');
    return null;
  }
  return {
    lat,
    lon,
    type: integerOf(geo['type'], quirks),
    accuracy: integerOf(geo['accuracy'], quirks),
    lastfix: integerOf(geo['lastfix'], quirks),
  };
}

function nationOf(geo: JsonObject, quirks: Quirks): string {
  const text = textOf(geo['country'], quirks);
  const country = countryOf(text);
  if (text.length === 2 && country.length === 3) quirks.add('country_of_two_letters');
  return country;
}
