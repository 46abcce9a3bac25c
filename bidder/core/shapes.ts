import type { LiveCreative } from '../../proto/snapshot.ts';
import type { Imp } from '../openrtb/request.ts';
import { fitsBanner } from './fit-banner.ts';
import type { Banner, Creative } from './line-item.ts';

/** What of a creative can be told apart by rows of bits: creatives of one shape fit the same places, as far as this goes. */
export interface Shape {
  readonly type: LiveCreative['type'];
  readonly secure: boolean;
  /** Of a banner: pixels, and its OpenRTB banner types. */
  readonly w: number;
  readonly h: number;
  readonly kinds: readonly number[];
}

const NO_KINDS: readonly number[] = [];

export function shapeOf(creative: Pick<Creative, 'type' | 'secure'> | Banner): Shape {
  const { type, secure } = creative;
  if (!('w' in creative)) return { type, secure, w: 0, h: 0, kinds: NO_KINDS };
  return { type, secure, w: creative.w, h: creative.h, kinds: creative.kinds };
}

/** Whether a creative of this shape may fit. Never false where it does; `fitCreative` asks exactly. */
export function mayFit(shape: Shape, imp: Imp): boolean {
  if (imp.secure === true && !shape.secure) return false;
  if (shape.type !== 'banner') return imp[shape.type] !== null;
  return imp.banner !== null && fitsBanner(imp.banner, shape);
}

/** Whether a creative of any of the shapes may fit any of the imps. */
export function fitsAny(shapes: readonly Shape[], imps: readonly Imp[]): boolean {
  for (const imp of imps) for (const shape of shapes) if (mayFit(shape, imp)) return true;
  return false;
}
