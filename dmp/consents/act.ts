import type { DmpDeps } from '../deps.ts';
import { optedOutKeys, optedOutProfiles, optIn, optOut } from '../opt-out/opt-out.ts';
import { withholdSegments } from '../publication/withheld.ts';
import type { Purpose } from '../sources/purposes.ts';
import { announceRefusal } from './refused.ts';

type Deps = Pick<DmpDeps, 'warehouse' | 'redis' | 'now'>;

const LIMITS = { seconds: 30 };

/** A word that is durable: whose, on what, to whom. */
export interface Spoken {
  readonly identifier: string;
  readonly purpose: string;
  /** '': the operator, for all. */
  readonly advertiser: string;
  readonly granted: number;
}

/**
 * Lets words act at once. When it returns bidders that look a person up meet it: who withdrew `ads` before the operator is bid on no
 * more, who withdrew `profiles` or `personalised_ads` has no segment until the next publication knows which remain.
 */
export async function act(deps: Deps, words: readonly Spoken[]): Promise<void> {
  const keysOf = (granted: 0 | 1, to: 'operator' | 'anybody', ...purposes: readonly Purpose[]): string[] => [
    ...new Set(
      words
        .filter((word) => word.granted === granted && (purposes as readonly string[]).includes(word.purpose))
        // What is said to one advertiser must not take others' audience away.
        .filter(({ advertiser }) => to === 'anybody' || advertiser === '')
        .map(({ identifier }) => identifier),
    ),
  ];
  for (const refusable of ['storage', 'location'] as const)
    if (words.some(({ purpose, advertiser }) => purpose === refusable && advertiser === ''))
      await announceRefusal(deps.redis, refusable);
  const { refused, agreed } = await standOf(deps, [...keysOf(0, 'operator', 'ads'), ...keysOf(1, 'operator', 'ads')]);
  await optOut(deps, refused);
  await optIn(deps, await whoOptedOut(deps, agreed));
  await forget(deps, keysOf(0, 'anybody', 'profiles', 'personalised_ads'));
}

/** What the newest word on ads of each is: one that comes late does not undo what was said after it. */
async function standOf({ warehouse }: Deps, keys: readonly string[]): Promise<{ refused: string[]; agreed: string[] }> {
  if (keys.length === 0) return { refused: [], agreed: [] };
  const sql = `SELECT identifier, argMax(granted, (at, recorded, granted = 0)) AS stands FROM consents
    WHERE identifier IN {keys:Array(UUID)} AND purpose = 'ads' AND advertiser = '' GROUP BY identifier`;
  const rows = await warehouse.query<{ identifier: string; stands: number }>({ sql, params: { keys } }, LIMITS);
  const by = (stands: number): string[] => rows.filter((row) => row.stands === stands).map(({ identifier }) => identifier);
  return { refused: by(0), agreed: by(1) };
}

/** Nearly all who agree never objected. */
async function whoOptedOut({ warehouse }: Deps, keys: readonly string[]): Promise<string[]> {
  if (keys.length === 0) return [];
  const sql = 'SELECT identifier FROM opt_outs FINAL WHERE active = 1 AND identifier IN {keys:Array(UUID)}';
  const rows = await warehouse.query<{ identifier: string }>({ sql, params: { keys } }, LIMITS);
  return rows.map(({ identifier }) => identifier);
}

/** Takes what bidders know of people away, until the next publication writes what may be known. Who opted out stays marked. */
async function forget({ warehouse, redis, now }: Deps, keys: readonly string[]): Promise<void> {
  if (keys.length === 0) return;
  const named = 'SELECT argMax(profile, version) FROM identities WHERE identifier IN {keys:Array(UUID)} GROUP BY identifier';
  const people = await warehouse.query<{ identifier: string; profile: number; anchor: string }>(
    { sql: `SELECT identifier, profile, anchor FROM identities FINAL WHERE profile IN (${named})`, params: { keys } },
    LIMITS,
  );
  const marked = await optedOutProfiles(warehouse);
  const free = people.filter(({ profile }) => !marked.has(profile));
  const known = new Set(people.map(({ identifier }) => identifier));
  const out = await optedOutKeys(warehouse, keys);
  const unknown = keys.filter((key) => !known.has(key) && !out.has(key));
  await withholdSegments(redis, [...free, ...unknown.map((key) => ({ identifier: key, profile: 0, anchor: key }))], now());
  if (free.length === 0) return;
  // Rows under a new version: it is by these that the publication knows whom to write.
  const sql = `INSERT INTO identities (identifier, kind, profile, anchor, version, own, device, household, cluster, shared, device_sure, person_sure, household_sure)
    SELECT identifier, kind, profile, anchor, (SELECT max(version) + 1 FROM identities), own, device, household, cluster, shared,
      device_sure, person_sure, household_sure
    FROM identities FINAL WHERE profile IN {profiles:Array(UInt32)}`;
  await warehouse.command({ sql, params: { profiles: [...new Set(free.map(({ profile }) => profile))] } }, LIMITS);
}
