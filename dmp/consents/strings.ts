import { consentHash } from '../../proto/privacy/consent-hash.ts';
import { EU_TCF } from '../../proto/privacy/gpp.ts';
import { type Consents, createConsents, permissionFor } from '../../proto/privacy/permission.ts';
import { purposeBits, tcfSince } from '../../proto/privacy/tcf.ts';
import type { Purpose } from '../sources/purposes.ts';

/** Consent strings that an event carries, as the person's browser or app gave them. */
export interface Strings {
  readonly tcf?: string | undefined;
  readonly gpp?: string | undefined;
  /** Sections of the GPP string that apply. */
  readonly gppSid?: readonly number[] | undefined;
  readonly usPrivacy?: string | undefined;
  /** Global Privacy Control was on. */
  readonly gpc?: boolean | undefined;
}

/** What strings say, in our purposes. What is neither granted nor refused was not asked. */
export interface Said {
  readonly granted: readonly Purpose[];
  readonly refused: readonly Purpose[];
  /** Nothing of the event may be stored: nobody allowed us to, or what was allowed cannot be read. Of this event alone. */
  readonly withheld: boolean;
  /** It is withheld since there is a TCF string and no vendor id of ours to read it for: the operator's to mend, not the person's. */
  readonly unaddressed: boolean;
  /** The place may not be used. */
  readonly placeless: boolean;
  /** When it was said, epoch ms; null: the strings do not tell. */
  readonly at: number | null;
  readonly document: 'TCF' | 'GPP' | 'us_privacy' | 'GPC';
  /** By which the strings are known, see `consentHash`. */
  readonly hash: string;
}

const readers = new Map<number, Consents>();

/** The TCF's purposes that are ours; storage is of the one event, not a word of the person for all that others bring. */
const BY_TCF: readonly (readonly [Purpose, number])[] = [
  ['ads', purposeBits(2)],
  ['profiles', purposeBits(3)],
  ['personalised_ads', purposeBits(4)],
  ['measurement', purposeBits(7)],
  ['statistics', purposeBits(9)],
];
const STORAGE = purposeBits(1);

/**
 * Reads consent strings for us, by the same readers and the same table as the bidder. A TCF string grants and refuses purpose by
 * purpose; the other laws know refusals only. A string that does not speak of us (no vendor id, not disclosed, not readable) is no
 * word of the person: it withholds the event.
 */
export function saidBy(strings: Strings, vendor: number): Said {
  const { tcf = '', gpp = '', gppSid = [], usPrivacy = '', gpc = false } = strings;
  const consents = readers.get(vendor) ?? createConsents(vendor);
  readers.set(vendor, consents);
  const texts = tcf === '' ? [] : [tcf];
  if (gppSid.includes(EU_TCF)) texts.push(consents.gpp(gpp)?.get(EU_TCF) ?? '');
  const granted = new Set<Purpose>();
  const refused = new Set<Purpose>();
  let withheld = false;
  for (const text of texts) {
    const consent = consents.tcf(text);
    if (consent === null || consent.vendor === 'not_disclosed' || vendor <= 0) {
      withheld = true;
      continue;
    }
    if ((consent.purposes & STORAGE) === 0) withheld = true;
    for (const [purpose, bits] of BY_TCF) ((consent.purposes & bits) === 0 ? refused : granted).add(purpose);
    (consent.preciseLocation ? granted : refused).add('location');
  }
  const signals = { coppa: false, gdpr: false, country: '', consent: '', limited: false };
  const gppSections = gppSid.filter((section) => section !== EU_TCF);
  const rest = permissionFor({ ...signals, usPrivacy, gpp, gppSections, gpc }, consents);
  if (rest.childOnly || !rest.bid) refused.add('ads');
  if (!rest.profile) refused.add('profiles').add('personalised_ads');
  if (!rest.measure) refused.add('measurement');
  if (!rest.preciseLocation) refused.add('location');
  return {
    granted: [...granted].filter((purpose) => !refused.has(purpose)),
    refused: [...refused],
    withheld,
    unaddressed: texts.length > 0 && vendor <= 0,
    placeless: refused.has('location'),
    at: texts.length === 0 ? null : Math.max(...texts.map((text) => tcfSince(text) ?? 0)) || null,
    document: tcf !== '' ? 'TCF' : gpp !== '' ? 'GPP' : usPrivacy !== '' ? 'us_privacy' : 'GPC',
    hash: consentHash({ consent: tcf, gpp, usPrivacy }),
  };
}
