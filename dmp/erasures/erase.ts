import { capsKey } from '../../proto/keys.ts';
import { NOBODY } from '../ad-events/rows.ts';
import { announceRefusal } from '../consents/refused.ts';
import type { DmpDeps } from '../deps.ts';
import { endEra } from '../events/edge-memory.ts';
import { type JobContext, JobRefused } from '../jobs/jobs.ts';
import { optOut } from '../opt-out/opt-out.ts';
import { TABLE_OF } from '../sources/presence.ts';
import { SOURCE_KINDS } from '../sources/source.ts';
import { dropExports, valuesOf } from './exports.ts';
import { dropFiles, type FileDeps } from './files.ts';
import { type Owned, peopleBehind, remember, remembered } from './person.ts';
import { BITMAPS, PLACES, type Place, PROFILE_TABLES, whereMember, whereNamed, whereWritten } from './places.ts';
import { type Receipt, readErasure, writeReceipt } from './receipt.ts';
import { search } from './search.ts';
import { walkStream } from './stream.ts';

type Deps = Pick<DmpDeps, 'warehouse' | 'redis' | 'now'>;
type Steps = Pick<JobContext, 'progress' | 'checkpoint'>;

const LIMITS = { seconds: 3_600, memoryBytes: 4 * 1024 ** 3 };
/** What came in while it ran, by a batch that had begun before, is taken out by another round. */
const ROUNDS = 5;
const KEPT_SECONDS = 30 * 86_400;
const countsKey = (erasure: string): string => `walkin:erasure:${erasure}`;

/**
 * Erases people: first it is written down whom, so that nothing of them is taken any more and a run that is cut off goes on where
 * it was; then they are taken out of every place; last they are searched for, and only where nothing is found it is done.
 *
 * @param fold brings the graph of identity up to date, so that what was named together a moment ago is theirs too
 */
export async function erase(deps: FileDeps, fold: () => Promise<unknown>, erasure: string, steps: Steps): Promise<Receipt> {
  const { warehouse, redis, now } = deps;
  const asked = await remembered(deps, erasure);
  const record = await readErasure(warehouse, erasure);
  if (asked.length === 0 || record === null) throw new JobRefused('not_found', `there is no erasure ${erasure}`);
  if (record.receipt !== null) return record.receipt;
  await steps.checkpoint();
  await fold();
  const behind = await peopleBehind(
    deps,
    asked.map(({ identifier }) => identifier),
  );
  await remember(deps, erasure, behind.owned);
  await announceRefusal(redis);
  const { keys, profiles } = whole([...asked, ...behind.owned]);
  await optOut(deps, keys);
  // By these the files for destinations are searched, so it is the first thing that is done and a run that was cut off later has done it.
  const values = await valuesOf(deps, keys);
  await note(deps, erasure, 'export files', await dropExports(deps, values));

  for (let round = 1; ; round++) {
    for (const [done, place] of PLACES.entries()) {
      await steps.checkpoint();
      await steps.progress({ done, total: PLACES.length, unit: 'tables', stage: 'erase' });
      await empty(deps, erasure, place.table, whereNamed(place), keys, place.act === 'blank' ? blank(place) : null);
    }
    await emptyRest(deps, erasure, keys, profiles);
    await steps.progress({ done: 0, total: 1, unit: 'searches', stage: 'search' });
    const proof = await search(deps, keys, profiles, values);
    if (proof.found.length > 0 && round < ROUNDS) continue;
    if (proof.found.length > 0) throw new Error(`still found after ${round} rounds: ${JSON.stringify(proof.found)}`);
    // Who agrees anew brings edges that are no more.
    await endEra(redis);
    const counts = await redis.hgetall(countsKey(erasure));
    const receipt: Receipt = {
      identifiers: keys.length,
      profiles: profiles.length,
      shared: behind.shared,
      erased: Object.fromEntries(Object.entries(counts).map(([place, rows]) => [place, Number(rows)])),
      proof: {
        at: new Date(now()).toISOString(),
        searched: proof.places,
        redisKeys: proof.redisKeys,
        files: proof.files,
        exportFiles: proof.exportFiles,
        found: [],
      },
    };
    await writeReceipt(deps, record, receipt);
    await redis.del(countsKey(erasure));
    return receipt;
  }
}

function whole(owned: readonly Owned[]): { keys: string[]; profiles: number[] } {
  return {
    keys: [...new Set(owned.map(({ identifier }) => identifier))],
    profiles: [...new Set(owned.map(({ profile }) => profile))].filter((profile) => profile > 0),
  };
}

/** Memberships, texts, files and Redis. */
async function emptyRest(deps: FileDeps, erasure: string, keys: readonly string[], profiles: readonly number[]): Promise<void> {
  const { redis } = deps;
  if (profiles.length > 0) await emptySegments(deps, erasure, keys, profiles);
  await empty(deps, erasure, 'quarantine', whereWritten(['original', 'value']), keys, null);
  // That somebody looked stays, at whom does not.
  const lookedAt = `${whereWritten(['id'])} OR (kind = 'profiles' AND toUInt32OrZero(id) IN {profiles:Array(UInt32)})`;
  await empty(deps, erasure, 'audit_log', lookedAt, keys, "id = 'erased'", profiles);
  await note(deps, erasure, 'files', await dropFiles(deps, new Set(keys)));
  await note(deps, erasure, 'stream', await walkStream(redis, new Set(keys), true));
  await note(deps, erasure, 'redis caps', keys.length === 0 ? 0 : await redis.del(...keys.map(capsKey)));
  // Now that they have no profile, the marks name none either.
  await optOut(deps, keys);
}

