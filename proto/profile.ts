/**
 * The compact profile value that the segmenter publishes per identifier and the bidder reads. Format 2:
 *
 *   byte 0       format = 2
 *   byte 1       consent bits, see `OPTED_OUT`
 *   bytes 2-5    profile, UInt32 little endian
 *   bytes 6-21   anchor: the key of the identifier that first made the profile (a UUID's 16 bytes)
 *   bytes 22-25  base: the hour of publication, in hours since the epoch, UInt32 little endian
 *   then         for each segment, ascending, three LEB128 varints: the difference to the segment before (at least 1); hours from
 *                entering to the base plus 1, or 0 where that is not known; hours from the base to the end of the membership
 *
 * A membership ends by itself, so that a publisher that stands still leaves nobody in segments for ever. Format 1 ends its header
 * before the base and has only the differences: its memberships have no known beginning and no end.
 */
export interface PublishedProfile {
  readonly profile: number;
  readonly anchor: string;
  /** Consent bits. */
  readonly consent: number;
  /** Hour of publication, since the epoch. */
  readonly hour: number;
  /** Ascending by segment. */
  readonly memberships: readonly Membership[];
}

/** Hours since the epoch. */
export interface Membership {
  readonly segment: number;
  /** When it was entered, null: not known. */
  readonly since: number | null;
  /** From this hour on it no longer counts. */
  readonly until: number;
}

/** Consent bit: nothing of this person may be used, as if the law forbade to ask. */
export const OPTED_OUT = 1;

/** An age that is not known, or longer than this number of hours (7 years). */
export const UNKNOWN_AGE = 0xffff;

const FORMAT = 2;
const FORMAT_BEFORE = 1;
const HEADER = 26;
const HEADER_BEFORE = 22;
const HOUR_MS = 3_600_000;
/** Longest run of varints of one membership. */
const MEMBERSHIP_BYTES = 15;

export function hourOf(at: number): number {
  return Math.floor(at / HOUR_MS);
}

export function encodeProfile({ profile, anchor, consent, hour, memberships }: PublishedProfile): Buffer {
  const value = Buffer.allocUnsafe(HEADER + memberships.length * MEMBERSHIP_BYTES);
  value[0] = FORMAT;
  value[1] = consent;
  value.writeUInt32LE(profile, 2);
  value.write(anchor.replaceAll('-', ''), 6, 'hex');
  value.writeUInt32LE(hour, 22);
  let end = HEADER;
  let previous = 0;
  for (const { segment, since, until } of memberships) {
    end = writeVarint(value, end, segment - previous);
    end = writeVarint(value, end, since === null ? 0 : Math.max(0, hour - since) + 1);
    end = writeVarint(value, end, Math.max(0, until - hour));
    previous = segment;
  }
  return value.subarray(0, end);
}

function writeVarint(value: Buffer, at: number, number: number): number {
  let end = at;
  let rest = number;
  while (rest > 127) {
    value[end++] = (rest & 127) | 128;
    rest >>>= 7;
  }
  value[end++] = rest;
  return end;
}

/** Takes memberships as they are read. */
export interface MembershipVisitor {
  /** `age`: whole hours since the segment was entered, `UNKNOWN_AGE` where that is not known. */
  take(segment: number, age: number): void;
}

const NOTHING: MembershipVisitor = { take: () => undefined };

/** Whether a value is whole and of a format that is known. */
export function isProfile(value: Buffer): boolean {
  return visitMemberships(value, 0, NOTHING);
}

/**
 * Shows the memberships that count at `hour`, ascending by segment. Makes nothing. False where the value is corrupt: then some of
 * them may have been shown, so a value is checked by `isProfile` before.
 */
export function visitMemberships(value: Buffer, hour: number, visitor: MembershipVisitor): boolean {
  const { length } = value;
  const before = value[0] === FORMAT_BEFORE;
  if (length < (before ? HEADER_BEFORE : HEADER) || (!before && value[0] !== FORMAT)) return false;
  const base = before ? 0 : value.readUInt32LE(22);
  const passed = hour - base;
  const parts = before ? 1 : 3;
  let at = before ? HEADER_BEFORE : HEADER;
  let segment = 0;
  let entered = 0;
  let part = 0;
  while (at < length) {
    // One varint; written out, since a function that returns two numbers would have to make something.
    let byte = value[at++] as number;
    let number = byte & 127;
    for (let shift = 7; byte > 127; shift += 7) {
      if (at >= length || shift > 28) return false;
      byte = value[at++] as number;
      if (shift === 28 && byte > 15) return false;
      number = (number | ((byte & 127) << shift)) >>> 0;
    }
    if (part === 0) {
      if (number === 0) return false;
      segment += number;
      if (segment > 0xffff_ffff) return false;
      if (before) visitor.take(segment, UNKNOWN_AGE);
    } else if (part === 1) entered = number;
    else if (passed < number) visitor.take(segment, entered === 0 ? UNKNOWN_AGE : ageOf(passed + entered - 1));
    part = part + 1 === parts ? 0 : part + 1;
  }
  return part === 0;
}

function ageOf(hours: number): number {
  return Math.max(0, Math.min(hours, UNKNOWN_AGE));
}

/** The anchor of a value that `isProfile`. */
export function anchorIn(value: Buffer): string {
  return uuidOf(value.toString('hex', 6, HEADER_BEFORE));
}

export function isOptedOut(value: Buffer): boolean {
  return value[0] === FORMAT && ((value[1] as number) & OPTED_OUT) !== 0;
}

function uuidOf(hex: string): string {
  return `${hex.slice(0, 8)}-${hex.slice(8, 12)}-${hex.slice(12, 16)}-${hex.slice(16, 20)}-${hex.slice(20)}`;
}

/** All that a value says, ended memberships included; null where it is corrupt. For tools and tests: the bidder makes no lists. */
export function decodeProfile(value: Buffer): PublishedProfile | null {
  const memberships: Membership[] = [];
  if (!isProfile(value)) return null;
  const before = value[0] === FORMAT_BEFORE;
  const hour = before ? 0 : value.readUInt32LE(22);
  const numbers: number[] = [];
  for (let at = before ? HEADER_BEFORE : HEADER; at < value.length; ) {
    let number = 0;
    let byte = 128;
    for (let unit = 1; byte > 127; unit *= 128) {
      byte = value[at++] as number;
      number += (byte & 127) * unit;
    }
    numbers.push(number);
  }
  let segment = 0;
  for (let at = 0; at < numbers.length; at += before ? 1 : 3) {
    segment += numbers[at] as number;
    const entered = before ? 0 : (numbers[at + 1] as number);
    const until = before ? Number.POSITIVE_INFINITY : hour + (numbers[at + 2] as number);
    memberships.push({ segment, since: entered === 0 ? null : hour - entered + 1, until });
  }
  return {
    profile: value.readUInt32LE(2),
    anchor: anchorIn(value),
    consent: before ? 0 : (value[1] as number),
    hour,
    memberships,
  };
}
