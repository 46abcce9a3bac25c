import { Counter, Gauge, Histogram } from 'prom-client';
import type { DmpDeps } from '../dmp/deps.ts';
import { optedOutProfiles } from '../dmp/opt-out/opt-out.ts';
import { optedOutValue } from '../dmp/opt-out/value.ts';
import { numbersNeeded, readHeld, segmentsNamed, suresOf } from '../dmp/publication/needed.ts';
import { nextSequence, putValues, STREAMED_KEY, type Value } from '../dmp/publication/values.ts';
import { profilesNothingAdded } from '../dmp/publication/withheld.ts';
import { hourOf, NOTHING_ADDED } from '../proto/profile.ts';
import {
  type Change,
  EVERYBODY,
  eachPerson,
  type PersonRow,
  type Range,
  rangesOf,
  readPeople,
  type Sures,
} from './publish-people.ts';
import { createValueWriter } from './publish-values.ts';
import {
  type LastPublished,
  lastPublished,
  MEMBERSHIP_HOURS,
  notePublication,
  type Renewal,
  readVersions,
  renewalOf,
  savePublished,
  type Versions,
} from './published.ts';

const AGES = [1, 2.5, 5, 10, 20, 30, 60, 120, 300, 900, 3_600];
const visibleAfter = new Histogram({
  name: 'walkin_published_lag_seconds',
  help: 'Time from the evaluation that changed a segment to bidders seeing it, of each segment and publication',
  buckets: AGES,
});
const oldestEvent = new Histogram({
  name: 'walkin_published_event_lag_seconds',
  help: 'Age of the oldest event that a refresh took in, when bidders saw what it changed, of each refresh',
  buckets: AGES,
});
const values = new Counter({
  name: 'walkin_published_values_total',
  help: 'Profile values that a publication wrote, or found newer than its own',
  labelNames: ['outcome'] as const,
});
const publishedSegments = new Gauge({
  name: 'walkin_published_segments',
  help: 'Segments that some live line item needs, whose members bidders know',
});

/** Until when the events of the last refresh were known to it, as a sequence. */
const UP_TO_KEY = 'walkin:publication:up-to';
/** People that are read at once: 60 MB, and as many again while they are written. Each part looks at all identities. */
const PART = 400_000;
/** Identifiers in one question. */
const STREAMED = 5_000;

export interface Published {
  readonly full: boolean;
  readonly profiles: number;
  readonly identifiers: number;
  /** Identifiers that had a newer value. */
  readonly late: number;
  /** Segments that some live line item needs. */
  readonly segments: number;
  /** Seconds from the evaluation of what changed to its being visible, by segment. */
  readonly lags: readonly number[];
  readonly seconds: number;
}

export type PublishDeps = Pick<DmpDeps, 'warehouse' | 'redis' | 'things' | 'now'>;

/** What the members that are published come from. */
export interface Evaluated {
  /** All events that were durable by then were known to the evaluation: a sequence that was drawn before it began. */
  readonly upTo: number;
  /** Ids of the segments that were evaluated. */
  readonly segments: readonly string[];
}

/**
 * Writes the compact value of everybody who changed since the last publication under each identifier by which a bid request
 * can name them. People without segments too: their anchor decides on holdout and caps. Only segments that a live line item needs; one
 * that is needed anew is there for all of its members at once. Cut off anywhere, it is done whole the next time; what a later
 * publication wrote meanwhile stays.
 *
 * @param between called between parts; it may throw to stop
 * @param evaluated what was streamed until then is part of it: those people are written too, without
 */
