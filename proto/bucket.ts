import murmur from 'murmurhash3js-revisited';

/** Slots under a salt; a holdout takes the first `share` of them, so a share is counted in hundredths of a percent. */
export const BUCKETS = 10_000;

const encoder = new TextEncoder();

/**
 * The slot (0…9999) of a person under a salt. `anchor` is the key of the identifier that first made the profile, so the slot
 * does not change when an unknown device becomes a known person. Equal to ClickHouse
 * `murmurHash3_32(concat(salt, ':', anchor)) % 10000`, so no state is stored.
 */
export function bucketOf(anchor: string, salt: string): number {
  return murmur.x86.hash32(encoder.encode(`${salt}:${anchor}`)) % BUCKETS;
}

/** Whether a person is held out: `share` in hundredths of a percent, 0…10000. */
export function isHeldOut(anchor: string, salt: string, share: number): boolean {
  return share > 0 && bucketOf(anchor, salt) < share;
}
