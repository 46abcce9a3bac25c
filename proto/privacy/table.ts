/**
 * What remains of a bid in each situation. The rows are printed in docs/privacy.md, and a test keeps both equal. Where several
 * situations hold, only what all of them leave remains, and `why` is the last of them in this order.
 */
export interface Remains {
  readonly when: string;
  /** `child_safe`: only line items that are marked so. */
  readonly bid: 'yes' | 'child_safe' | 'no';
  /** The person may be named: in events and notices, and to whoever syncs. */
  readonly identifiers: boolean;
  /** Profile, segments and holdout may be read. */
  readonly profile: boolean;
  /** Whose impressions may be counted: the person's; only under our own id; only under the exchange's id, within the day. */
  readonly caps: 'person' | 'own' | 'day' | 'no';
  /** The precise place: kept with the event; used for this request and then forgotten; not used. */
  readonly location: 'kept' | 'request' | 'no';
  /** Visits and purchases may be attributed to the impression. */
  readonly measure: boolean;
  readonly sync: boolean;
}

type Rest = Omit<Remains, 'when'>;

const FULL: Rest = {
  bid: 'yes',
  identifiers: true,
  profile: true,
  caps: 'person',
  location: 'kept',
  measure: true,
  sync: true,
};
const CONTEXTUAL: Rest = {
  bid: 'yes',
  identifiers: false,
  profile: false,
  caps: 'no',
  location: 'no',
  measure: false,
  sync: false,
};
const OPTED_OUT: Rest = { ...CONTEXTUAL, caps: 'own' };
const CHILD: Rest = { ...CONTEXTUAL, bid: 'child_safe' };
const NOTHING: Rest = { ...CONTEXTUAL, bid: 'no' };

/** From what takes least to what takes most: the order says which situation is told where several hold. */
export const TABLE = {
  unrestricted: { when: 'no law applies and tracking is not limited', ...FULL },
  gdpr_consent: { when: 'GDPR: our vendor, purposes 1, 2, 3, 4, 7 and special feature 1 are allowed and disclosed', ...FULL },
  us_sensitive_location: { when: 'a US section of GPP: precise geolocation refused', ...FULL, location: 'no', measure: false },
  canada_no_precise_location: { when: 'TCF Canada: without special feature 1', ...FULL, location: 'no' },
  gdpr_no_precise_location: { when: 'GDPR: without special feature 1', ...FULL, location: 'no' },
  gdpr_no_measurement: { when: 'GDPR: without purpose 7', ...FULL, measure: false },
  gdpr_no_profile: { when: 'GDPR: without purpose 3 or 4', ...FULL, profile: false, location: 'request', sync: false },
  limited_tracking: {
    when: 'lmt or dnt, a refused tracking state (atts), a zeroed or on iOS missing advertising id',
    ...CONTEXTUAL,
    caps: 'day',
    location: 'request',
  },
  us_opt_out: { when: 'us_privacy: opted out of sale', ...OPTED_OUT },
  us_unreadable: { when: 'us_privacy that cannot be read', ...OPTED_OUT },
  gpc: { when: 'Global Privacy Control said by the request', ...OPTED_OUT },
  gpp_opt_out: { when: 'a US section of GPP: opted out of sale, sharing or targeted advertising, or GPC', ...OPTED_OUT },
  gpp_unreadable: { when: 'a section of GPP applies that is missing, unknown or cannot be read', ...OPTED_OUT },
  canada_refused: { when: 'TCF Canada: our vendor or one of the purposes 1, 2, 3, 4, 7 refused, or unreadable', ...CONTEXTUAL },
  gdpr_no_storage: { when: 'GDPR: without purpose 1', ...CONTEXTUAL, location: 'request' },
  known_child: { when: 'a US section of GPP: a known child', ...CHILD },
  coppa: { when: 'COPPA', ...CHILD },
  gdpr_no_ads: { when: 'GDPR: without purpose 2', ...NOTHING },
  gdpr_vendor_refused: { when: 'GDPR: our vendor refused, or we have no vendor id', ...NOTHING },
  gdpr_not_disclosed: { when: 'GDPR: our vendor not disclosed, or a string since March 2026 that discloses none', ...NOTHING },
  gdpr_no_string: { when: 'GDPR: no consent string', ...NOTHING },
  gdpr_unreadable: { when: 'GDPR: a consent string that cannot be read', ...NOTHING },
} as const satisfies Record<string, Remains>;

/**
 * The situations of GDPR in which an operator may choose to bid all the same, on the page and the device type alone: nothing of
 * the person is read, kept or told then.
 */
export const MAY_BE_CONTEXTUAL: ReadonlySet<PrivacyReason> = new Set([
  'gdpr_vendor_refused',
  'gdpr_not_disclosed',
  'gdpr_no_string',
  'gdpr_unreadable',
]);
export const WITHOUT_CONSENT: Remains = { when: '', ...CONTEXTUAL };

/** Why a permission is what it is: closed list, in metrics and in each ad event. */
export type PrivacyReason = keyof typeof TABLE;

export const PRIVACY_REASONS = Object.keys(TABLE) as PrivacyReason[];