export async function publish(
  deps: PublishDeps,
  between: (done: number, total: number) => Promise<void> = async () => undefined,
  evaluated: Evaluated | null = null,
): Promise<Published> {
  const began = performance.now();
  const at = deps.now();
  const numbers = numbersNeeded(deps.things, at, await readHeld(deps.warehouse, deps.things));
  const sures = suresOf(deps.things, numbers.keys());
  const current = await readVersions(deps, [...numbers.keys()]);
  const last = await lastPublished(deps, at);
  const renewal = last === null ? null : renewalOf(last, current.profiles, at);
  const change =
    last === null
      ? EVERYBODY
      : changeSince(last, current, new Set([...takenBack(deps, last, numbers, at), ...carriedByOthers(last, sures)]));
  const streamed = last === null || evaluated === null ? [] : await streamedUntil(deps, evaluated.upTo);
  const passes = [...(await passesOf(deps, change, streamed)), ...passesOfRenewal(renewal)];
  const known = knownTo(evaluated, numbers);
  const sum = { profiles: 0, written: 0, late: 0 };
  let reading: Promise<Part> | null = null;
  for (const [part, pass] of passes.entries()) {
    await between(part, passes.length);
    const read: Part = await (reading ?? readPart(deps, pass, numbers, sures));
    // The warehouse reads the next part while Redis takes this one.
    const next = passes[part + 1];
    reading = next === undefined ? null : readPart(deps, next, numbers, sures);
    // The fault is met where it is awaited.
    reading?.catch(() => undefined);
    const done = await writePart(deps, read, known);
    sum.profiles += done.profiles;
    sum.written += done.written;
    sum.late += done.late;
  }
  if (evaluated !== null && known.size === numbers.size)
    await deps.redis.zremrangebyscore(STREAMED_KEY, '-inf', Math.floor(evaluated.upTo / 1000));
  const lags = await notePublication(deps, last, current);
  await savePublished(deps, current, sures, last, renewal, at);
  if (evaluated !== null) await noteUpTo(deps, evaluated.upTo);
  for (const lag of lags) visibleAfter.observe(lag);
  values.inc({ outcome: 'written' }, sum.written);
  values.inc({ outcome: 'late' }, sum.late);
  publishedSegments.set(current.segments.size);
  return {
    full: last === null,
    profiles: sum.profiles,
    identifiers: sum.written,
    late: sum.late,
    segments: numbers.size,
    lags,
    seconds: (performance.now() - began) / 1000,
  };
}

/** The oldest events of a refresh are those that came just after the one before began. */
async function noteUpTo({ redis }: PublishDeps, upTo: number): Promise<void> {
  const before = await redis.getset(UP_TO_KEY, upTo);
  if (before !== null) oldestEvent.observe(Math.max(0, (await nextSequence(redis)) - Number(before)) / 1000);
}

/**
 * Segments that were published and may not be any more: of one that was deleted, became too small or sensitive no value tells who is in it.
 * One that no line item needs for a while stays in values until they are written for another reason.
 */
function takenBack(
  { things }: PublishDeps,
  last: LastPublished,
  numbers: ReadonlyMap<string, number>,
  now: number,
): ReadonlySet<string> {
  const named = segmentsNamed(things, now);
  return new Set(
    [...last.segments.keys()].filter((id) => !numbers.has(id) && (named.has(id) || things.get('segment', id) === undefined)),
  );
}

/** Segments that other identifiers of their people carry than those that were published. */
function carriedByOthers(last: LastPublished, sures: Sures): string[] {
  return [...last.segments.keys()].filter((id) => (last.sures.get(id) ?? 0) !== (sures.get(id) ?? 0));
}

/** Whose memberships or identifiers are newer than what was published; and all who ever were in what is taken back. */
function changeSince(last: LastPublished, current: Versions, back: ReadonlySet<string>): Change {
  const newer = [...current.segments].filter(([id, { version }]) => version > (last.segments.get(id) ?? 0)).map(([id]) => id);
  const segments = [...new Set([...newer, ...back])];
  const identities = 'SELECT profile FROM identities WHERE version > {version:UInt64}';
  if (segments.length === 0) return { sql: `profile IN (${identities})`, params: { version: last.identities } };
  const versions = segments.map((id) => (back.has(id) ? 0 : (last.segments.get(id) ?? 0)));
  const least = Math.min(...versions);
  const members = `SELECT profile FROM memberships WHERE segment IN {segments:Array(String)} AND version > {least:UInt32}
    AND version > transform(segment, {segments:Array(String)}, {versions:Array(UInt32)}, toUInt32(0))`;
  return {
    sql: `profile IN (${identities} UNION DISTINCT ${members})`,
    params: { version: last.identities, segments, versions, least },
  };
}

