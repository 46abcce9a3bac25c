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
  if (sizes.length === 0 && ratios.length === 0 && !instl) {
    quirks.add('banner_without_size');
    return null;
  }
  return {
    sizes,
    ratios,
    btype: integersOf(banner['btype'], quirks),
    battr: integersOf(banner['battr'], quirks),
    mimes: mediaTypesOf(banner, quirks),
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

/** Media types in lower case. */
export function mediaTypesOf(media: JsonObject, quirks: Quirks): readonly string[] {
  const mimes = textsOf(media['mimes'], quirks);
  return mimes.length === 0 ? mimes : mimes.map((mime) => mime.trim().toLowerCase());
}
