import { limitsTracking } from '../proto/privacy/ids.ts';
import { type Consents, NO_VENDOR, type Permission, permissionFor } from '../proto/privacy/permission.ts';
import type { BidRequest } from './openrtb/request.ts';

export type { Permission } from '../proto/privacy/permission.ts';

/**
 * What the law and the person allow, decided before anything is read: whether identifiers and the precise place exist at all
 * for the rest of the path. See docs/privacy.md.
 */
export function permissionOf({ regs, device, inventory }: BidRequest, consents: Consents = NO_VENDOR): Permission {
  const { os, ifa, lmt, dnt, atts, country } = device;
  const { coppa, gdpr, consent, usPrivacy, gpp, gppSections, gpc } = regs;
  const limited = limitsTracking({ os, ifa, lmt, dnt, atts, inApp: inventory.kind === 'app' });
  // Field by field: a spread of an object took 1.8 of the 2.7 µs.
  return permissionFor({ coppa, gdpr, consent, usPrivacy, gpp, gppSections, gpc, country, limited }, consents);
}
