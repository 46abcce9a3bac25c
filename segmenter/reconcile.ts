import { createHash } from 'node:crypto';
import type { Logger } from 'pino';
import { Counter, Gauge } from 'prom-client';
import { optedOutProfiles } from '../dmp/opt-out/opt-out.ts';
import { optedOutValue } from '../dmp/opt-out/value.ts';
import { numbersNeeded, suresOf } from '../dmp/publication/needed.ts';
import { nextSequence, putValues, removeValues, STATE_KEY, type Value } from '../dmp/publication/values.ts';
import { profilesNothingAdded } from '../dmp/publication/withheld.ts';
import { ADDRESSABLE_KINDS } from '../proto/identifier.ts';
import { profileKey } from '../proto/keys.ts';
import { decodeProfile, encodeProfile, hourOf, NOTHING_ADDED, OPTED_OUT, type PublishedProfile } from '../proto/profile.ts';
import { anchorOf, identifiersOf, type PublishDeps } from './publish.ts';
import { eachPerson, readPeople, type Sures } from './publish-people.ts';
import { MEMBERSHIP_HOURS } from './published.ts';

const compared = new Counter({
  name: 'walkin_reconciled_total',
  help: 'Profile values that were held against what the warehouse says',
});
const mended = new Counter({
  name: 'walkin_reconciled_mended_total',
  help: 'Profile values that were not what the warehouse says, and were mended',
  labelNames: ['fault'] as const,
});
const drift = new Gauge({
  name: 'walkin_reconciled_drift',
  help: 'Share of the profile values of the last whole round that had to be mended; more than 0.001 is an alarm',
});

/** Hash: `slice` that is next, `cursor` of the walk over all keys, `compared` and `mended` of this round, `drift` of the last. */
const STATE = 'walkin:publication:reconcile';
/** Parts of everybody; one is looked at after each refresh, so all of them within 4.3 hours of refreshes that come every minute. */
const SLICES = 256;
/** Keys of Redis that are walked at a time: 25 million in that time. */
const WALK = 100_000;
const SCAN = 1_000;
const ALARM = 0.001;
const READ = 1_000;
const ADDRESSABLE = [...ADDRESSABLE_KINDS, ''];
const LIMITS = { seconds: 120 };
/** Lets a renewal be late by a day before its values count as old. */
const RENEWED_HOURS = 2 * 24;

export interface Reconciled {
  readonly slice: number;
  /** Identifiers that were looked at, and the checksums of what is and what should be of all of them. */
  readonly compared: number;
  readonly checksums: { readonly warehouse: string; readonly redis: string };
  readonly missing: number;
  readonly altered: number;
  /** Values of nobody. */
  readonly extra: number;
  /** Of the last whole round; null before the first. */
  readonly drift: number | null;
}

/**
 * Holds what Redis has against what the warehouse says, a slice of everybody at a time, and mends what differs: values that are gone,
 * that say something else, or that are nobody's. Run it after a publication, and not beside one: what waits to be published would count
 * as a difference (and be mended: values are written in sequence, so it never does harm).
 */
export async function reconcile(deps: PublishDeps & { readonly log: Logger }, slices = SLICES): Promise<Reconciled | null> {
  const { redis, log } = deps;
  // Nothing is published yet: the next publication writes everybody.
  if ((await redis.hexists(STATE_KEY, 'full')) === 0) return null;
  const state = await redis.hgetall(STATE);
  const slice = Number(state['slice'] ?? 0) % slices;
  const found = await compareSlice(deps, slices, slice);
  const walked = await walkKeys(deps, state['cursor'] ?? '0');
  const sum = { compared: Number(state['compared'] ?? 0), mended: Number(state['mended'] ?? 0) };
  sum.compared += found.compared;
  sum.mended += found.missing + found.altered + walked.extra;
  const isWhole = slice === slices - 1;
  const share = isWhole ? sum.mended / Math.max(1, sum.compared) : state['drift'] === undefined ? null : Number(state['drift']);
  if (isWhole) drift.set(share as number);
  if (isWhole && (share as number) > ALARM)
    log.warn({ ...sum }, 'more than 0.1 % of the profile values were not what the warehouse says; they are mended');
  await redis.hset(STATE, {
    slice: (slice + 1) % slices,
    cursor: walked.cursor,
    compared: isWhole ? 0 : sum.compared,
    mended: isWhole ? 0 : sum.mended,
    ...(share === null ? {} : { drift: share }),
  });
  compared.inc(found.compared);
  for (const fault of ['missing', 'altered'] as const) mended.inc({ fault }, found[fault]);
  mended.inc({ fault: 'extra' }, walked.extra);
  return { slice, ...found, extra: walked.extra, drift: share };
}

