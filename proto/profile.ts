/**
 * The compact profile value that the segmenter publishes per identifier and the bidder reads. Format 3:
 *
 *   byte 0       format = 3
 *   byte 1       consent bits, see `OPTED_OUT` and `NOTHING_ADDED`
 *   bytes 2-5    profile, UInt32 little endian; 0: not known yet
 *   bytes 6-21   anchor: the key of the identifier that first made the profile (a UUID's 16 bytes)
 *   bytes 22-25  base: the hour of publication, in hours since the epoch, UInt32 little endian
 *   bytes 26-33  sequence: when what is published was read, UInt64 little endian; a lesser one never replaces a greater
 *   byte 34      number of streamed memberships
 *   then         for each of them four UInt32 little endian: the segment; when it was entered, when it was last added to, and when it
 *                ends, in seconds since the epoch
 *   then         for each segment, ascending, three LEB128 varints: the difference to the segment before (at least 1); hours from
 *                entering to the base plus 1, or 0 where that is not known; hours from the base to the end of the membership
 *
 * A membership ends by itself, so that a publisher that stands still leaves nobody in segments for ever. Format 2 has neither sequence
 * nor streamed memberships. Format 1 ends its header before the base and has only the differences: its memberships have no known
 * beginning and no end. `dmp/publication/put.lua` and `stream.lua` know these bytes too.
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
  /** Absent: 0. */
  readonly sequence?: number;
  /** Memberships that an event gave as it arrived; absent: none. */
  readonly streamed?: readonly Streamed[];
}

