import { encodeProfile, hourOf, OPTED_OUT } from '../../proto/profile.ts';

/** The profile value of somebody of whom nothing may be used: the consent bit for that, and no memberships. */
export function optedOutValue(profile: number, anchor: string, at: number, sequence: number): Buffer {
  return encodeProfile({ profile, anchor, consent: OPTED_OUT, hour: hourOf(at), memberships: [], sequence });
}
