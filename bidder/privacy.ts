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
  return permissionFor(
    { ...regs, country, limited: limitsTracking({ os, ifa, lmt, dnt, atts, inApp: inventory.kind === 'app' }) },
    consents,
  );
}