/** Seconds since the epoch. */
export interface Streamed {
  readonly segment: number;
  readonly since: number;
  /** When an event added to it last; what was evaluated later knows better. */
  readonly added: number;
  /** From then on it no longer counts. */
  readonly until: number;
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
/** Consent bit: consent was withdrawn to somebody, so events as they arrive add no membership; an evaluation knows which may be. */
export const NOTHING_ADDED = 2;

/** An age that is not known, or longer than this number of hours (7 years). */
export const UNKNOWN_AGE = 0xffff;

const FORMAT = 3;
/** Bytes before the memberships, by format; of format 3 without the streamed ones. */
const HEADERS = [0, 22, 26, 35];
const ANCHOR_END = 22;
const SEQUENCE = 26;
const STREAMED = 34;
const STREAMED_BYTES = 16;
const HOUR_MS = 3_600_000;
/** Longest run of varints of one membership. */
const MEMBERSHIP_BYTES = 15;

export function hourOf(at: number): number {
  return Math.floor(at / HOUR_MS);
}

export function encodeProfile(published: PublishedProfile): Buffer {
  const { profile, anchor, consent, hour, memberships, sequence = 0, streamed = [] } = published;
  const header = HEADERS[FORMAT] as number;
  const value = Buffer.allocUnsafe(header + streamed.length * STREAMED_BYTES + memberships.length * MEMBERSHIP_BYTES);
  value[0] = FORMAT;
  value[1] = consent;
  value.writeUInt32LE(profile, 2);
  value.write(anchor.replaceAll('-', ''), 6, 'hex');
  value.writeUInt32LE(hour, 22);
  value.writeBigUInt64LE(BigInt(sequence), SEQUENCE);
  value[STREAMED] = streamed.length;
  let end = header;
  for (const { segment, since, added, until } of streamed)
    for (const number of [segment, since, added, until]) end = value.writeUInt32LE(number, end);
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

/**
 * As `encodeProfile`, into `value` at `start`; of an anchor that is bytes. For millions: makes nothing.
 *
 * @param memberships segment and hour of entering (0: not known), by turns, ascending by segment; all end at the same hour
 * @returns the end
 */
export function writeProfile(value: Buffer, start: number, head: ProfileHead, memberships: Uint32Array, count: number): number {
  const { hour } = head;
  value[start] = FORMAT;
  value[start + 1] = head.consent;
  value.writeUInt32LE(head.profile, start + 2);
  head.from.copy(value, start + 6, head.anchorAt, head.anchorAt + 16);
  value.writeUInt32LE(hour, start + 22);
  value.writeUInt32LE(head.sequence >>> 0, start + SEQUENCE);
  value.writeUInt32LE(Math.floor(head.sequence / 0x1_0000_0000), start + SEQUENCE + 4);
  value[start + STREAMED] = 0;
  let end = start + (HEADERS[FORMAT] as number);
  let previous = 0;
  for (let at = 0; at < count; at++) {
    const segment = memberships[at * 2] as number;
    const since = memberships[at * 2 + 1] as number;
    end = writeVarint(value, end, segment - previous);
    end = writeVarint(value, end, since === 0 ? 0 : Math.max(0, hour - since) + 1);
    end = writeVarint(value, end, head.hours);
    previous = segment;
  }
  return end;
}

export interface ProfileHead {
  profile: number;
  consent: number;
  /** Of publication, and from then to the end of all memberships. */
  hour: number;
  hours: number;
  sequence: number;
  /** Where the anchor's bytes are. */
  from: Buffer;
  anchorAt: number;
}

/** Most bytes that `writeProfile` takes. */
export function profileBytes(memberships: number): number {
  return (HEADERS[FORMAT] as number) + memberships * MEMBERSHIP_BYTES;
}

/** Takes memberships as they are read. */
export interface MembershipVisitor {
  /** `age`: whole hours since the segment was entered, `UNKNOWN_AGE` where that is not known. */
  take(segment: number, age: number): void;
}

const NOTHING: MembershipVisitor = { take: () => undefined };

/** Whether a value is whole and of a format that is known. */
export function isProfile(value: Buffer): boolean {
  return visitMemberships(value, 0, 0, NOTHING);
}

/**
 * Shows the memberships that count at `now` (epoch ms), which is in `hour`: those that were streamed, then the others ascending by
 * segment; one may be shown twice. Makes nothing. False where the value is corrupt: then some of them may have been shown, so a value is
 * checked by `isProfile` before.
 */
export function visitMemberships(value: Buffer, hour: number, now: number, visitor: MembershipVisitor): boolean {
  const { length } = value;
  const format = value[0] as number;
  if (length === 0 || format < 1 || format > FORMAT || length < (HEADERS[format] as number)) return false;
  const before = format === 1;
  const passed = before ? hour : hour - value.readUInt32LE(22);
  let at = HEADERS[format] as number;
  if (format === FORMAT && (value[STREAMED] as number) > 0) {
    const end = at + (value[STREAMED] as number) * STREAMED_BYTES;
    if (end > length) return false;
    for (; at < end; at += STREAMED_BYTES) {
      const streamed = value.readUInt32LE(at);
      if (streamed === 0) return false;
      if (value.readUInt32LE(at + 12) * 1000 > now)
        visitor.take(streamed, ageOf(hour - Math.floor(value.readUInt32LE(at + 4) / 3600)));
    }
  }
  let segment = 0;
  while (at < length) {
    const delta = varintAt(value, at);
    if (delta <= 0) return false;
    segment += delta;
    if (segment > 0xffff_ffff) return false;
    if (before) {
      visitor.take(segment, UNKNOWN_AGE);
      at = varintEnd;
      continue;
    }
    const entered = varintAt(value, varintEnd);
    if (entered < 0) return false;
    const left = varintAt(value, varintEnd);
    if (left < 0) return false;
    if (passed < left) visitor.take(segment, entered === 0 ? UNKNOWN_AGE : ageOf(passed + entered - 1));
    at = varintEnd;
  }
  return true;
}

/** Where the varint ended that was read last: a function that returned both would have to make something. */
let varintEnd = 0;

/**
 * -1 where none is whole. Most take one byte or two, and each of a membership's three as many as that of the one before: so these are told apart where they are
 * read, and the processor guesses right.
 */
function varintAt(value: Buffer, at: number): number {
  if (at >= value.length) return -1;
  const first = value[at] as number;
  if (first < 128) {
    varintEnd = at + 1;
    return first;
  }
  if (at + 1 >= value.length) return -1;
  const second = value[at + 1] as number;
  if (second > 127) return longVarintAt(value, at);
  varintEnd = at + 2;
  return (first & 127) | (second << 7);
}

function longVarintAt(value: Buffer, start: number): number {
  let number = 0;
  for (let at = start, unit = 1; at < value.length && at < start + 5; at++, unit *= 128) {
    const byte = value[at] as number;
    number += (byte & 127) * unit;
    if (byte > 127) continue;
    varintEnd = at + 1;
    return number > 0xffff_ffff ? -1 : number;
  }
  return -1;
}

function ageOf(hours: number): number {
  return Math.max(0, Math.min(hours, UNKNOWN_AGE));
}

/** The anchor of a value that `isProfile`. */
export function anchorIn(value: Buffer): string {
  return uuidOf(value.toString('hex', 6, ANCHOR_END));
}

export function isOptedOut(value: Buffer): boolean {
  return (value[0] as number) > 1 && ((value[1] as number) & OPTED_OUT) !== 0;
}

function uuidOf(hex: string): string {
  return `${hex.slice(0, 8)}-${hex.slice(8, 12)}-${hex.slice(12, 16)}-${hex.slice(16, 20)}-${hex.slice(20)}`;
}

/** All that a value says, ended memberships included; null where it is corrupt. For tools and tests: the bidder makes no lists. */
export function decodeProfile(value: Buffer): PublishedProfile | null {
  const memberships: Membership[] = [];
  if (!isProfile(value)) return null;
  const format = value[0] as number;
  const before = format === 1;
  const hour = before ? 0 : value.readUInt32LE(22);
  const numbers: number[] = [];
  const streamed = streamedIn(value);
  for (let at = (HEADERS[format] as number) + streamed.length * STREAMED_BYTES; at < value.length; ) {
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
    ...(format === FORMAT && sequenceIn(value) > 0 ? { sequence: sequenceIn(value) } : {}),
    ...(streamed.length > 0 ? { streamed } : {}),
  };
}

function sequenceIn(value: Buffer): number {
  return value.readUInt32LE(SEQUENCE) + value.readUInt32LE(SEQUENCE + 4) * 0x1_0000_0000;
}

function streamedIn(value: Buffer): Streamed[] {
  if (value[0] !== FORMAT) return [];
  const start = HEADERS[FORMAT] as number;
  return Array.from({ length: value[STREAMED] as number }, (_, index) => {
    const number = (part: number): number => value.readUInt32LE(start + index * STREAMED_BYTES + part * 4);
    return { segment: number(0), since: number(1), added: number(2), until: number(3) };
  });
}
