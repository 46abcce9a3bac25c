import type { Redis } from 'ioredis';
import { keyIdentifier } from '../../proto/identifier.ts';
import { capsKey, profileKey } from '../../proto/keys.ts';
import { encodeProfile, hourOf, type PublishedProfile } from '../../proto/profile.ts';
import { createDraw } from './draw.ts';
import { lineItemId, SEGMENTS } from './line-items.ts';
import { sayShare } from './say.ts';

/** Segments of a person: 5 to 35, 20 in the mean. */
const FEWEST = 5;
const MORE = 31;
/** Every so many people have seen three line items as often as any cap allows. */
const CAPPED = 20;
const SEEN = 3;
const SEEN_TIMES = 10;
const DAY = 86_400_000;
/** Memberships are up to a quarter of a year old, and good for three weeks. */
const OLDEST_HOURS = 90 * 24;
const MEMBERSHIP_HOURS = 21 * 24;
const BATCH = 1_000;

/** The advertising id of a person, a UUID in form. */
export function ifaOf(seed: number, person: number): string {
  const a = hex(seed, person, 1);
  const b = hex(seed, person, 2);
  const c = hex(seed, person, 3);
  return `${a}-${b.slice(0, 4)}-4${b.slice(5)}-a${c.slice(1, 4)}-${c.slice(4)}${hex(seed, person, 4)}`;
}

function hex(seed: number, person: number, part: number): string {
  return (mix(Math.imul(person, 0x9e3779b1) ^ Math.imul(seed + part, 0x85ebca6b)) >>> 0).toString(16).padStart(8, '0');
}

/** The finalizer of MurmurHash3 (Appleby, public domain). */
function mix(value: number): number {
  let h = value ^ (value >>> 16);
  h = Math.imul(h, 0x85ebca6b);
  h ^= h >>> 13;
  h = Math.imul(h, 0xc2b2ae35);
  return h ^ (h >>> 16);
}

export function keyOf(seed: number, person: number, pepper: string): string {
  return keyIdentifier({ kind: 'ifa', value: ifaOf(seed, person) }, pepper) as string;
}

/** As published at `now`. */
export function profileOf(seed: number, person: number, anchor: string, now: number): PublishedProfile {
  const hour = hourOf(now);
  const draw = createDraw(seed, 1_000 + person);
  const count = FEWEST + draw.below(MORE);
  const segments = new Set<number>();
  while (segments.size < count) segments.add(1 + draw.below(SEGMENTS));
  const memberships = [...segments]
    .sort((a, b) => a - b)
    .map((segment) => ({ segment, since: hour - draw.below(OLDEST_HOURS), until: hour + MEMBERSHIP_HOURS }));
  return { profile: person + 1, anchor, consent: 0, hour, memberships };
}

/** What a person has seen today: fields of the caps hash. */
export function capsOf(seed: number, person: number, lineItems: number, now: number): Map<string, number> {
  const caps = new Map<string, number>();
  if (person % CAPPED !== 0) return caps;
  const draw = createDraw(seed, 2_000_000_000 - person);
  for (let i = 0; i < SEEN; i++) caps.set(`${lineItemId(draw.below(lineItems))}:${DAY}:${Math.floor(now / DAY)}`, SEEN_TIMES);
  return caps;
}

export interface People {
  readonly seed: number;
  readonly profiles: number;
  readonly lineItems: number;
  readonly pepper: string;
}

/** Writes everybody's profile, and the caps of those who have any. */
export async function loadPeople(redis: Redis, { seed, profiles, lineItems, pepper }: People): Promise<void> {
  const now = Date.now();
  let writing: Promise<unknown> = Promise.resolve();
  for (let start = 0; start < profiles; start += BATCH) {
    const pipeline = redis.pipeline();
    const pairs: (string | Buffer)[] = [];
    for (let person = start; person < Math.min(profiles, start + BATCH); person++) {
      const key = keyOf(seed, person, pepper);
      pairs.push(profileKey(key), encodeProfile(profileOf(seed, person, key, now)));
      const caps = capsOf(seed, person, lineItems, now);
      if (caps.size > 0) pipeline.hset(capsKey(key), caps);
    }
    pipeline.mset(...pairs);
    // The next batch is made while Redis takes this one.
    await writing;
    writing = pipeline.exec();
    sayShare('Profiles', Math.min(profiles, start + BATCH), profiles);
  }
  await writing;
}