type Compared = Pick<Reconciled, 'compared' | 'checksums' | 'missing' | 'altered'>;

async function compareSlice(deps: PublishDeps, slices: number, slice: number): Promise<Compared> {
  const { redis, now } = deps;
  // Before anything is read: what is published meanwhile has a greater one, and stays.
  const sequence = await nextSequence(redis);
  const at = now();
  const numbers = await publishedNumbers(deps, at);
  const needed = new Set(numbers.values());
  const wanted = await wantedOf(deps, slices, slice, numbers, suresOf(deps.things, numbers.keys()), sequence, at);
  const sums = { warehouse: 0n, redis: 0n };
  const broken: { value: Value; isOut: boolean; isMissing: boolean }[] = [];
  for (let from = 0; from < wanted.length; from += READ) {
    const some = wanted.slice(from, from + READ);
    const values = await redis.mgetBuffer(some.map(({ identifier }) => profileKey(identifier)));
    for (const [index, { identifier, profile }] of some.entries()) {
      const value = values[index] ?? null;
      const there = value === null ? null : onlyNeeded(decodeProfile(value), needed);
      const should = checksumOf(identifier, profile, at);
      const is = there === null ? 0n : checksumOf(identifier, there, at);
      sums.warehouse ^= should;
      sums.redis ^= is;
      if (should === is) continue;
      const bytes =
        profile.consent === OPTED_OUT ? optedOutValue(profile.profile, profile.anchor, at, sequence) : encodeProfile(profile);
      const isOut = profile.consent === OPTED_OUT;
      broken.push({ value: { identifiers: [identifier], value: bytes }, isOut, isMissing: value === null });
    }
  }
  const put = async (isOut: boolean, isMissing: boolean): Promise<number> => {
    const values = broken.filter((one) => one.isOut === isOut && one.isMissing === isMissing).map(({ value }) => value);
    return (await putValues(redis, values, { sequence, now: at, forever: isOut })).written;
  };
  const missing = (await put(false, true)) + (await put(true, true));
  const altered = (await put(false, false)) + (await put(true, false));
  const checksums = { warehouse: sums.warehouse.toString(16), redis: sums.redis.toString(16) };
  return { compared: wanted.length, checksums, missing, altered };
}

interface Wanted {
  readonly identifier: string;
  readonly profile: PublishedProfile;
}

/** What a publication would write now of a slice of everybody. */
async function wantedOf(
  { warehouse }: PublishDeps,
  slices: number,
  slice: number,
  numbers: ReadonlyMap<string, number>,
  sures: Sures,
  sequence: number,
  at: number,
): Promise<Wanted[]> {
  const [out, held] = await Promise.all([optedOutProfiles(warehouse), profilesNothingAdded(warehouse)]);
  const hour = hourOf(at);
  const wanted: Wanted[] = [];
  const change = { sql: 'cityHash64(profile) % {slices:UInt32} = {slice:UInt32}', params: { slices, slice } };
  await eachPerson(await readPeople(warehouse, change, { first: 0, last: 0xffff_ffff }, numbers, sures), (person) => {
    const isOut = out.has(person.profile);
    const memberships = Array.from({ length: isOut ? 0 : person.count }, (_, index) => ({
      segment: person.memberships[index * 2] as number,
      since: person.memberships[index * 2 + 1] as number,
      until: hour + MEMBERSHIP_HOURS,
    }));
    const consent = isOut ? OPTED_OUT : held.has(person.profile) ? NOTHING_ADDED : 0;
    const profile = { profile: person.profile, anchor: anchorOf(person), consent, hour, memberships, sequence };
    for (const identifier of identifiersOf(person)) wanted.push({ identifier, profile });
  });
  return wanted;
}

