import { Bits } from './bits.ts';
import { names } from './tcf.ts';

/** What section 5 of a GPP string (TCF Canada 1.x) allows one vendor. Null where it cannot be read: that is a refusal. */
export interface CanadaConsent {
  /** Purposes with express or implied consent, where the vendor has either: bit n = purpose n. */
  readonly purposes: number;
  /** Special feature 1, which needs express consent. */
  readonly preciseLocation: boolean;
}

export function readCanada(text: string, vendor: number): CanadaConsent | null {
  const [core = ''] = text.split('.');
  const bits = new Bits(core);
  if (bits.int(6) !== 1) return null;
  bits.skip(36 + 36 + 12 + 12 + 6 + 12 + 12 + 6 + 1);
  const features = bits.int(12);
  let purposes = 0;
  for (let at = 0; at < 48; at++) if (bits.flag()) purposes |= 1 << ((at % 24) + 1);
  const express = listNames(bits, vendor);
  const implied = listNames(bits, vendor);
  if (bits.broken) return null;
  return { purposes: vendor > 0 && (express || implied) ? purposes : 0, preciseLocation: features >> 11 === 1 };
}

/**
 * A list of vendors as the specification has it, with ranges in Fibonacci code of differences; older encoders wrote them as in
 * the European string. The highest vendor stands before the list, so the reading that ends with it is the right one.
 */
function listNames(bits: Bits, vendor: number): boolean {
  const mark = bits.mark();
  const most = bits.int(16);
  if (!bits.flag()) {
    bits.back(mark);
    return names(bits, vendor);
  }
  let named = false;
  let last = 0;
  for (let left = bits.int(12); left > 0 && !bits.broken; left--) {
    const isRange = bits.flag();
    const first = last + bits.fibonacci();
    last = isRange ? first + bits.fibonacci() : first;
    if (first <= vendor && vendor <= last) named = true;
  }
  if (last === most && !bits.broken) return named;
  bits.back(mark);
  return names(bits, vendor);
}