/** Older rows, not merged away yet, of identifiers that became somebody else's: they still say whose they were. */
const WHERE_MOVED_ON = `profile IN {profiles:Array(UInt32)} AND identifier IN (
  SELECT identifier FROM identities FINAL
  WHERE identifier IN (SELECT identifier FROM identities WHERE profile IN {profiles:Array(UInt32)}) AND profile NOT IN {profiles:Array(UInt32)})`;

/** What is known by the number of the profile. */
async function emptySegments(deps: Deps, erasure: string, keys: readonly string[], profiles: readonly number[]): Promise<void> {
  // Who lives with them is asked again by rules that count by household.
  const touch = `INSERT INTO touches (shard, profile, fold) SETTINGS insert_deduplicate = 0
    SELECT DISTINCT shard, profile, (SELECT max(fold) + 1 FROM touches) FROM facts
    WHERE kind = 'person' AND profile NOT IN {profiles:Array(UInt32)}
      AND household IN (SELECT household FROM facts WHERE kind = 'person' AND profile IN {profiles:Array(UInt32)})`;
  await deps.warehouse.command({ sql: touch, params: { profiles } }, LIMITS);
  for (const table of PROFILE_TABLES)
    await empty(deps, erasure, table, 'profile IN {profiles:Array(UInt32)}', keys, null, profiles);
  await empty(deps, erasure, 'identities', WHERE_MOVED_ON, keys, null, profiles);
  for (const { table, columns } of BITMAPS) {
    const change = columns
      .map((column) => `${column} = bitmapAndnot(${column}, bitmapBuild({profiles:Array(UInt32)}))`)
      .join(', ');
    await empty(deps, erasure, table, columns.map(whereMember).join(' OR '), keys, change, profiles);
  }
}

/** Rows are counted before they go, and the first count stays: a run that goes on finds fewer. */
async function empty(
  deps: Deps,
  erasure: string,
  table: string,
  where: string,
  keys: readonly string[],
  update: string | null,
  profiles: readonly number[] = [],
): Promise<void> {
  const { warehouse } = deps;
  const params = { keys, profiles };
  const [row] = await warehouse.query<{ n: string }>({ sql: `SELECT count() AS n FROM ${table} WHERE ${where}`, params }, LIMITS);
  const rows = Number(row?.n ?? 0);
  const first = await note(deps, erasure, table, rows);
  if (rows > 0) {
    await countOut(deps, table, where, params);
    const change = update === null ? `DELETE FROM ${table}` : `ALTER TABLE ${table} UPDATE ${update}`;
    const settings = update === null ? '' : ' SETTINGS mutations_sync = 2';
    await warehouse.command({ sql: `${change} WHERE ${where}${settings}`, params }, LIMITS);
  }
  // Rows are hidden at once; their bytes go when the parts are written anew, which a run before may not have come to.
  if (update === null && first > 0)
    await warehouse.command({ sql: `ALTER TABLE ${table} APPLY DELETED MASK SETTINGS mutations_sync = 2` }, LIMITS);
}

/** What is deleted was no duplicate: the counts of arrivals know it. */
async function countOut({ warehouse }: Deps, table: string, where: string, params: Record<string, unknown>): Promise<void> {
  const kind = SOURCE_KINDS.find((one) => TABLE_OF[one].table === table);
  if (kind === undefined) return;
  const { arrived } = TABLE_OF[kind];
  const sql = `INSERT INTO arrivals (source, kind, day, rows, removed)
    SELECT source, '${kind}', toDate(${arrived}), 0, count() FROM ${table} FINAL WHERE ${where} GROUP BY source, toDate(${arrived})`;
  await warehouse.command({ sql, params }, LIMITS);
}

function blank({ keys }: Place): string {
  return [...keys.map((column) => `${column} = '${NOBODY}'`), "consent = ''"].join(', ');
}

/** Returns what was counted first. */
async function note({ redis }: Deps, erasure: string, place: string, rows: number): Promise<number> {
  const name = countsKey(erasure);
  await redis.hsetnx(name, place, rows);
  await redis.expire(name, KEPT_SECONDS);
  return Math.max(rows, Number(await redis.hget(name, place)));
}

/** How many rows of each place name the people, of whom nothing is changed. */
export async function countRows(deps: Deps, owned: readonly Owned[]): Promise<Record<string, number>> {
  const { keys, profiles } = whole(owned);
  const places = [
    ...PLACES.map((place) => ({ table: place.table, where: whereNamed(place) })),
    ...PROFILE_TABLES.map((table) => ({ table, where: 'profile IN {profiles:Array(UInt32)}' })),
    { table: 'quarantine', where: whereWritten(['original', 'value']) },
    { table: 'audit_log', where: whereWritten(['id']) },
  ];
  const counts: Record<string, number> = {};
  for (const { table, where } of places) {
    const [row] = await deps.warehouse.query<{ n: string }>(
      { sql: `SELECT count() AS n FROM ${table} WHERE ${where}`, params: { keys, profiles } },
      { seconds: 60 },
    );
    counts[table] = Number(row?.n ?? 0);
  }
  return { ...counts, stream: await walkStream(deps.redis, new Set(keys), false) };
}