/** Identifiers to which events added until then: what was evaluated since is right, also where nothing of theirs changed. */
async function streamedUntil({ redis }: PublishDeps, upTo: number): Promise<string[]> {
  return redis.zrangebyscore(STREAMED_KEY, '-inf', Math.floor(upTo / 1000));
}

/** By number of a segment, until when what was streamed to it is part of its members. */
function knownTo(evaluated: Evaluated | null, numbers: ReadonlyMap<string, number>): Map<number, number> {
  const known = new Map<number, number>();
  for (const id of evaluated?.segments ?? []) {
    const number = numbers.get(id);
    if (number !== undefined) known.set(number, (evaluated as Evaluated).upTo);
  }
  return known;
}

interface Pass {
  readonly change: Change;
  readonly range: Range;
}

async function passesOf({ warehouse }: PublishDeps, change: Change, streamed: readonly string[]): Promise<Pass[]> {
  const changes = [change];
  for (let from = 0; from < streamed.length; from += STREAMED) {
    const keys = streamed.slice(from, from + STREAMED);
    changes.push({
      sql: 'profile IN (SELECT profile FROM identities WHERE identifier IN {keys:Array(UUID)})',
      params: { keys },
    });
  }
  const passes: Pass[] = [];
  for (const one of changes) for (const range of await rangesOf(warehouse, one, PART)) passes.push({ change: one, range });
  return passes;
}

function passesOfRenewal(renewal: Renewal | null): Pass[] {
  if (renewal === null) return [];
  const passes: Pass[] = [];
  for (let { first } = renewal; first <= renewal.last; first += PART)
    passes.push({ change: EVERYBODY, range: { first, last: Math.min(renewal.last, first + PART - 1) } });
  return passes;
}

/** People as they were read, and whom they must be held against. */
interface Part {
  readonly sequence: number;
  readonly people: readonly Buffer[];
  readonly out: ReadonlySet<number>;
  readonly held: ReadonlySet<number>;
}

async function readPart(
  { warehouse, redis }: PublishDeps,
  { change, range }: Pass,
  numbers: ReadonlyMap<string, number>,
  sures: Sures,
): Promise<Part> {
  // Before anything is read: who withdraws or is evaluated later has a greater one.
  const sequence = await nextSequence(redis);
  const [out, held, people] = await Promise.all([
    optedOutProfiles(warehouse),
    profilesNothingAdded(warehouse),
    readPeople(warehouse, change, range, numbers, sures),
  ]);
  return { sequence, people, out, held };
}

async function writePart(
  { redis, now }: PublishDeps,
  { sequence, people, out, held }: Part,
  known: ReadonlyMap<number, number>,
): Promise<{ profiles: number; written: number; late: number }> {
  const at = now();
  const put = { sequence, now: at, known };
  const writer = createValueWriter(redis, put, { hour: hourOf(at), hours: MEMBERSHIP_HOURS });
  const marks: Value[] = [];
  let profiles = 0;
  await eachPerson(people, (person) => {
    profiles++;
    if (!out.has(person.profile)) return writer.add(person, held.has(person.profile) ? NOTHING_ADDED : 0);
    marks.push({ identifiers: identifiersOf(person), value: optedOutValue(person.profile, anchorOf(person), at, sequence) });
  });
  const done = await writer.end();
  const marked = await putValues(redis, marks, { ...put, forever: true });
  return { profiles, written: done.written + marked.written, late: done.late + marked.late };
}

export function identifiersOf({ bytes, identifiersAt, identifiers }: PersonRow): string[] {
  return Array.from({ length: identifiers }, (_, index) => {
    const start = identifiersAt + index * 36;
    return bytes.toString('latin1', start, start + 36);
  });
}

export function anchorOf({ bytes, anchorAt }: PersonRow): string {
  const hex = bytes.toString('hex', anchorAt, anchorAt + 16);
  return `${hex.slice(0, 8)}-${hex.slice(8, 12)}-${hex.slice(12, 16)}-${hex.slice(16, 20)}-${hex.slice(20)}`;
}
