import { impsOf, type Sample } from './corpus.ts';
import { countOf, isObject, type Json, objectOf, objectsOf, parseObject, textsOf, wholesOf } from './judge/read.ts';

/** What the requests of a folder ask for, so that something of each kind can be on offer. */
export interface Wishes {
  readonly sizes: readonly { readonly w: number; readonly h: number }[];
  /** Whole seconds. */
  readonly videoSeconds: readonly number[];
  readonly audioSeconds: readonly number[];
  /** The seat that most requests invite, null where none does. */
  readonly seat: string | null;
  /** One advertiser domain of each list that a deal allows. */
  readonly dealDomains: readonly string[];
  /** Pictures of native requests that name exact sizes, one list for each request. */
  readonly pictures: readonly (readonly Picture[])[];
}

export interface Picture {
  /** 1 icon, 3 main. */
  readonly type: number;
  readonly w: number;
  readonly h: number;
  /** Of its address, so that its media type is known. */
  readonly extension: 'png' | 'jpg' | 'gif';
}

const MOST = 120;
const USUAL_SECONDS = 15;
const DOMAIN = /^[a-z0-9-]+(\.[a-z0-9-]+)+$/;

export function wishesOf(samples: readonly Sample[]): Wishes {
  const imps = impsOf(samples);
  const deals = imps.flatMap((imp) => objectsOf(objectOf(imp['pmp'])['deals']));
  const domains = deals.flatMap((deal) => textsOf(deal['wadomain']).find((domain) => DOMAIN.test(domain)) ?? []);
  return {
    sizes: sizesOf(imps),
    videoSeconds: secondsOf(imps, 'video'),
    audioSeconds: secondsOf(imps, 'audio'),
    seat: mostFrequent([...samples.flatMap(({ request }) => textsOf(request?.['wseat'])), ...deals.flatMap(seatsOf)])[0] ?? null,
    dealDomains: mostFrequent(domains).slice(0, 3),
    pictures: picturesOf(imps),
  };
}

const seatsOf = (deal: Json): readonly string[] => textsOf(deal['wseat']);

function picturesOf(imps: readonly Json[]): Picture[][] {
  const lists = imps.flatMap((imp) => (isObject(imp['native']) ? [JSON.stringify(picturesIn(imp['native']))] : []));
  return mostFrequent(lists)
    .map((list) => JSON.parse(list) as Picture[])
    .filter(({ length }) => length > 0)
    .slice(0, MOST);
}

const MAIN = 3;
const MOST_PICTURES = 20;

/** As large as is asked for: exactly, or at least. */
function picturesIn(native: Json): Picture[] {
  const given = native['request'];
  const request = typeof given === 'string' ? parseObject(Buffer.from(given)) : given;
  const wanted = objectOf(objectOf(request)['native'] ?? request);
  const pictures = objectsOf(wanted['assets']).flatMap(({ img }) => {
    if (!isObject(img)) return [];
    const side = (exact: unknown, least: unknown): number => Math.trunc(countOf(least) || countOf(exact));
    const [w, h] = [side(img['w'], img['wmin']), side(img['h'], img['hmin'])];
    const type = countOf(img['type']) || MAIN;
    // A side that nobody asks for is as long as the other.
    const sized = { type, w: w || h || 300, h: h || w || 300, extension: extensionOf(textsOf(img['mimes'])) };
    return sized.w <= 5_000 && sized.h <= 5_000 && type <= 600 ? [sized] : [];
  });
  return pictures.slice(0, MOST_PICTURES);
}

function extensionOf(mimes: readonly string[]): Picture['extension'] {
  const named = mimes.map((mime) => mime.toLowerCase());
  if (named.length === 0 || named.includes('image/png')) return 'png';
  return named.includes('image/gif') && !named.some((mime) => /jpe?g$/.test(mime)) ? 'gif' : 'jpg';
}

function sizesOf(imps: readonly Json[]): { w: number; h: number }[] {
  const sizes: string[] = [];
  for (const imp of imps) {
    if (!isObject(imp['banner'])) continue;
    for (const { w, h, wratio, hratio, wmin } of [imp['banner'], ...objectsOf(imp['banner']['format'])]) {
      const [wide, high] = [countOf(w), countOf(h)];
      if (wide >= 1 && high >= 1) sizes.push(`${Math.trunc(wide)}x${Math.trunc(high)}`);
      const [across, down] = [countOf(wratio), countOf(hratio)];
      if (across > 0 && down > 0) sizes.push(ratioSize(across, down, countOf(wmin)));
    }
  }
  const usual = mostFrequent([...sizes, '300x250']).map((size) => size.split('x').map(Number) as [number, number]);
  return usual
    .filter(([w, h]) => w <= 5_000 && h <= 5_000)
    .map(([w, h]) => ({ w, h }))
    .slice(0, MOST);
}

/** The smallest whole size of the ratio that is wide enough. */
function ratioSize(across: number, down: number, least: number): string {
  const times = Math.max(1, Math.ceil(least / across));
  return `${across * times}x${down * times}`;
}

/** A length within the bounds of each imp: the usual one where it fits. */
function secondsOf(imps: readonly Json[], medium: 'video' | 'audio'): number[] {
  const wanted = imps.flatMap((imp) => {
    const media = imp[medium];
    if (!isObject(media)) return [];
    const exact = wholesOf(media['rqddurs']);
    if (exact.length > 0) return exact;
    const most = Math.min(...[media['maxduration'], media['poddur']].map((limit) => countOf(limit) || Number.POSITIVE_INFINITY));
    return [Math.max(countOf(media['minduration']), Math.min(USUAL_SECONDS, most))];
  });
  return mostFrequent([...wanted.map((seconds) => String(Math.ceil(seconds))), String(USUAL_SECONDS)])
    .map(Number)
    .filter((seconds) => seconds >= 1 && seconds <= 600)
    .slice(0, MOST);
}

function mostFrequent(values: readonly string[]): string[] {
  const counts = new Map<string, number>();
  for (const value of values) counts.set(value, (counts.get(value) ?? 0) + 1);
  return [...counts].sort(([a, n], [b, m]) => m - n || (a < b ? -1 : 1)).map(([value]) => value);
}
