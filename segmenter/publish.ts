import type { Statement } from '../dmp/clickhouse/warehouse.ts';
import type { DmpDeps } from '../dmp/deps.ts';
import { markAgain, optedOutProfiles } from '../dmp/opt-out/opt-out.ts';
import { optedOutValue } from '../dmp/opt-out/value.ts';
import { ADDRESSABLE_KINDS } from '../proto/identifier.ts';
import { profileKey } from '../proto/keys.ts';
import { encodeProfile, hourOf, type Membership } from '../proto/profile.ts';

/**
 * Hash in Redis of what the last publication held: `identities` their newest version, `full` when everybody was published last
 * (epoch ms), `s:<segment>` the version of its members. Versions and no times: the clocks of several segmenters differ.
 */
const STATE_KEY = 'walkin:segmenter:published';
/** A value that nobody renews is forgotten: a segmenter that stands still must not leave people in segments for ever. */
const EXPIRY_S = 30 * 86_400;
/** So everybody is renewed well before. */
const FULL_EVERY_MS = 7 * 86_400_000;
/**
 * A membership that nobody renews ends, although the person stays known to caps and holdouts: three times as long as everybody
 * waits for a renewal.
 */
const MEMBERSHIP_HOURS = 21 * 24;
/** By which the clocks of several processes may differ. */
const CLOCKS_MS = 60_000;
const PART = 200_000;
const PIPELINE = 2_000;
const LIMITS = { seconds: 120, memoryBytes: 4 * 1024 ** 3 };

export interface Published {
  readonly full: boolean;
  readonly profiles: number;
  readonly identifiers: number;
  readonly seconds: number;
}

type PublishDeps = Pick<DmpDeps, 'warehouse' | 'redis' | 'things' | 'now'>;

/** Versions of the identities and of each segment's members. */
interface Versions {
  readonly identities: string;
  readonly segments: ReadonlyMap<string, number>;
}

/**
 * Writes the compact value of everybody who changed since the last publication under each identifier by which a bid request
 * can name them. People without segments too: their anchor decides on holdout and caps. Cut off anywhere, it is done whole
 * the next time.
 *
 * @param between called between parts; it may throw to stop
 */
export async function publish(
  deps: PublishDeps,
  between: (done: number, total: number) => Promise<void> = async () => undefined,
): Promise<Published> {
  const began = performance.now();
  const at = deps.now();
  const current = await readVersions(deps);
  const last = await lastPublished(deps, at);
  const change = last === null ? EVERYBODY : changeSince(last, current);
  const numbers = new Map(deps.things.list('segment').map(({ id, body }) => [id, body.number]));
  const parts = Math.ceil((await countChanged(deps, change)) / PART);
  let profiles = 0;
  let identifiers = 0;
  for (let part = 0; part < parts; part++) {
    await between(part, parts);
    const people = await readPeople(deps, change, parts, part);
    profiles += people.length;
    identifiers += await writePeople(deps, people, numbers, await optedOutProfiles(deps.warehouse), hourOf(at));
    await markAgain(deps, at - CLOCKS_MS);
  }
  await savePublished(deps, current, last === null ? at : null);
  return { full: last === null, profiles, identifiers, seconds: (performance.now() - began) / 1000 };
}

async function readVersions({ warehouse }: PublishDeps): Promise<Versions> {
  const [identities] = await warehouse.query<{ version: string }>({ sql: 'SELECT max(version) AS version FROM identities' });
  const sql = 'SELECT segment, max(version) AS version FROM memberships GROUP BY segment';
  const segments = await warehouse.query<{ segment: string; version: number }>({ sql });
  return { identities: identities?.version ?? '0', segments: new Map(segments.map((row) => [row.segment, row.version])) };
}

/** Null: everybody must be published. */
async function lastPublished({ redis }: PublishDeps, now: number): Promise<Versions | null> {
  const { full, identities, ...rest } = await redis.hgetall(STATE_KEY);
  if (full === undefined || identities === undefined || now - Number(full) > FULL_EVERY_MS) return null;
  return { identities, segments: new Map(Object.entries(rest).map(([field, version]) => [field.slice(2), Number(version)])) };
}

async function savePublished({ redis }: PublishDeps, versions: Versions, full: number | null): Promise<void> {
  const segments = [...versions.segments].flatMap(([id, version]) => [`s:${id}`, version]);
  await redis.hset(STATE_KEY, 'identities', versions.identities, ...segments, ...(full === null ? [] : ['full', full]));
}

