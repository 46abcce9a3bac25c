import { encodeProfile, hourOf, type PublishedProfile } from '../../../proto/profile.ts';

const ANCHOR = '00000000-0000-8000-8000-000000000001';
const DAY_HOURS = 24;

/** A profile value with these segments, published at `now`, entered a day before and good for a day. */
export function profileValue(segments: readonly number[], now: number, more: Partial<PublishedProfile> = {}): Buffer {
  const hour = hourOf(now);
  const memberships = [...segments]
    .sort((a, b) => a - b)
    .map((segment) => ({ segment, since: hour - DAY_HOURS, until: hour + DAY_HOURS }));
  return encodeProfile({ profile: 1, anchor: ANCHOR, consent: 0, hour, memberships, ...more });
}
