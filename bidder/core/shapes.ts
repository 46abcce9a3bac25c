import type { LiveCreative } from '../../proto/snapshot.ts';
import type { Imp } from '../openrtb/request.ts';
import type { Banner, Creative } from './index.ts';

/** What of a creative can be told apart by rows of bits: creatives of one shape fit the same places, as far as this goes. */
export interface Shape {
  readonly type: LiveCreative['type'];
  /** Pixels of a banner, else 0. */
  readonly w: number;
  readonly h: number;
  readonly secure: boolean;
}

export function shapeOf(creative: Pick<Creative, 'type' | 'secure'> | Banner): Shape {
  const { type, secure } = creative;
  return 'w' in creative ? { type, w: creative.w, h: creative.h, secure } : { type, w: 0, h: 0, secure };
}

/** Whether a creative of this shape may fit. Never false where it does; `fitCreative` asks exactly. */
export function mayFit({ type, w, h, secure }: Shape, imp: Imp): boolean {
  if (imp.secure === true && !secure) return false;
  if (type !== 'banner') return imp[type] !== null;
  const { banner } = imp;
  if (banner === null) return false;
  const { sizes, ratios, range } = banner;
  if (range !== null || ratios.length > 0 || sizes.length === 0) return true;
  for (let i = 0; i < sizes.length; i++) {
    const size = sizes[i] as readonly [number, number];
    if (size[0] === w && size[1] === h) return true;
  }
  return false;
}
