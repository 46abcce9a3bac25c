import type { DmpDeps } from '../dmp/deps.ts';
import { ADDRESSABLE_KINDS } from '../proto/identifier.ts';
import { profileKey } from '../proto/keys.ts';
import { encodeProfile } from '../proto/profile.ts';

/** Hash in Redis: `at` start of the last publication, `full` that of the last full one (epoch ms), `version` newest of the identities in it. */
const STATE_KEY = 'walkin:segmenter:published';
/** A value that nobody renews is forgotten: a segmenter that stands still must not leave people in segments for ever. */
const EXPIRY_S = 30 * 86_400;
/** So everybody is renewed well before. */
const FULL_EVERY_MS = 7 * 86_400_000;
/** Clocks of several segmenters differ; what is published twice changes nothing. */
const OVERLAP_MS = 60_000;
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

interface State {
  readonly full: boolean;
  readonly since: number;
  readonly version: string;
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
  const state = await readState(deps, at);
  const [newest] = await deps.warehouse.query<{ version: string }>({ sql: 'SELECT max(version) AS version FROM identities' });
  const numbers = new Map(deps.things.list('segment').map(({ id, body }) => [id, body.number]));
  const parts = Math.ceil((await countChanged(deps, state)) / PART);
  let profiles = 0;
  let identifiers = 0;
  for (let part = 0; part < parts; part++) {
    await between(part, parts);
    const people = await readPeople(deps, state, parts, part);
    profiles += people.length;
    identifiers += await writePeople(deps, people, numbers);
  }
  const full = state.full ? { full: at } : {};
  await deps.redis.hset(STATE_KEY, { at, version: newest?.version ?? '0', ...full });
  return { full: state.full, profiles, identifiers, seconds: (performance.now() - began) / 1000 };
}

async function readState({ redis }: PublishDeps, now: number): Promise<State> {
  const { at, full, version } = await redis.hgetall(STATE_KEY);
  if (at === undefined || full === undefined || version === undefined || now - Number(full) > FULL_EVERY_MS)
    return { full: true, since: 0, version: '0' };
  return { full: false, since: Number(at) - OVERLAP_MS, version };
}

/** Profiles whose membership or identifiers changed. */
const CHANGED = `SELECT profile FROM memberships WHERE at >= fromUnixTimestamp64Milli({since:Int64})
  UNION DISTINCT SELECT profile FROM identities WHERE version > {version:UInt64}`;

function changed(state: State): { condition: string; params: Record<string, unknown> } {
  if (state.full) return { condition: '1', params: {} };
  return { condition: `profile IN (${CHANGED})`, params: { since: state.since, version: state.version } };
}

async function countChanged({ warehouse }: PublishDeps, state: State): Promise<number> {
  const { condition, params } = changed(state);
  const sql = `SELECT uniq(profile) AS n FROM identities WHERE ${condition}`;
  const [row] = await warehouse.query<{ n: string }>({ sql, params }, LIMITS);
  return Number(row?.n ?? 0);
}

interface Person {
  readonly profile: number;
  readonly anchor: string;
  readonly identifiers: string[];
  readonly segments: string[];
}

/** Bid requests name people without a kind: an identifier of none came from one. */
const ADDRESSABLE = [...ADDRESSABLE_KINDS, ''];

async function readPeople({ warehouse }: PublishDeps, state: State, parts: number, part: number): Promise<Person[]> {
  const { condition, params } = changed(state);
  const chosen = `${condition} AND profile % {parts:UInt32} = {part:UInt32}`;
  const sql = `SELECT profile, anchor, identifiers, segments FROM (
      SELECT profile, any(i.anchor) AS anchor, groupArray(identifier) AS identifiers FROM (
        SELECT identifier, profile, anchor FROM identities FINAL WHERE ${chosen} AND kind IN {kinds:Array(String)}) AS i
      GROUP BY profile) AS people
    LEFT JOIN (
      SELECT profile, groupArray(segment) AS segments FROM (
        SELECT segment, profile FROM memberships WHERE ${chosen} GROUP BY segment, profile HAVING argMax(status, version) = 1)
      GROUP BY profile) AS members USING profile`;
  return warehouse.query<Person>({ sql, params: { ...params, parts, part, kinds: ADDRESSABLE } }, LIMITS);
}

async function writePeople(
  { redis }: PublishDeps,
  people: readonly Person[],
  numbers: ReadonlyMap<string, number>,
): Promise<number> {
  let written = 0;
  let pipeline = redis.pipeline();
  for (const { profile, anchor, identifiers, segments } of people) {
    const held = segments.flatMap((segment) => numbers.get(segment) ?? []).sort((a, b) => a - b);
    const value = encodeProfile({ profile, anchor, segments: held });
    for (const identifier of identifiers) {
      pipeline.set(profileKey(identifier), value, 'EX', EXPIRY_S);
      if (++written % PIPELINE !== 0) continue;
      await run(pipeline);
      pipeline = redis.pipeline();
    }
  }
  await run(pipeline);
  return written;
}

async function run(pipeline: ReturnType<DmpDeps['redis']['pipeline']>): Promise<void> {
  if (pipeline.length === 0) return;
  for (const [error] of (await pipeline.exec()) ?? []) if (error !== null) throw error;
}
