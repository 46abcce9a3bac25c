import { Bits } from './bits.ts';
import { LONGEST_STRING } from './tcf.ts';

/** Sections of a GPP string by id, as they stand in it, not read. */
export type GppSections = ReadonlyMap<number, string>;

const GPP_HEADER = 3;
/** Far above the highest id that exists: what names more is not a header. */
const HIGHEST_SECTION = 1_000;

export const EU_TCF = 2;
export const CANADA_TCF = 5;
export const US_PRIVACY = 6;

/**
 * Parts of a GPP string (Global Privacy Platform 1.x): a header that lists the sections' ids, and the sections, joined by `~`.
 * Null where it cannot be read: that is a refusal. Never throws. Read here and not by a model of the whole string, because ids
 * are in Fibonacci code, in which a header of 20 characters can name a range of a million millions.
 */
export function readGpp(text: string): GppSections | null {
  if (text.length > LONGEST_STRING) return null;
  const [header = '', ...sections] = text.split('~');
  const ids = sectionIds(header);
  if (ids === null || ids.length !== sections.length) return null;
  return new Map(ids.map((id, at) => [id, sections[at] as string]));
}

/** Type 3, version 1, then ranges of ids in Fibonacci code of differences. */
function sectionIds(header: string): number[] | null {
  const bits = new Bits(header);
  if (bits.int(6) !== GPP_HEADER || bits.int(6) !== 1) return null;
  const ids: number[] = [];
  let last = 0;
  for (let left = bits.int(12); left > 0 && !bits.broken; left--) {
    const isRange = bits.flag();
    const first = last + bits.fibonacci();
    last = isRange ? first + bits.fibonacci() : first;
    if (last > HIGHEST_SECTION) return null;
    for (let id = first; id <= last; id++) ids.push(id);
  }
  return bits.broken ? null : ids;
}
