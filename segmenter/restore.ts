import type { DmpDeps } from '../dmp/deps.ts';
import { scopeOf } from '../dmp/segments/advertiser-scope.ts';
import { Binder } from '../dmp/segments/binder.ts';
import { whoDidNotRefuse } from '../dmp/segments/rows.ts';
import { type Run, recordRun, runOfVersion } from '../dmp/segments/runs.ts';
import { termsOf } from '../dmp/sources/source.ts';
import { LIMITS } from './evaluate/limits.ts';
import { writeVersions } from './evaluate/pass.ts';
import { beginVersions, readEvaluated, saveEvaluated } from './evaluate/state.ts';
import { greatestVersions } from './evaluate/versions.ts';

type Deps = Pick<DmpDeps, 'warehouse' | 'redis' | 'things' | 'now' | 'log'>;

/** What is to be put back: the members of a version, for the revision of the segment that asked for it. */
export interface Restored {
  readonly version: number;
  readonly revision: number;
}

/**
 * Puts the members of an old version back as they are kept, so that they need not wait for an evaluation, which must follow: it asks
 * everybody by the rule of then. Who has withdrawn since, is gone or went into another person stays out; so do all where a contract ended
 * since. Null: nothing was put back, since the members are not kept, the segment was changed again, or evaluated meanwhile.
 */
export async function putBack(deps: Deps, id: string, { version, revision }: Restored): Promise<Run | null> {
  const { warehouse, redis, things } = deps;
  const segment = things.get('segment', id);
  const [old, states] = [await runOfVersion(warehouse, id, version), await readEvaluated(redis)];
  const before = states.known.get(id);
  if (segment === undefined || segment.revision !== revision || old === null || before === undefined) return null;
  if (before.version !== version && !before.kept.includes(version)) return null;
  const last = await runOfVersion(warehouse, id, before.version);
  if ((last?.revision ?? 0) >= revision || contractEnded(deps, old.started)) return null;

  const began = performance.now();
  const now = deps.now();
  await stepsOf(deps, id, version, segment.body.advertiser, now);
  const greatest = await greatestVersions(warehouse, [id]);
  const next = Math.max(before.version, states.begun.get(id) ?? 0, greatest.get(id) ?? 0) + 1;
  await beginVersions(redis, new Map([[id, next]]));
  // What is there is compared with what is to be there: cut off and begun again, nobody enters twice.
  await writeVersions(warehouse, [{ id, version: next, isUnsure: true }], now);
  const run: Run = {
    ...{ segment: id, version: next, revision: old.revision, started: now, seconds: (performance.now() - began) / 1000 },
    ...(await countsOf(deps, id, next)),
    ...{ error: '', mode: 'restored', asked: 0, rows: 0, bytes: 0 },
  };
  await recordRun(warehouse, run);
  // The digest of no rule: everybody is asked next.
  await saveEvaluated(redis, new Map([[id, { ...before, version: next, digest: '', at: now, kept: keptOf(before) }]]));
  return run;
}

function keptOf({ version, kept }: { readonly version: number; readonly kept: readonly number[] }): number[] {
  return [...new Set([...kept, version])];
}

/** Whether some contract was ended after a time: what stood on it then must not come back. */
function contractEnded({ things }: Deps, since: number): boolean {
  return things.list('source').some(({ body }) => Date.parse(termsOf(body).revoked?.at ?? '') >= since);
}

/** The members as they are to be, in `segment_steps`, each where the person's facts lie now. */
async function stepsOf(
  { warehouse, things }: Deps,
  segment: string,
  version: number,
  advertiser: string | null,
  now: number,
): Promise<void> {
  const compiler = { scope: scopeOf(things, advertiser, now), bound: new Binder() };
  const agreed = whoDidNotRefuse(compiler);
  const sql = `INSERT INTO segment_steps (segment, shard, members, entered, gone) SETTINGS insert_deduplicate = 0
    SELECT {segment:String}, shard, groupBitmapState(profile), groupBitmapStateIf(profile, 0), groupBitmapStateIf(profile, 0)
    FROM (SELECT DISTINCT shard, profile FROM facts WHERE kind = 'person' AND profile IN (${KEPT})${agreed === '' ? '' : ` AND ${agreed}`})
    GROUP BY shard`;
  await warehouse.command({ sql: 'TRUNCATE TABLE segment_steps' });
  await warehouse.command({ sql, params: { ...compiler.bound.values, segment, version } }, LIMITS);
}

const KEPT = `SELECT arrayJoin(bitmapToArray(members)) FROM segment_members FINAL
  WHERE segment = {segment:String} AND version = {version:UInt32}`;

async function countsOf(
  { warehouse }: Deps,
  segment: string,
  version: number,
): Promise<Pick<Run, 'members' | 'entered' | 'left'>> {
  const sql = `SELECT (SELECT sum(bitmapCardinality(s.members)) FROM segment_steps AS s) AS members,
    countIf(status = 1) AS came, countIf(status = -1) AS went
    FROM memberships FINAL WHERE segment = {segment:String} AND version = {version:UInt32}`;
  const [row] = await warehouse.query<{ members: string | null; came: string; went: string }>(
    { sql, params: { segment, version } },
    LIMITS,
  );
  return { members: Number(row?.members ?? 0), entered: Number(row?.came ?? 0), left: Number(row?.went ?? 0) };
}
