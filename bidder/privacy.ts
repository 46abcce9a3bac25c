import type { BidRequest } from './openrtb/request.ts';

/**
 * What the law and the person allow, decided before anything is read: whether identifiers and the precise place exist at all
 * for the rest of the path. Pure.
 */
export interface Permission {
  readonly bid: boolean;
  /** A profile may be read, caps kept, and the person named in events and notices. */
  readonly identifiers: boolean;
  /** The coordinates of this request may be used. */
  readonly preciseLocation: boolean;
}

const ALL: Permission = Object.freeze({ bid: true, identifiers: true, preciseLocation: true });
/** The page and the device type only. */
const CONTEXTUAL: Permission = Object.freeze({ bid: true, identifiers: false, preciseLocation: false });
const NONE: Permission = Object.freeze({ bid: false, identifiers: false, preciseLocation: false });

/** Where GDPR applies unless the request says otherwise: EEA and United Kingdom, in both forms that senders use. */
const GDPR_COUNTRIES = new Set(
  (
    'AUT BEL BGR HRV CYP CZE DNK EST FIN FRA DEU GRC HUN IRL ITA LVA LTU LUX MLT NLD POL PRT ROU SVK SVN ESP SWE ISL LIE NOR GBR ' +
    'AT BE BG HR CY CZ DK EE FI FR DE GR HU IE IT LV LT LU MT NL PL PT RO SK SI ES SE IS LI NO GB'
  ).split(' '),
);

/**
 * Consent strings (TCF, GPP) are not decoded yet (an issue of its own), and a string that cannot be read is a refusal: under
 * GDPR, and under any GPP section that applies, nothing but contextual advertising is left.
 */
export function permissionOf(request: BidRequest): Permission {
  const { regs, device } = request;
  if (regs.coppa) return NONE;
  if (regs.gdpr ?? GDPR_COUNTRIES.has(device.country)) return CONTEXTUAL;
  if (regs.gppSections.length > 0 || optedOutOfSale(regs.usPrivacy)) return CONTEXTUAL;
  return device.lmt || device.dnt ? CONTEXTUAL : ALL;
}

/** IAB us_privacy string "1YYN": the third character says opted out of sale. */
function optedOutOfSale(usPrivacy: string): boolean {
  return usPrivacy.charAt(2).toUpperCase() === 'Y';
}
