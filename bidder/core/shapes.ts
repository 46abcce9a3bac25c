import type { Shape } from '../../proto/shapes.ts';
import type { Imp } from '../openrtb/request.ts';
import { fitsBanner } from './fit-banner.ts';

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