/** Of segments that are needed, those that have been published: others wait for the next publication. */
async function publishedNumbers({ redis, things }: PublishDeps, at: number): Promise<ReadonlyMap<string, number>> {
  const published = await redis.hgetall(STATE_KEY);
  return new Map([...numbersNeeded(things, at)].filter(([id]) => published[`s:${id}`] !== undefined));
}

/** Without memberships of segments that no line item needs any more: they go when the person is written next. */
function onlyNeeded(published: PublishedProfile | null, needed: ReadonlySet<number>): PublishedProfile | null {
  if (published === null) return null;
  return { ...published, memberships: published.memberships.filter(({ segment }) => needed.has(segment)) };
}

/**
 * Of what a bidder makes of a value. Left out is what changes with the time of publication as long as it is right: its hour and sequence,
 * and what was streamed since.
 */
function checksumOf(identifier: string, { profile, anchor, consent, hour, memberships }: PublishedProfile, at: number): bigint {
  const isFresh = consent === OPTED_OUT || (hour <= hourOf(at) && hour > hourOf(at) - RENEWED_HOURS);
  const held = memberships.map(({ segment, since, until }) => [segment, since, until - hour]);
  // Who opted out is marked under identifiers that no profile was known of, too.
  const who = consent === OPTED_OUT ? [] : [profile, anchor];
  const text = JSON.stringify([identifier, who, consent, isFresh, held]);
  return createHash('sha1').update(text).digest().readBigUInt64BE();
}

/** A part of all keys there are: those that are nobody's go. */
async function walkKeys(deps: PublishDeps, from: string): Promise<{ cursor: string; extra: number }> {
  const { redis } = deps;
  const prefix = profileKey('');
  let cursor = from;
  let extra = 0;
  let walked = 0;
  do {
    const [next, names] = await redis.scan(cursor, 'MATCH', `${prefix}*`, 'COUNT', SCAN);
    cursor = next;
    walked += SCAN;
    extra += await removeUnknown(
      deps,
      names.map((name) => name.slice(prefix.length)),
    );
  } while (cursor !== '0' && walked < WALK);
  return { cursor, extra };
}

const UUID = /^[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$/;

async function removeUnknown({ redis, warehouse }: PublishDeps, identifiers: readonly string[]): Promise<number> {
  const keys = identifiers.filter((identifier) => UUID.test(identifier));
  if (keys.length === 0) return 0;
  const values = await redis.mgetBuffer(keys.map(profileKey));
  const published = keys.flatMap((identifier, index) => {
    const value = values[index];
    const profile = value == null ? null : decodeProfile(value);
    // What an event made ends by itself, and marks are there for those who are not known.
    return value == null || (profile !== null && (profile.profile === 0 || profile.consent !== 0)) ? [] : [{ identifier, value }];
  });
  if (published.length === 0) return 0;
  const sql = `SELECT identifier FROM identities WHERE identifier IN {keys:Array(UUID)}
    GROUP BY identifier HAVING argMax(kind, version) IN {kinds:Array(String)}`;
  const params = { keys: published.map(({ identifier }) => identifier), kinds: ADDRESSABLE };
  const rows = await warehouse.query<{ identifier: string }>({ sql, params }, LIMITS);
  const known = new Set(rows.map(({ identifier }) => identifier));
  return removeValues(
    redis,
    published.filter(({ identifier }) => !known.has(identifier)),
  );
}
