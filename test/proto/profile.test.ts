import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import {
  anchorIn,
  decodeProfile,
  encodeProfile,
  isOptedOut,
  isProfile,
  OPTED_OUT,
  type PublishedProfile,
  UNKNOWN_AGE,
  visitMemberships,
} from '../../proto/profile.ts';

const uuid = fc.uuid();
const HOUR = 500_000;

const published: fc.Arbitrary<PublishedProfile> = fc.record({
  profile: fc.integer({ min: 0, max: 2 ** 32 - 1 }),
  anchor: uuid,
  consent: fc.constantFrom(0, OPTED_OUT),
  hour: fc.constant(HOUR),
  memberships: fc
    .uniqueArray(
      fc.record({
        segment: fc.integer({ min: 1, max: 2 ** 31 - 1 }),
        since: fc.option(fc.integer({ min: 0, max: HOUR })),
        until: fc.integer({ min: HOUR, max: HOUR + 100_000 }),
      }),
      { selector: ({ segment }) => segment },
    )
    .map((list) => list.sort((a, b) => a.segment - b.segment)),
});

const seconds = fc.integer({ min: 1, max: 2 ** 32 - 1 });
const streamed = fc.array(
  fc.record({ segment: fc.integer({ min: 1, max: 2 ** 31 - 1 }), since: seconds, added: seconds, until: seconds }),
  { minLength: 1, maxLength: 40 },
);

function shown(value: Buffer, hour: number): [number, number][] | null {
  const seen: [number, number][] = [];
  return visitMemberships(value, hour, hour * 3_600_000, { take: (segment, age) => seen.push([segment, age]) }) ? seen : null;
}

describe('a profile value', () => {
  it('reads back as it was written', () => {
    fc.assert(
      fc.property(published, (profile) => {
        const value = encodeProfile(profile);
        expect(decodeProfile(value)).toEqual(profile);
        expect(isProfile(value)).toBe(true);
        expect(anchorIn(value)).toBe(profile.anchor);
        expect(isOptedOut(value)).toBe(profile.consent === OPTED_OUT);
      }),
    );
  });

  it('reads back with its sequence and what events added, and is corrupt where it is cut within that', () => {
    fc.assert(
      fc.property(published, streamed, fc.integer({ min: 1, max: 2 ** 45 }), fc.nat(), (profile, added, sequence, cut) => {
        const value = encodeProfile({ ...profile, sequence, streamed: added });
        expect(decodeProfile(value)).toEqual({ ...profile, sequence, streamed: added });
        expect(isProfile(value.subarray(0, 35 + (cut % (added.length * 16))))).toBe(false);
      }),
    );
  });

  it('shows what an event added until its second, before what was published', () => {
    const now = HOUR * 3_600_000 + 1_800_000;
    const at = now / 1000;
    const value = encodeProfile({
      profile: 1,
      anchor: '0b0e8c8e-1111-8111-8111-0123456789ab',
      consent: 0,
      hour: HOUR - 5,
      memberships: [{ segment: 7, since: HOUR - 5, until: HOUR + 5 }],
      streamed: [
        { segment: 9, since: at - 7_200, added: at - 60, until: at + 1 },
        { segment: 8, since: at - 60, added: at - 60, until: at },
      ],
    });
    const seen: [number, number][] = [];
    expect(visitMemberships(value, HOUR, now, { take: (segment, age) => seen.push([segment, age]) })).toBe(true);
    expect(seen).toEqual([
      [9, 2],
      [7, 5],
    ]);
  });

  it('shows a membership until its hour, with its age', () => {
    fc.assert(
      fc.property(published, fc.integer({ min: HOUR - 10, max: HOUR + 100_001 }), (profile, hour) => {
        const wanted = profile.memberships
          .filter(({ until }) => hour < until)
          .map(({ segment, since }) => [
            segment,
            since === null ? UNKNOWN_AGE : Math.min(UNKNOWN_AGE, Math.max(0, hour - since)),
          ]);
        expect(shown(encodeProfile(profile), hour)).toEqual(wanted);
      }),
    );
  });

  it('that is cut anywhere in its last membership, or in its header, is corrupt', () => {
    fc.assert(
      fc.property(published, fc.nat(), (profile, cut) => {
        const value = encodeProfile(profile);
        const whole = encodeProfile({ ...profile, memberships: profile.memberships.slice(0, -1) });
        const least = profile.memberships.length === 0 ? 0 : whole.length + 1;
        const length = least + (cut % (value.length - least));
        expect(isProfile(value.subarray(0, length))).toBe(false);
        expect(decodeProfile(value.subarray(0, length))).toBeNull();
      }),
    );
  });

  it('of any bytes is whole or corrupt, and never throws', () => {
    const bytes = fc.uint8Array({ maxLength: 80 });
    fc.assert(
      fc.property(bytes, fc.constantFrom(0, 1, 2, 3, 4), fc.nat(), (given, format, hour) => {
        const value = Buffer.from([format, ...given]);
        const whole = isProfile(value);
        expect(shown(value, hour) !== null).toBe(whole);
        expect(decodeProfile(value) !== null).toBe(whole);
        if (format === 0 || format === 4) expect(whole).toBe(false);
      }),
      { numRuns: 1_000 },
    );
  });

  it('of format 2 is read as it was before there were events that add', () => {
    const header = [2, OPTED_OUT, 5, 0, 0, 0, ...Buffer.alloc(16, 1), 0x20, 0xa1, 0x07, 0];
    const value = Buffer.from([...header, 7, 6, 10]);
    expect(shown(value, HOUR)).toEqual([[7, 5]]);
    expect(shown(value, HOUR + 10)).toEqual([]);
    expect(isOptedOut(value)).toBe(true);
    expect(decodeProfile(value)).toMatchObject({ profile: 5, hour: HOUR, memberships: [{ segment: 7, until: HOUR + 10 }] });
  });

  it('of format 1 has members without beginning or end', () => {
    const anchor = '0b0e8c8e-1111-8111-8111-0123456789ab';
    const header = [1, 0, 5, 0, 0, 0, ...Buffer.from(anchor.replaceAll('-', ''), 'hex')];
    const value = Buffer.from([...header, 7, 0xac, 0x02]);
    expect(shown(value, 10 ** 9)).toEqual([
      [7, UNKNOWN_AGE],
      [307, UNKNOWN_AGE],
    ]);
    expect(anchorIn(value)).toBe(anchor);
    expect(decodeProfile(value)).toMatchObject({ profile: 5, memberships: [{ segment: 7, since: null }, { segment: 307 }] });
    expect(isProfile(Buffer.from([...header, 7, 0xac]))).toBe(false);
    expect(isOptedOut(value)).toBe(false);
  });
});
