import type { Statement } from '../dmp/clickhouse/warehouse.ts';
import type { DmpDeps } from '../dmp/deps.ts';
import { compileRule } from '../dmp/segments/compile.ts';
import { type Run, type RunError, recordRun } from '../dmp/segments/runs.ts';
import { scopeOf } from '../dmp/segments/scope.ts';
import type { Segment } from '../dmp/segments/segment.ts';
import type { Thing } from '../dmp/things/things.ts';

/** Redis set of the segments that have, or may have, members. */
const EVALUATED_KEY = 'walkin:segmenter:evaluated';

const LIMITS = { seconds: 60, memoryBytes: 3 * 1024 ** 3 };

type EvaluateDeps = Pick<DmpDeps, 'warehouse' | 'redis' | 'things' | 'now' | 'log'>;

/**
 * Evaluates a segment's rule and writes who entered and who left under a new version. The rows are differences to the current
 * members, whatever those are, so a run that was cut off anywhere is completed by the next one. A rule that fails is a run with
 * an error, and changes nothing; only a warehouse that is away throws. Undefined: there is no such segment.
 */
export async function evaluate(deps: EvaluateDeps, id: string): Promise<Run | undefined> {
  const segment = deps.things.get('segment', id);
  if (segment === undefined) return undefined;
  await deps.redis.sadd(EVALUATED_KEY, id);
  const began = performance.now();
  const started = deps.now();
  const seconds = () => (performance.now() - began) / 1000;
  try {
    const version = (await lastVersion(deps, id)) + 1;
    const { rule, advertiser, level = 'person' } = segment.body;
    const selection = compileRule(rule, { ...scopeOf(deps.things, advertiser, started), level });
    await deps.warehouse.command(writeDifference(id, version, started, selection), LIMITS);
    const run: Run = { ...(await countMembers(deps, segment, version)), started, seconds: seconds(), error: '' };
    await recordRun(deps.warehouse, run);
    return run;
  } catch (error) {
    const run: Run = { ...failed(segment), started, seconds: seconds(), error: errorOf(error) };
    deps.log.error({ segment: id, run: run.error, err: error }, 'segment not evaluated');
    await recordRun(deps.warehouse, run);
    return run;
  }
}

/** Takes the members of segments that were deleted out of them. */
export async function retireDeleted(deps: EvaluateDeps): Promise<string[]> {
  const evaluated = await deps.redis.smembers(EVALUATED_KEY);
  const gone = evaluated.filter((id) => deps.things.get('segment', id) === undefined);
  for (const id of gone) {
    const nobody = { sql: 'SELECT toUInt32(0) AS profile WHERE 0', params: {} };
    const version = (await lastVersion(deps, id)) + 1;
    await deps.warehouse.command(writeDifference(id, version, deps.now(), nobody), LIMITS);
    await deps.redis.srem(EVALUATED_KEY, id);
  }
  return gone;
}

async function lastVersion({ warehouse }: EvaluateDeps, segment: string): Promise<number> {
  const sql = `SELECT greatest(
      (SELECT max(version) FROM memberships WHERE segment = {segment:String}),
      (SELECT max(version) FROM segment_runs WHERE segment = {segment:String})) AS version`;
  const [row] = await warehouse.query<{ version: number }>({ sql, params: { segment } });
  return row?.version ?? 0;
}

/** One statement: the rule's people against the current members, those in one of the two only are written. */
function writeDifference(segment: string, version: number, at: number, rule: Statement): Statement {
  // The key (segment, profile, version) makes a repetition harmless; a token would be one for all blocks of the statement.
  const sql = `INSERT INTO memberships (segment, profile, version, status, at) SETTINGS insert_deduplicate = 0
    SELECT {segment:String}, profile, {version:UInt32}, if(selected = 1, 1, -1), fromUnixTimestamp64Milli({at:Int64}) FROM (
      SELECT profile, max(is_selected) AS selected, max(is_member) AS held FROM (
        SELECT profile, toUInt8(1) AS is_selected, toUInt8(0) AS is_member FROM (${rule.sql})
        UNION ALL
        SELECT profile, toUInt8(0), toUInt8(1) FROM memberships
        WHERE segment = {segment:String} GROUP BY profile HAVING argMax(status, version) = 1
      ) GROUP BY profile HAVING selected != held)`;
  return { sql, params: { ...rule.params, segment, version, at } };
}

async function countMembers(
  { warehouse }: EvaluateDeps,
  segment: Thing<Segment>,
  version: number,
): Promise<Omit<Run, 'started' | 'seconds' | 'error'>> {
  const sql = `SELECT countIf(holds = 1) AS members, countIf(last = {version:UInt32} AND holds = 1) AS entered,
      countIf(last = {version:UInt32} AND holds = -1) AS gone
    FROM (SELECT argMax(status, version) AS holds, max(version) AS last FROM memberships WHERE segment = {segment:String} GROUP BY profile)`;
  const [row] = await warehouse.query<{ members: string; entered: string; gone: string }>({
    sql,
    params: { segment: segment.id, version },
  });
  return {
    segment: segment.id,
    version,
    revision: segment.revision,
    members: Number(row?.members ?? 0),
    entered: Number(row?.entered ?? 0),
    left: Number(row?.gone ?? 0),
  };
}

function failed(segment: Thing<Segment>): Omit<Run, 'started' | 'seconds' | 'error'> {
  return { segment: segment.id, version: 0, revision: segment.revision, members: 0, entered: 0, left: 0 };
}

/** ClickHouse's codes: 159 TIMEOUT_EXCEEDED, 160 TOO_SLOW, 241 MEMORY_LIMIT_EXCEEDED. */
function errorOf(error: unknown): RunError {
  const text = `${(error as { code?: unknown }).code ?? ''} ${String(error)}`;
  if (/\b(159|160)\b|TIMEOUT_EXCEEDED/.test(text)) return 'timeout';
  return /\b241\b|MEMORY_LIMIT_EXCEEDED/.test(text) ? 'memory' : 'failed';
}
