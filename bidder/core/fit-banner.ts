import type { BannerImp } from '../openrtb/request.ts';
import type { Banner } from './line-item.ts';

/** OpenRTB 2.6, 3.2.6. Whether our HTML may stand in the place; attributes are asked elsewhere. */
export function fitsBanner(imp: BannerImp, creative: Pick<Banner, 'w' | 'h' | 'kinds'>): boolean {
  if (!imp.html || !hasSize(imp, creative)) return false;
  for (const type of creative.kinds) if (imp.btype.includes(type)) return false;
  return true;
}

/** Of the usual sizes the smallest that can stand alone on a screen. */
const LEAST_INTERSTITIAL = [300, 250] as const;

/** An exact size, a shape with a least width, or a range. A place without any is a whole screen. */
function hasSize({ sizes, ratios, range }: BannerImp, { w, h }: Pick<Banner, 'w' | 'h'>): boolean {
  if (range !== null) return w >= range.wmin && w <= range.wmax && h >= range.hmin && h <= range.hmax;
  if (sizes.length === 0 && ratios.length === 0) return w >= LEAST_INTERSTITIAL[0] && h >= LEAST_INTERSTITIAL[1];
  // By index: to take a pair apart by its iterator took longer than to compare it.
  for (let at = 0; at < sizes.length; at++) {
    const size = sizes[at] as (typeof sizes)[number];
    if (size[0] === w && size[1] === h) return true;
  }
  for (const ratio of ratios) if (w >= ratio.wmin && Math.abs((w * ratio.h) / ratio.w - h) < 1) return true;
  return false;
}
