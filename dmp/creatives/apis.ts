import type { Creative } from '../campaigns/creative.ts';

/** MRAID 1, 2 and 3 (OpenRTB List: API Frameworks). */
const MRAID = [3, 5, 6];
/** Who loads the script of the container asks for it: without one it does not run. */
const LOADS_MRAID = /<script\b[^>]*\bsrc\s*=\s*["']?[^"'>]*\bmraid\.js(?![\w.])/i;

/** APIs of which a place must offer one so that the creative works there: as declared, else as its markup shows; none: empty. */
export function apisOf({ apis, html = '' }: Pick<Creative, 'apis' | 'html'>): readonly number[] {
  return apis ?? (LOADS_MRAID.test(html) ? MRAID : []);
}
