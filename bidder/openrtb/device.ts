import { normalizeIdentifier } from '../../proto/identifier.ts';
import { isPlace } from '../../proto/signal.ts';
import { countryOf } from './countries.ts';
import { integerOf, type JsonObject, numberOf, objectOf, protectionOf, type Quirks, textOf } from './fields.ts';
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
  return {
    type: integerOf(device['devicetype'], quirks),
    os: osOf(device, quirks),
    osv: '',
    make: '',
    model: '',
    browser: '',
    carrier: '',
    mccmnc: '',
    connectionType: null,
    ua: textOf(device['ua'], quirks),
    ip: textOf(device['ip'], quirks) || textOf(device['ipv6'], quirks),
    language: (textOf(device['language'], quirks) || textOf(device['langb'], quirks)).toLowerCase(),
    ifa,
    lmt: (protectionOf(device['lmt'], quirks) ?? false) || refusal,
    dnt: protectionOf(device['dnt'], quirks) ?? false,
    atts,
    location: placeOf(geo, quirks),
    country: nationOf(geo, quirks),
    region: textOf(geo['region'], quirks).toUpperCase(),
    city: '',
    zip: '',
    utcoffset: utcoffset !== null && Math.abs(utcoffset) <= MAX_UTC_OFFSET ? utcoffset : null,
  };
}

/** The structured user agent knows better than what was read out of its text. */
function osOf(device: JsonObject, quirks: Quirks): string {
  const platform = objectOf(objectOf(device['sua'], quirks)['platform'], quirks);
  return (textOf(platform['brand'], quirks) || textOf(device['os'], quirks)).toLowerCase();
}

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
