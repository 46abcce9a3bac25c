import { CANADA_TCF, EU_TCF, type GppSections, readGpp, US_PRIVACY } from './gpp.ts';
import { type CanadaConsent, readCanada } from './gpp-canada.ts';
import { isUsSection, readUs, type UsConsent } from './gpp-us.ts';
import { remember } from './memory.ts';
import { MAY_BE_CONTEXTUAL, PRIVACY_REASONS, type PrivacyReason, type Remains, TABLE, WITHOUT_CONSENT } from './table.ts';
import { purposeBits, readTcf, type TcfConsent } from './tcf.ts';
import { readUsPrivacy } from './us-privacy.ts';

/** What the law and the person allow, decided before anything is read. */
export interface Permission {
  readonly bid: boolean;
  /** Only for line items that are marked as safe for children. */
  readonly childOnly: boolean;
  /** The person may be named in events and notices. */
  readonly identifiers: boolean;
  /** A profile may be read. */
  readonly profile: boolean;
  /** Whose impressions may be counted; null: nobody's. `own`: under our id only; `day`: under the exchange's, within the day. */
  readonly caps: 'person' | 'own' | 'day' | null;
  /** The coordinates of this request may be used. */
  readonly preciseLocation: boolean;
  /** What tells where the person was may be kept with the event. */
  readonly storeLocation: boolean;
  /** Visits and purchases may be attributed. */
  readonly measure: boolean;
  /** Ids may be matched with others'. */
  readonly sync: boolean;
  readonly why: PrivacyReason;
}

/** What a request, or a call of user sync, says of privacy. */
export interface PrivacySignals {
  readonly coppa: boolean;
  /** Null where nothing says so; then GDPR applies by the country. */
  readonly gdpr: boolean | null;
  /** Upper case, alpha-3 or alpha-2, '' unknown. */
  readonly country: string;
  readonly consent: string;
  readonly usPrivacy: string;
  readonly gpp: string;
  readonly gppSections: readonly number[];
  readonly gpc: boolean;
  /** See `limitsTracking`. */
  readonly limited: boolean;
}

/** Reads consent strings for one vendor, each once. */
export interface Consents {
  tcf(text: string): TcfConsent | null;
  canada(text: string): CanadaConsent | null;
  us(section: number, text: string): UsConsent | null;
  gpp(text: string): GppSections | null;
  /** Whether contextual ads are bid where GDPR applies and we have no consent. */
  readonly contextual: boolean;
}

/** `vendor`: our id in the Global Vendor List, 0 = none. */
export function createConsents(vendor: number, contextual = false): Consents {
  // A Map's miss and a remembered null look alike, so what cannot be read is kept in a box.
  const tcf = remember((text) => ({ read: readTcf(text, vendor) }));
  const canada = remember((text) => ({ read: readCanada(text, vendor) }));
  const gpp = remember((text) => ({ read: readGpp(text) }));
  return {
    tcf: (text) => tcf(text).read,
    canada: (text) => canada(text).read,
    us: readUs,
    gpp: (text) => gpp(text).read,
    contextual,
  };
}

/** Consents of an operator who is not in the Global Vendor List. */
export const NO_VENDOR: Consents = createConsents(0);

/**
 * Where GDPR applies unless the request says otherwise: the EEA with the regions that have codes of their own, and the United
 * Kingdom; in both forms that senders use.
 */
const GDPR_COUNTRIES = new Set(
  (
    'AUT BEL BGR HRV CYP CZE DNK EST FIN FRA DEU GRC HUN IRL ITA LVA LTU LUX MLT NLD POL PRT ROU SVK SVN ESP SWE ISL LIE NOR GBR ' +
    'AT BE BG HR CY CZ DK EE FI FR DE GR HU IE IT LV LT LU MT NL PL PT RO SK SI ES SE IS LI NO GB ' +
    'ALA GLP GUF MTQ MYT REU MAF GIB AX GP GF MQ YT RE MF GI'
  ).split(' '),
);

const STORAGE = purposeBits(1);
const ADS = purposeBits(2);
const PROFILE = purposeBits(3, 4);
const MEASUREMENT = purposeBits(7);
const ALL = STORAGE | ADS | PROFILE | MEASUREMENT;

/** The present section and that of TCF 1. Of the others below Canada's, 3 and 4 are no signals: the header and integrity. */
const TCF_BITS = (1 << EU_TCF) | (1 << 1);
/** Above all sections that exist; below 31, so that sections fit the bits of a number. */
const UNKNOWN_SECTION = 30;

/** Applies the table to what is said. Pure but for the memory of `consents`; never throws. */
export function permissionFor(signals: PrivacySignals, consents: Consents): Permission {
  const found = new Situations(consents.contextual);
  if (signals.coppa) found.add('coppa');
  if (signals.limited) found.add('limited_tracking');
  if (signals.gpc) found.add('gpc');
  addUsPrivacy(found, signals.usPrivacy);
  const hasTcfSection = addGpp(found, signals, consents);
  if (hasTcfSection) found.add('gdpr_consent');
  else if (signals.gdpr ?? GDPR_COUNTRIES.has(signals.country)) addTcf(found, signals.consent, consents);
  return found.permission();
}

const BITS = Object.fromEntries(PRIVACY_REASONS.map((reason, at) => [reason, 2 ** at])) as Readonly<
  Record<PrivacyReason, number>
>;

/** Situations that hold at once: only what all of them leave remains. */
class Situations {
  #bits = 0;
  readonly #contextual: boolean;

  constructor(contextual: boolean) {
    this.#contextual = contextual;
  }

  add(reason: PrivacyReason): void {
    this.#bits |= BITS[reason];
  }

