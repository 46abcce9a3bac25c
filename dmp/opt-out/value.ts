const HEADER = 26;
const FORMAT = 2;
const OPTED_OUT = 1;
const HOUR_MS = 3_600_000;

/**
 * The profile value of somebody of whom nothing may be used: format 2 of proto/profile.ts, with the consent bit for that and without
 * memberships. A bidder that knows format 1 alone finds nobody under it.
 */
export function optedOutValue(profile: number, anchor: string, at: number): Buffer {
  const value = Buffer.alloc(HEADER);
  value[0] = FORMAT;
  value[1] = OPTED_OUT;
  value.writeUInt32LE(profile, 2);
  value.write(anchor.replaceAll('-', ''), 6, 'hex');
  value.writeUInt32LE(Math.floor(at / HOUR_MS), 22);
  return value;
}