/** A condition over `profile`: whose membership or identifiers changed. */
type Change = Required<Statement>;

const EVERYBODY: Change = { sql: '1', params: {} };

function changeSince(last: Versions, current: Versions): Change {
  const segments = [...current.segments].filter(([id, version]) => version > (last.segments.get(id) ?? 0)).map(([id]) => id);
  const identities = 'SELECT profile FROM identities WHERE version > {version:UInt64}';
  if (segments.length === 0) return { sql: `profile IN (${identities})`, params: { version: last.identities } };
  const members = `SELECT profile FROM memberships WHERE segment IN {segments:Array(String)}
    AND version > transform(segment, {segments:Array(String)}, {versions:Array(UInt32)}, toUInt32(0))`;
  const versions = segments.map((id) => last.segments.get(id) ?? 0);
  return {
    sql: `profile IN (${identities} UNION DISTINCT ${members})`,
    params: { version: last.identities, segments, versions },
  };
}

async function countChanged({ warehouse }: PublishDeps, { sql: condition, params }: Change): Promise<number> {
  const sql = `SELECT uniq(profile) AS n FROM identities WHERE ${condition}`;
  const [row] = await warehouse.query<{ n: string }>({ sql, params }, LIMITS);
  return Number(row?.n ?? 0);
}

interface Person {
  readonly profile: number;
  readonly anchor: string;
  readonly identifiers: string[];
  readonly segments: string[];
  /** Of each of them the hour in which it was entered. */
  readonly since: number[];
}

/** Bid requests name people without a kind: an identifier of none came from one. */
const ADDRESSABLE = [...ADDRESSABLE_KINDS, ''];

async function readPeople(
  { warehouse }: PublishDeps,
  { sql: condition, params }: Change,
  parts: number,
  part: number,
): Promise<Person[]> {
  const chosen = `${condition} AND profile % {parts:UInt32} = {part:UInt32}`;
  const sql = `SELECT profile, anchor, identifiers, segments, since FROM (
      SELECT profile, any(i.anchor) AS anchor, groupArray(identifier) AS identifiers FROM (
        SELECT identifier, profile, anchor FROM identities FINAL WHERE ${chosen} AND kind IN {kinds:Array(String)}) AS i
      GROUP BY profile) AS people
    LEFT JOIN (
      SELECT profile, groupArray(segment) AS segments, groupArray(hour) AS since FROM (
        SELECT segment, profile, toUInt32(intDiv(toUnixTimestamp(argMax(at, version)), 3600)) AS hour
        FROM memberships WHERE ${chosen} GROUP BY segment, profile HAVING argMax(status, version) = 1)
      GROUP BY profile) AS members USING profile`;
  return warehouse.query<Person>({ sql, params: { ...params, parts, part, kinds: ADDRESSABLE } }, LIMITS);
}

async function writePeople(
  { redis, now }: PublishDeps,
  people: readonly Person[],
  numbers: ReadonlyMap<string, number>,
  optedOut: ReadonlySet<number>,
  hour: number,
): Promise<number> {
  let written = 0;
  let pipeline = redis.pipeline();
  for (const person of people) {
    const { profile, anchor } = person;
    const value = optedOut.has(profile)
      ? optedOutValue(profile, anchor, now())
      : encodeProfile({ profile, anchor, consent: 0, hour, memberships: membershipsOf(person, numbers, hour) });
    for (const identifier of person.identifiers) {
      pipeline.set(profileKey(identifier), value, 'EX', EXPIRY_S);
      if (++written % PIPELINE !== 0) continue;
      await run(pipeline);
      pipeline = redis.pipeline();
    }
  }
  await run(pipeline);
  return written;
}

function membershipsOf({ segments, since }: Person, numbers: ReadonlyMap<string, number>, hour: number): Membership[] {
  const memberships = segments.flatMap((id, at): Membership[] => {
    const segment = numbers.get(id);
    return segment === undefined ? [] : [{ segment, since: since[at] ?? null, until: hour + MEMBERSHIP_HOURS }];
  });
  return memberships.sort((a, b) => a.segment - b.segment);
}

async function run(pipeline: ReturnType<DmpDeps['redis']['pipeline']>): Promise<void> {
  if (pipeline.length === 0) return;
  for (const [error] of (await pipeline.exec()) ?? []) if (error !== null) throw error;
}
