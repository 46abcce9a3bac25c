/**
 * The compact profile value that the segmenter publishes per identifier and the bidder reads:
 *
 *   byte 0      format = 1
 *   byte 1      flags, 0 for now
 *   bytes 2-5   profile, UInt32 little endian
 *   bytes 6-21  anchor: the key of the identifier that first made the profile (a UUID's 16 bytes)
 *   then        segment numbers, ascending, as LEB128 varints of the differences
 */
export interface PublishedProfile {
  readonly profile: number;
  readonly anchor: string;
  /** Ascending segment numbers. */
  readonly segments: readonly number[];
}

const FORMAT = 1;
const HEADER = 22;

export function encodeProfile(profile: PublishedProfile): Buffer {
  const value = Buffer.allocUnsafe(HEADER + profile.segments.length * 5);
  value[0] = FORMAT;
  value[1] = 0;
  value.writeUInt32LE(profile.profile, 2);
  value.write(profile.anchor.replaceAll('-', ''), 6, 'hex');
  let end = HEADER;
  let previous = 0;
  for (const segment of profile.segments) {
    let delta = segment - previous;
    previous = segment;
    while (delta > 127) {
      value[end++] = (delta & 127) | 128;
      delta >>>= 7;
    }
    value[end++] = delta;
  }
  return value.subarray(0, end);
}

/** Null where the value is of another format or cut short: such a person is treated as unknown. */
export function decodeProfile(value: Buffer): PublishedProfile | null {
  if (value.length < HEADER || value[0] !== FORMAT) return null;
  const hex = value.toString('hex', 6, HEADER);
  const anchor = `${hex.slice(0, 8)}-${hex.slice(8, 12)}-${hex.slice(12, 16)}-${hex.slice(16, 20)}-${hex.slice(20)}`;
  const segments: number[] = [];
  let previous = 0;
  for (let at = HEADER; at < value.length; ) {
    let delta = 0;
    let shift = 0;
    let byte = 0;
    do {
      if (at >= value.length || shift > 28) return null;
      byte = value[at++] as number;
      delta += (byte & 127) * 2 ** shift;
      shift += 7;
    } while (byte > 127);
    previous += delta;
    segments.push(previous);
  }
  return { profile: value.readUInt32LE(2), anchor, segments };
}
