import type { Sample } from './corpus.ts';
import {
  fieldOf,
  isObject,
  isOn,
  type Json,
  listOf,
  numberOf,
  objectOf,
  objectsOf,
  parseObject,
  positiveOf,
  textsOf,
  wholesOf,
} from './judge/read.ts';

/**
 * Whether format and privacy of the request allow a bid, told from the request alone and without its consent strings: GDPR and
 * COPPA count as "no". Floors, blocklists, currencies and deals are not asked here.
 */
export function allowsBid({ request, fatal }: Sample): boolean {
  if (request === null || fatal || INVENTORY.filter((kind) => isObject(request[kind])).length > 1) return false;
  return isPermitted(request) && objectsOf(request['imp']).some(isServable);
}

const INVENTORY = ['site', 'app', 'dooh'];

function isPermitted(request: Json): boolean {
  const regs = objectOf(request['regs']);
  return !isOn(fieldOf(regs, 'coppa')) && !isOn(fieldOf(regs, 'gdpr'));
}

function isServable({ banner, video, audio, native }: Json): boolean {
  return (
    hasSize(banner) ||
    takesSpot(video, /^video\/(mp4|webm|ogg|quicktime|3gpp|x-flv)$/i) ||
    takesSpot(audio, /^audio\/(mpeg|mp3|mp4|aac|ogg)$/i) ||
    takesNative(native)
  );
}

function hasSize(banner: unknown): boolean {
  if (!isObject(banner)) return false;
  return [banner, ...objectsOf(banner['format'])].some(
    ({ w, h, wratio, hratio }) => (positiveOf(w) > 0 && positiveOf(h) > 0) || (positiveOf(wratio) > 0 && positiveOf(hratio) > 0),
  );
}

/** In line, in a version of VAST that can be written with what this tool offers. */
const IN_LINE = [2, 3, 7, 11, 13, 15];

function takesSpot(media: unknown, known: RegExp): boolean {
  if (!isObject(media) || !textsOf(media['mimes']).some((mime) => known.test(mime))) return false;
  const protocols = [...wholesOf(media['protocols']), ...wholesOf(media['protocol'])];
  const [least, most] = [positiveOf(media['minduration']), positiveOf(media['maxduration']) || Number.POSITIVE_INFINITY];
  if (least > most || numberOf(media['linearity']) === 2) return false;
  return protocols.length === 0 || protocols.some((protocol) => IN_LINE.includes(protocol));
}

function takesNative(native: unknown): boolean {
  if (!isObject(native)) return false;
  const given = native['request'];
  const request = typeof given === 'string' ? parseObject(Buffer.from(given)) : given;
  const wanted = objectOf(objectOf(request)['native'] ?? request);
  const assets = objectsOf(listOf(wanted['assets']));
  return assets.length > 0 && !assets.some((asset) => isOn(asset['required']) && isObject(asset['video']));
}
