import { amountOf, integerOf, integersOf, isAbsent, type JsonObject, objectsOf, type Quirks, textsOf } from './fields.ts';
import type { BannerImp } from './request.ts';

const MAX_SIZES = 64;

/** Null without any size, unless it covers the screen. */
export function bannerOf(banner: JsonObject, instl: boolean, quirks: Quirks): BannerImp | null {
  const sizes: [number, number][] = [];
  const ratios: BannerImp['ratios'][number][] = [];
  pushSize(sizes, banner, quirks);
  if (!isAbsent(banner['format'])) {
    for (const format of objectsOf(banner['format'], quirks).slice(0, MAX_SIZES)) {
      pushSize(sizes, format, quirks);
      pushRatio(ratios, format, quirks);
    }
  }
  const range = sizes.length === 0 && ratios.length === 0 ? rangeOf(banner, quirks) : null;
  if (sizes.length === 0 && ratios.length === 0 && range === null && !instl) {
    quirks.add('banner_without_size');
    return null;
  }
  return {
    sizes,
    ratios,
    range,
    btype: integersOf(banner['btype'], quirks),
    battr: integersOf(banner['battr'], quirks),
    html: takesHtml(textsOf(banner['mimes'], quirks)),
    api: integersOf(banner['api'], quirks),
    pos: integerOf(banner['pos'], quirks),
  };
}

function pushSize(sizes: [number, number][], from: JsonObject, quirks: Quirks): void {
  const w = amountOf(from['w'], quirks);
  const h = amountOf(from['h'], quirks);
  if (w > 0 && h > 0) sizes.push([w, h]);
}

function pushRatio(ratios: BannerImp['ratios'][number][], from: JsonObject, quirks: Quirks): void {
  const w = amountOf(from['wratio'], quirks);
  const h = amountOf(from['hratio'], quirks);
  if (w > 0 && h > 0) ratios.push({ w, h, wmin: amountOf(from['wmin'], quirks) });
}

/** A range without an upper end could be a whole screen or a strip of it: none. */
function rangeOf(banner: JsonObject, quirks: Quirks): BannerImp['range'] {
  const wmax = amountOf(banner['wmax'], quirks);
  const hmax = amountOf(banner['hmax'], quirks);
  if (wmax === 0 || hmax === 0) return null;
  return { wmin: amountOf(banner['wmin'], quirks), wmax, hmin: amountOf(banner['hmin'], quirks), hmax };
}

/** Sellers list what an HTML banner may show as well as HTML itself; who names nothing takes all. */
function takesHtml(mimes: readonly string[]): boolean {
  for (let at = 0; at < mimes.length; at++) if (SHOWS_HTML.test(mimes[at] as string)) return true;
  return mimes.length === 0;
}

const SHOWS_HTML = /^\s*(text\/(html|javascript)|application\/(xhtml\+xml|javascript)|image\/.*)\s*$/i;

/** Media types in lower case. */
export function mediaTypesOf(media: JsonObject, quirks: Quirks): readonly string[] {
  const mimes = textsOf(media['mimes'], quirks);
  return mimes.length === 0 ? mimes : mimes.map((mime) => mime.trim().toLowerCase());
}