  /** The same situations leave the same: worked out once (2.6 of the 2.9 µs that a request without consent strings took). */
  permission(): Permission {
    const known = this.#contextual ? WITH_CONTEXTUAL : WITHOUT_CONTEXTUAL;
    let permission = known.get(this.#bits);
    if (permission === undefined) {
      if (known.size >= MOST_KNOWN) known.clear();
      permission = Object.freeze(permissionIn(this.#bits, this.#contextual));
      known.set(this.#bits, permission);
    }
    return permission;
  }
}

const MOST_KNOWN = 1_000;
const WITH_CONTEXTUAL = new Map<number, Permission>();
const WITHOUT_CONTEXTUAL = new Map<number, Permission>();

function permissionIn(bits: number, contextual: boolean): Permission {
  let rest: Remains = TABLE.unrestricted;
  let why: PrivacyReason = 'unrestricted';
  for (const reason of PRIVACY_REASONS) {
    if ((bits & BITS[reason]) === 0) continue;
    rest = both(rest, contextual && MAY_BE_CONTEXTUAL.has(reason) ? WITHOUT_CONSENT : TABLE[reason]);
    why = reason;
  }
  const { bid, identifiers, profile, caps, location, measure, sync } = rest;
  return {
    bid: bid !== 'no',
    childOnly: bid === 'child_safe',
    identifiers: identifiers && measure,
    profile,
    caps: caps === 'no' ? null : caps,
    preciseLocation: location !== 'no',
    storeLocation: location === 'kept',
    measure,
    sync,
    why,
  };
}

function both(a: Remains, b: Remains): Remains {
  return {
    when: '',
    bid: a.bid === 'no' || b.bid === 'no' ? 'no' : a.bid === 'yes' ? b.bid : a.bid,
    identifiers: a.identifiers && b.identifiers,
    profile: a.profile && b.profile,
    caps: a.caps === 'person' || a.caps === b.caps ? b.caps : b.caps === 'person' ? a.caps : 'no',
    location: a.location === 'no' || b.location === 'no' ? 'no' : a.location === 'kept' ? b.location : a.location,
    measure: a.measure && b.measure,
    sync: a.sync && b.sync,
  };
}

function addTcf(found: Situations, text: string, consents: Consents): void {
  found.add('gdpr_consent');
  const consent = text === '' ? null : consents.tcf(text);
  if (consent === null) found.add(text === '' ? 'gdpr_no_string' : 'gdpr_unreadable');
  else if (consent.vendor === 'not_disclosed') found.add('gdpr_not_disclosed');
  else if (consent.vendor === 'refused') found.add('gdpr_vendor_refused');
  else addPurposes(found, consent);
}

function addPurposes(found: Situations, { purposes, preciseLocation }: TcfConsent): void {
  if ((purposes & ADS) !== ADS) found.add('gdpr_no_ads');
  if ((purposes & STORAGE) !== STORAGE) found.add('gdpr_no_storage');
  if ((purposes & PROFILE) !== PROFILE) found.add('gdpr_no_profile');
  if ((purposes & MEASUREMENT) !== MEASUREMENT) found.add('gdpr_no_measurement');
  if (!preciseLocation) found.add('gdpr_no_precise_location');
}

function addUsPrivacy(found: Situations, text: string): void {
  const said = readUsPrivacy(text);
  if (said === 'opted_out') found.add('us_opt_out');
  if (said === 'unreadable') found.add('us_unreadable');
}

/** Only the sections that apply. Returns whether the European one does, since then its string has been judged here. */
function addGpp(found: Situations, { gpp, gppSections, consent }: PrivacySignals, consents: Consents): boolean {
  if (gppSections.length === 0) return false;
  const sections = consents.gpp(gpp);
  const applies = sectionBits(gppSections);
  const hasTcf = (applies & TCF_BITS) !== 0;
  if (hasTcf) {
    const text = sections?.get(EU_TCF);
    // The string may also come beside; where both do, both must allow.
    if (text !== undefined) addTcf(found, text, consents);
    if (consent !== '' || text === undefined) addTcf(found, consent, consents);
  }
  for (let section = CANADA_TCF; section <= UNKNOWN_SECTION; section++)
    if ((applies & (1 << section)) !== 0) addSection(found, section, sections?.get(section), consents);
  return hasTcf;
}

/** Bit n = section n, however long and repetitive the list is; ids that do not exist yet are one section that cannot be read. */
function sectionBits(sections: readonly number[]): number {
  let bits = 0;
  for (const section of sections) bits |= 1 << (section < UNKNOWN_SECTION && section >= 0 ? section : UNKNOWN_SECTION);
  return bits;
}

function addSection(found: Situations, section: number, text: string | undefined, consents: Consents): void {
  if (text === undefined) found.add('gpp_unreadable');
  else if (section === CANADA_TCF) addCanada(found, text, consents);
  else if (section === US_PRIVACY) addUsPrivacy(found, text);
  else if (isUsSection(section)) addUs(found, section, text, consents);
  else found.add('gpp_unreadable');
}

function addCanada(found: Situations, text: string, consents: Consents): void {
  const consent = consents.canada(text);
  if (consent === null || (consent.purposes & ALL) !== ALL) found.add('canada_refused');
  else if (!consent.preciseLocation) found.add('canada_no_precise_location');
}

function addUs(found: Situations, section: number, text: string, consents: Consents): void {
  const consent = consents.us(section, text);
  if (consent === null) found.add('gpp_unreadable');
  else {
    if (consent.optedOut) found.add('gpp_opt_out');
    if (consent.refusesLocation) found.add('us_sensitive_location');
    if (consent.knownChild) found.add('known_child');
  }
}
