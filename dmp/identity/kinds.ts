import { IDENTIFIER_KINDS, type IdentifierKind } from '../../proto/identifier.ts';

/** What an edge says its two ends have in common, from the closest to the loosest. */
export const LEVELS = ['device', 'person', 'household'] as const;
export type Level = (typeof LEVELS)[number];

/** How identifiers of a kind are taken when it is resolved who is who. docs/identity.md tells why. */
export interface KindTerms {
  readonly level: Level;
  /** Days that an edge with it holds after it was last brought in; of two kinds the shorter counts. */
  readonly days: number;
  /** Of an edge with it, 0 to 1; of two kinds the lesser counts. */
  readonly confidence: number;
  /** Another identifier that is joined with more of this kind is shared, and joins nobody. */
  readonly most: number;
}

const DEVICE = { level: 'device', days: 365, confidence: 1, most: 20 } as const;
const PERSON = { level: 'person', days: 1_095, confidence: 1, most: 5 } as const;

export const KIND_TERMS: Readonly<Record<IdentifierKind | '', KindTerms>> = {
  // Named by a bid request; by what is not known.
  '': { ...DEVICE, days: 180, most: 50 },
  ifa: DEVICE,
  exchange: { ...DEVICE, days: 180, confidence: 0.95, most: 100 },
  cookie: { ...DEVICE, days: 180, confidence: 0.95, most: 50 },
  mac: { ...DEVICE, confidence: 0.9 },
  loyalty: PERSON,
  card: { ...PERSON, most: 20 },
  customer: PERSON,
  email: PERSON,
  phone: PERSON,
  email_uid2: PERSON,
  email_google: PERSON,
  email_meta: PERSON,
  email_yandex: PERSON,
  phone_uid2: PERSON,
  phone_google: PERSON,
  phone_meta: PERSON,
  phone_yandex: PERSON,
  ip: { level: 'household', days: 30, confidence: 0.3, most: 50 },
};

/** A network with more identifiers of one kind behind it is an office, a café or a carrier, and no household. */
export const MOST_AT_HOME = 10;
/** An edge of less confidence makes nobody one person; it counts for households only. */
export const CERTAIN = 0.8;
/** Identifiers of one device, one person, one household. */
export const MOST_OF: Readonly<Record<Level, number>> = { device: 100, person: 100, household: 300 };

/** Kinds by number, as they are read from the warehouse; 0 is the kind that is not known. */
export const KIND_NAMES: readonly (IdentifierKind | '')[] = ['', ...IDENTIFIER_KINDS];
export const KIND_CODES: readonly number[] = KIND_NAMES.map((_, code) => code);

/** Raised with every change of what is above: everybody is resolved anew. */
export const RULES_VERSION = 2;
