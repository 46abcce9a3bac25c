import { profileKey } from '../../proto/keys.ts';
import type { DmpDeps } from '../deps.ts';
import { forgetAdded, nextSequence, putValues } from '../publication/values.ts';
import { optedOutValue } from './value.ts';

type OptOutDeps = Pick<DmpDeps, 'warehouse' | 'redis' | 'now'>;

const LIMITS = { seconds: 30 };
const PIPELINE = 2_000;

export interface OptedOut {
  readonly profiles: number;
  /** Identifiers under which bidders find the mark. */
  readonly identifiers: number;
}

/**
 * Takes people out of all bidding at once, without waiting for a refresh: the values of all their identifiers in Redis become a mark
 * that a bidder meets with its next read. Keys that nobody is known by are marked too. When it returns it is durable: refreshes keep
 * the mark, also for identifiers that turn out to be the person's later. Repeating it changes nothing.
 *
 * @param keys of identifiers of any kind, see proto/identifier.ts
 */
export async function optOut(deps: OptOutDeps, keys: readonly string[]): Promise<OptedOut> {
  if (keys.length === 0) return { profiles: 0, identifiers: 0 };
  const named = keys.map((identifier) => ({ identifier, profile: 0, anchor: identifier }));
  // Those that were named need no question to the warehouse.
  await mark(deps, named);
  await write(deps, keys, 1);
  const people = await peopleOf(deps, keys);
  const known = new Set(people.map(({ identifier }) => identifier));
  // A publication that had read before it was durable may have written meanwhile; from now on its values are too old.
  await mark(deps, [...people, ...named.filter(({ identifier }) => !known.has(identifier))]);
  return {
    profiles: new Set(people.map(({ profile }) => profile)).size,
    identifiers: new Set([...keys, ...people.map((one) => one.identifier)]).size,
  };
}

/** Ends an opt-out. Bidders know the people again after the next refresh. */
export async function optIn(deps: OptOutDeps, keys: readonly string[]): Promise<void> {
  if (keys.length === 0) return;
  await write(deps, keys, 0);
  const people = await peopleOf(deps, keys);
  const still = await optedOutProfiles(deps.warehouse);
  const free = people.filter(({ profile }) => !still.has(profile));
  const freed = [...keys, ...free.map(({ identifier }) => identifier)];
  for (let from = 0; from < freed.length; from += PIPELINE)
    await deps.redis.del(...freed.slice(from, from + PIPELINE).map(profileKey));
  // Rows under a new version: it is by these that the publication knows whom to write.
  const sql = `INSERT INTO identities (identifier, kind, profile, anchor, version, own, device, household, cluster, shared, device_sure, person_sure, household_sure)
    SELECT identifier, kind, profile, anchor, (SELECT max(version) + 1 FROM identities), own, device, household, cluster, shared,
      device_sure, person_sure, household_sure
    FROM identities FINAL WHERE profile IN {profiles:Array(UInt32)}`;
  const profiles = [...new Set(free.map(({ profile }) => profile))];
  if (profiles.length > 0) await deps.warehouse.command({ sql, params: { profiles } }, LIMITS);
}

/** Profiles of which an identifier was opted out. */
export async function optedOutProfiles(warehouse: OptOutDeps['warehouse']): Promise<ReadonlySet<number>> {
  const active = 'SELECT identifier FROM opt_outs FINAL WHERE active = 1';
  const sql = `SELECT DISTINCT argMax(i.profile, version) AS profile FROM identities AS i WHERE identifier IN (${active}) GROUP BY identifier`;
  return new Set((await warehouse.query<{ profile: number }>({ sql }, LIMITS)).map(({ profile }) => profile));
}

/** Which of the keys were opted out themselves, known or not. */
export async function optedOutKeys(warehouse: OptOutDeps['warehouse'], keys: readonly string[]): Promise<ReadonlySet<string>> {
  const sql = 'SELECT identifier FROM opt_outs FINAL WHERE active = 1 AND identifier IN {keys:Array(UUID)}';
  const rows = await warehouse.query<{ identifier: string }>({ sql, params: { keys } }, LIMITS);
  return new Set(rows.map(({ identifier }) => identifier));
}

interface Marked {
  readonly identifier: string;
  readonly profile: number;
  readonly anchor: string;
}

/** All identifiers of the people whom the keys name. */
async function peopleOf({ warehouse }: OptOutDeps, keys: readonly string[]): Promise<Marked[]> {
  const profiles = 'SELECT argMax(profile, version) FROM identities WHERE identifier IN {keys:Array(UUID)} GROUP BY identifier';
  // Who was in the profile once may be in another now.
  const sql = `SELECT identifier, argMax(i.profile, version) AS profile, argMax(i.anchor, version) AS anchor FROM identities AS i
    WHERE identifier IN (SELECT identifier FROM identities WHERE profile IN (${profiles}))
    GROUP BY identifier HAVING profile IN (${profiles})`;
  return warehouse.query<Marked>({ sql, params: { keys } }, LIMITS);
}

async function write({ warehouse, now }: OptOutDeps, keys: readonly string[], active: 0 | 1): Promise<void> {
  const at = new Date(now()).toISOString();
  await warehouse.insert(
    'opt_outs',
    keys.map((identifier) => ({ identifier, at, active })),
  );
}

async function mark({ redis, now }: OptOutDeps, people: readonly Marked[]): Promise<void> {
  const sequence = await nextSequence(redis);
  const at = now();
  const values = people.map(({ identifier, profile, anchor }) => ({
    identifiers: [identifier],
    value: optedOutValue(profile, anchor, at, sequence),
  }));
  // Without an end: who opted out must not come back because nobody refreshes.
  await putValues(redis, values, { sequence, now: at, force: true, forever: true });
  await forgetAdded(redis, [...new Set(people.flatMap(({ identifier, anchor }) => [identifier, anchor]))]);
}
