import type { Offer } from './case.ts';
import { countOf, isOn, type Json, numberOf, objectsOf, textsOf, wholesOf } from './read.ts';

/** Faults of a banner's size and kind. */
export function judgeBanner({ imp, media, bid }: Offer): string[] {
  const [w, h] = [numberOf(bid['w']) ?? 0, numberOf(bid['h']) ?? 0];
  const faults = w > 0 && h > 0 ? judgeSize(w, h, media, imp) : ['no w and h'];
  const markup = String(bid['adm'] ?? '');
  const kinds = wholesOf(media['btype']);
  if (kinds.includes(2) && kinds.includes(1)) faults.push('btype blocks banners of XHTML');
  if (kinds.includes(3) && /<script\b/i.test(markup)) faults.push('btype blocks scripts');
  if (kinds.includes(4) && /<iframe\b/i.test(markup)) faults.push('btype blocks iframes');
  const mimes = textsOf(media['mimes']);
  if (mimes.length > 0 && !mimes.some(showsHtml)) faults.push(`HTML is none of ${mimes.join(', ')}`);
  return faults;
}

/** Sellers list what an HTML banner may show as well as HTML itself. */
const showsHtml = (mime: string): boolean =>
  /^(text\/html|application\/(xhtml\+xml|javascript)|text\/javascript|image\/.*)$/i.test(mime);

function judgeSize(w: number, h: number, banner: Json, imp: Json): string[] {
  const formats = [banner, ...objectsOf(banner['format'])];
  if (formats.some((format) => isExact(w, h, format) || isRatio(w, h, format))) return [];
  const has = (format: Json, side: string, other: string) => countOf(format[side]) > 0 && countOf(format[other]) > 0;
  const named = formats.some((format) => has(format, 'w', 'h') || has(format, 'wratio', 'hratio'));
  if (!named && isInRange(w, h, banner)) return [];
  if (!named && isOn(imp['instl'])) return [];
  return [`size ${w} × ${h} is not asked for`];
}

const isExact = (w: number, h: number, format: Json): boolean => w === countOf(format['w']) && h === countOf(format['h']);

/** A pixel of rounding is allowed in the height. */
function isRatio(w: number, h: number, format: Json): boolean {
  const [wide, high] = [countOf(format['wratio']), countOf(format['hratio'])];
  if (wide === 0 || high === 0) return false;
  return w >= countOf(format['wmin']) && Math.abs(h - (w * high) / wide) <= 1;
}

/** `wmin` … `hmax` of 2.3. */
function isInRange(w: number, h: number, banner: Json): boolean {
  const [wmax, hmax] = [countOf(banner['wmax']), countOf(banner['hmax'])];
  if (wmax === 0 && hmax === 0) return false;
  const fits = (value: number, least: number, most: number) => value >= least && (most === 0 || value <= most);
  return fits(w, countOf(banner['wmin']), wmax) && fits(h, countOf(banner['hmin']), hmax);
}
