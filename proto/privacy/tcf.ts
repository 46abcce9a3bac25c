import { Bits } from './bits.ts';

/**
 * What a TCF 2.x string allows one vendor (IAB Europe, "TC string format" v2 with the disclosed-vendors segment of TCF 2.3).
 * Read here and not by a model of the whole string: only one vendor counts, and a string of 8 KB may name 100 million vendors in
 * ranges, which a set of them would take seconds to hold. Tests compare with `@iabtechlabtcf/core`.
 */
export interface TcfConsent {
  /** `allowed`: by a vendor bit. `not_disclosed`: the person was never shown this vendor, so nothing in the string counts. */
  readonly vendor: 'allowed' | 'refused' | 'not_disclosed';
  /** Purposes that the vendor has a legal basis for: bit n = purpose n. */
  readonly purposes: number;
  /** Special feature 1, precise geolocation. */
  readonly preciseLocation: boolean;
}

/** Longer than any real one (all vendors disclosed take 300 characters); what is longer is not read. */
export const LONGEST_STRING = 8_192;
/** Strings made since then must have the disclosed-vendors segment. */
export const DISCLOSURE_SINCE = Date.UTC(2026, 2, 1);

const DISCLOSED_VENDORS = 1;
/** Purposes that may rest on legitimate interest; since 2.2 those of a profile never, and purpose 1 never could. */
const INTEREST = purposeBits(2, 7, 8, 9, 10, 11);

export function purposeBits(...purposes: readonly number[]): number {
  return purposes.reduce((bits, purpose) => bits | (1 << purpose), 0);
}

/** Null where the string cannot be read: that is a refusal. Never throws. */
export function readTcf(text: string, vendor: number): TcfConsent | null {
  if (text === '' || text.length > LONGEST_STRING) return null;
  const [core = '', ...segments] = text.split('.');
  const consent = readCore(core, vendor);
  if (consent === null) return null;
  let disclosed: boolean | null = null;
  for (const segment of segments) {
    const bits = new Bits(segment);
    if (bits.int(3) !== DISCLOSED_VENDORS || bits.broken) continue;
    disclosed = names(bits, vendor) && disclosed !== false;
    if (bits.broken) return null;
  }
  const { since, ...rest } = consent;
  if (vendor <= 0) return { ...rest, vendor: 'refused', purposes: 0 };
  return (disclosed ?? since < DISCLOSURE_SINCE) ? rest : { ...rest, vendor: 'not_disclosed', purposes: 0 };
}

/** When a TCF string was made or changed last, epoch ms; null where it cannot be read. */
export function tcfSince(text: string): number | null {
  const bits = new Bits(text.slice(0, LONGEST_STRING).split('.', 1)[0] ?? '');
  if (bits.int(6) !== 2) return null;
  const since = Math.max(bits.int(36), bits.int(36)) * 100;
  return bits.broken ? null : since;
}

function readCore(text: string, vendor: number): (TcfConsent & { since: number }) | null {
  const bits = new Bits(text);
  if (bits.int(6) !== 2) return null;
  // Deciseconds. The later of creation and update: what was written then must have been written as was demanded then.
  const since = Math.max(bits.int(36), bits.int(36)) * 100;
  bits.skip(12 + 12 + 6 + 12 + 12); // CMP, its version, screen, language, vendor list
  const policy = bits.int(6);
  bits.skip(2); // service specific, non-standard texts
  const features = bits.int(12);
  const consents = purposesOf(bits);
  const interests = purposesOf(bits);
  bits.skip(1 + 12); // purpose one treatment, country
  const byConsent = names(bits, vendor);
  const byInterest = names(bits, vendor);
  const restricted = restrictionsOf(bits, vendor);
  if (bits.broken || policy < 2) return null;
  const consented = byConsent ? consents & ~restricted.forbidden & ~restricted.interestOnly : 0;
  const interested = byInterest ? interests & INTEREST & restricted.interestOnly & ~restricted.forbidden : 0;
  return {
    vendor: byConsent || byInterest ? 'allowed' : 'refused',
    // Our purposes are registered under consent, so legitimate interest counts only where the publisher demands it instead.
    purposes: consented | (interested & ~restricted.consentOnly),
    preciseLocation: features >> 11 === 1,
    since,
  };
}

/** 24 bits, the first of which is purpose 1, as bit n = purpose n. */
function purposesOf(bits: Bits): number {
  let purposes = 0;
  for (let purpose = 1; purpose <= 24; purpose++) if (bits.flag()) purposes |= 1 << purpose;
  return purposes;
}

/** Reads a list of vendors, bit field or ranges: whether the vendor is in it. */
export function names(bits: Bits, vendor: number): boolean {
  const most = bits.int(16);
  if (bits.flag()) return namedInRanges(bits, vendor);
  if (vendor < 1 || vendor > most) {
    bits.skip(most);
    return false;
  }
  bits.skip(vendor - 1);
  const named = bits.flag();
  bits.skip(most - vendor);
  return named;
}

function namedInRanges(bits: Bits, vendor: number): boolean {
  let named = false;
  for (let left = bits.int(12); left > 0 && !bits.broken; left--) {
    const isRange = bits.flag();
    const first = bits.int(16);
    const last = isRange ? bits.int(16) : first;
    if (last < first) bits.broken = true;
    if (first <= vendor && vendor <= last) named = true;
  }
  return named;
}

/** Publisher restrictions that name the vendor, as purposes by their type. */
function restrictionsOf(bits: Bits, vendor: number) {
  let forbidden = 0;
  let consentOnly = 0;
  let interestOnly = 0;
  for (let left = bits.int(12); left > 0 && !bits.broken; left--) {
    const purpose = bits.int(6);
    const type = bits.int(2);
    if (!namedInRanges(bits, vendor) || purpose > 24) continue;
    if (type === 0) forbidden |= 1 << purpose;
    else if (type === 1) consentOnly |= 1 << purpose;
    else if (type === 2) interestOnly |= 1 << purpose;
  }
  return { forbidden, consentOnly, interestOnly };
}
