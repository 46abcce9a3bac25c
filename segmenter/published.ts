import type { DmpDeps } from '../dmp/deps.ts';
import { forgetPublished, notePublished, type PublishedSegment } from '../dmp/publication/status.ts';
import { STATE_KEY } from '../dmp/publication/values.ts';
import type { Sures } from './publish-people.ts';

/** Everybody's value is written anew within this time, whatever changed: see `MEMBERSHIP_HOURS`. */
const RENEWED_MS = 86_400_000;
/** A slice of everybody is renewed this often; each reads the index of all identities. */
const RENEWAL_MS = 600_000;
/** A membership that nobody renews ends, although the person stays known to caps and holdouts: at latest three days after its publisher stood still. */
export const MEMBERSHIP_HOURS = 72;

/** Versions of the identities and of each needed segment's members. */
export interface Versions {
  readonly identities: string;
  /** Greatest id of a profile. */
  readonly profiles: number;
  readonly segments: ReadonlyMap<string, Version>;
}

interface Version {
  readonly version: number;
  /** Epoch ms of the evaluation that made it. */
  readonly started: number;
}

export async function readVersions({ warehouse }: Pick<DmpDeps, 'warehouse'>, needed: readonly string[]): Promise<Versions> {
  const [identities] = await warehouse.query<{ version: string; profiles: number }>({
    sql: 'SELECT max(version) AS version, max(profile) AS profiles FROM identities',
  });
  const sql = `SELECT segment, max(version) AS newest, toUnixTimestamp64Milli(argMax(started, (version, -toUnixTimestamp64Milli(started)))) AS began FROM segment_runs
    WHERE segment IN {needed:Array(String)} AND error = '' GROUP BY segment`;
  const rows = await warehouse.query<{ segment: string; newest: number; began: string }>({ sql, params: { needed } });
  const versions = rows.map((row): [string, Version] => [row.segment, { version: row.newest, started: Number(row.began) }]);
  return { identities: identities?.version ?? '0', profiles: identities?.profiles ?? 0, segments: new Map(versions) };
}

export interface LastPublished {
  readonly identities: string;
  readonly segments: ReadonlyMap<string, number>;
  readonly sures: Sures;
  /** Until when everybody is renewed, epoch ms, and from which profile it goes on. */
  readonly renewed: number;
  readonly next: number;
}

/** Null: everybody must be published. */
export async function lastPublished({ redis }: Pick<DmpDeps, 'redis'>, now: number): Promise<LastPublished | null> {
  const { full, identities, renewed = full, next = '0', ...rest } = await redis.hgetall(STATE_KEY);
  if (renewed === undefined || identities === undefined || now - Number(renewed) > RENEWED_MS) return null;
  const segments = Object.entries(rest).filter(([field]) => field.startsWith('s:'));
  return {
    identities,
    segments: new Map(segments.map(([field, version]) => [field.slice(2), Number(version)])),
    sures: new Map(
      Object.entries(rest).flatMap(([field, sure]) => (field.startsWith('c:') ? [[field.slice(2), Number(sure)]] : [])),
    ),
    renewed: Number(renewed),
    next: Number(next),
  };
}

/** A slice of everybody whose turn it is to be written anew. */
export interface Renewal {
  /** Profiles, both included. */
  readonly first: number;
  readonly last: number;
  /** What is noted when it is done. */
  readonly renewed: number;
  readonly next: number;
}

/** In a day all ids have their turn, one after the other. Null: nobody's yet. */
export function renewalOf({ renewed, next }: LastPublished, profiles: number, now: number): Renewal | null {
  if (now - renewed < RENEWAL_MS) return null;
  const size = Math.floor((profiles * (now - renewed)) / RENEWED_MS);
  if (size === 0) return null;
  const first = next > profiles ? 0 : next;
  const last = first + size - 1;
  const isRound = last >= profiles;
  // The time of those who have had their turn, so that what is rounded off here is not lost.
  const passed = Math.ceil(((Math.min(last, profiles) - first + 1) * RENEWED_MS) / profiles);
  return { first, last: Math.min(last, profiles), renewed: Math.min(now, renewed + passed), next: isRound ? 0 : last + 1 };
}

export async function savePublished(
  { redis }: Pick<DmpDeps, 'redis'>,
  current: Versions,
  sures: Sures,
  last: LastPublished | null,
  renewal: Renewal | null,
  at: number,
): Promise<void> {
  const segments = [...current.segments].flatMap(([id, { version }]) => [`s:${id}`, version]);
  // Who is needed again later is back-filled, since then no version of it has been published.
  const dropped = [...(last?.segments.keys() ?? [])].filter((id) => !current.segments.has(id));
  const change = redis.multi().hset(STATE_KEY, 'identities', current.identities, ...segments);
  for (const [id, sure] of sures) change.hset(STATE_KEY, `c:${id}`, sure);
  for (const id of last?.sures.keys() ?? []) if (!sures.has(id)) change.hdel(STATE_KEY, `c:${id}`);
  if (last === null) change.hset(STATE_KEY, 'full', at, 'renewed', at, 'next', 0);
  else if (renewal !== null) change.hset(STATE_KEY, 'renewed', renewal.renewed, 'next', renewal.next);
  if (dropped.length > 0) change.hdel(STATE_KEY, ...dropped.map((id) => `s:${id}`));
  for (const [error] of (await change.exec()) ?? []) if (error !== null) throw error;
  await forgetPublished(redis, dropped);
}

/** Says what bidders have. Returns how long each new version took from its evaluation, seconds. */
export async function notePublication(
  { redis, now }: Pick<DmpDeps, 'redis' | 'now'>,
  last: LastPublished | null,
  current: Versions,
): Promise<number[]> {
  const at = now();
  const lags: number[] = [];
  const noted = new Map<string, PublishedSegment>();
  for (const [id, { version, started }] of current.segments) {
    const lag = Math.max(0, at - started) / 1000;
    if (version > (last?.segments.get(id) ?? 0)) lags.push(lag);
    noted.set(id, { at, version, lag });
  }
  await notePublished(redis, noted);
  return lags;
}
