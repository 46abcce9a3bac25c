import type { Limits, Warehouse } from '../../dmp/clickhouse/warehouse.ts';
import { whoDidNotRefuse } from '../../dmp/segments/rows.ts';
import type { Scan } from '../../dmp/segments/scan.ts';
import { LIMITS } from './limits.ts';

/** A rule of a pass: the segment, and the version of its members so far (0: it has none). */
export interface Asked {
  readonly id: string;
  readonly version: number;
}

export interface Counted {
  readonly members: number;
  readonly entered: number;
  readonly left: number;
  /** Whether any shard's set is another. */
  readonly isChanged: boolean;
}

const NOBODY: Counted = { members: 0, entered: 0, left: 0, isChanged: false };

interface CountRow {
  readonly id: string;
  readonly n: string;
  readonly in_count: string;
  readonly out_count: string;
  readonly changed: 0 | 1;
}

const ASKED = '(shard, profile) IN (SELECT shard, profile FROM segment_asked)';

/**
 * One pass over the facts of whom is asked (or of everybody): for each rule who holds, as sets by shard; and from these and the members so far
 * the new members, who entered and who left, in `segment_steps`. Returns the counts by segment.
 *
 * @param scan of the segments' rules, in their order
 */
export async function takePass(
  warehouse: Warehouse,
  scan: Scan,
  segments: readonly Asked[],
  isWhole: boolean,
  limits: Limits = LIMITS,
): Promise<Map<string, Counted>> {
  for (const table of ['segment_held', 'segment_steps']) await warehouse.command({ sql: `TRUNCATE TABLE ${table}` });
  const ids = segments.map(({ id }) => id);
  await warehouse.command({ sql: heldOf(scan, isWhole ? '' : ASKED), params: { ...scan.bound.values, passIds: ids } }, limits);
  const params = { passIds: ids, versions: segments.map(({ version }) => version) };
  await warehouse.command({ sql: isWhole ? WHOLE : AGAIN, params }, LIMITS);
  const rows = await warehouse.query<CountRow>({ sql: COUNTS }, LIMITS);
  const counts = new Map<string, Counted>(ids.map((id) => [id, NOBODY]));
  for (const { id, n, in_count, out_count, changed } of rows)
    counts.set(id, { members: Number(n), entered: Number(in_count), left: Number(out_count), isChanged: changed === 1 });
  return counts;
}

/** Of segments of which nobody is asked. */
export async function countMembers(warehouse: Warehouse, segments: readonly Asked[]): Promise<Map<string, Counted>> {
  const params = { passIds: segments.map(({ id }) => id), versions: segments.map(({ version }) => version) };
  const sql = `SELECT toString(segment) AS id, sum(bitmapCardinality(s.members)) AS n FROM (${SO_FAR}) AS s GROUP BY segment`;
  const rows = await warehouse.query<{ id: string; n: string }>({ sql, params }, LIMITS);
  const counts = new Map<string, Counted>(segments.map(({ id }) => [id, NOBODY]));
  for (const { id, n } of rows) counts.set(id, { ...NOBODY, members: Number(n) });
  return counts;
}

function heldOf(scan: Scan, range: string): string {
  const agreed = whoDidNotRefuse(scan.compiler);
  const holds = scan.holds.map((hold, n) => `${hold} AS h${n}`).join(', ');
  const units = `SELECT shard, unit, ${holds} FROM (${scan.units(range)})`;
  const people =
    scan.level === 'person'
      ? `SELECT *, unit AS profile FROM (${units})`
      : `SELECT * FROM (SELECT DISTINCT shard, profile, ${scan.level} AS unit FROM facts WHERE kind = 'person'${range === '' ? '' : ` AND ${range}`}) AS people
        INNER JOIN (${units}) AS units USING (shard, unit)`;
  const sets = scan.holds.map((_, n) => `groupBitmapStateIf(profile, h${n})`).join(', ');
  return `INSERT INTO segment_held (segment, shard, members) SETTINGS insert_deduplicate = 0, ${IN_ORDER}
    SELECT id, shard, members FROM (
      SELECT shard, [${sets}] AS sets FROM (${people})${agreed === '' ? '' : ` WHERE ${agreed}`} GROUP BY shard)
    ARRAY JOIN sets AS members, {passIds:Array(String)} AS id WHERE bitmapCardinality(members) > 0`;
}

/**
 * Rows come in the order of the key, so that people are done one after the other and nothing is kept of them: 140 MB for 200 rules, where a
 * table of everybody takes 10 % less time and gigabytes. Also what is small is read by all cores.
 */
const IN_ORDER =
  'optimize_aggregation_in_order = 1, merge_tree_min_rows_for_concurrent_read = 8192, merge_tree_min_bytes_for_concurrent_read = 1';

/** Members so far. Binds passIds and versions. */
const SO_FAR = `SELECT segment, shard, members FROM segment_members FINAL WHERE segment IN {passIds:Array(String)}
  AND version = transform(toString(segment), {passIds:Array(String)}, {versions:Array(UInt32)}, toUInt32(0)) AND version > 0`;

const BOTH = `SELECT segment, shard, groupBitmapMergeStateIf(members, role = 0) AS before, groupBitmapMergeStateIf(members, role = 1) AS held
  FROM (SELECT segment, shard, members, toUInt8(0) AS role FROM (${SO_FAR})
    UNION ALL SELECT segment, shard, members, toUInt8(1) FROM segment_held)
  GROUP BY segment, shard`;

const WHOLE = `INSERT INTO segment_steps (segment, shard, members, entered, gone) SETTINGS insert_deduplicate = 0
  SELECT segment, shard, held, bitmapAndnot(held, before), bitmapAndnot(before, held) FROM (${BOTH})`;

const AGAIN = `INSERT INTO segment_steps (segment, shard, members, entered, gone) SETTINGS insert_deduplicate = 0
  SELECT segment, shard, bitmapOr(bitmapAndnot(before, asked), held), bitmapAndnot(held, before), bitmapAndnot(bitmapAnd(before, asked), held)
  FROM (${BOTH}) AS sets LEFT JOIN (SELECT shard, groupBitmapState(profile) AS asked FROM segment_asked GROUP BY shard) AS who USING shard`;

/** Who went to another shard left one and entered another, and so did neither. */
const COUNTS = `SELECT toString(segment) AS id, sum(bitmapCardinality(s.members)) AS n,
    bitmapAndnotCardinality(groupBitmapMergeState(s.entered) AS came, groupBitmapMergeState(s.gone) AS went) AS in_count,
    bitmapAndnotCardinality(went, came) AS out_count, sum(bitmapCardinality(s.entered)) + sum(bitmapCardinality(s.gone)) > 0 AS changed
  FROM segment_steps AS s GROUP BY segment`;

/** A version to be written of what is in `segment_steps`. */
export interface NewVersion {
  readonly id: string;
  readonly version: number;
  /** Rows of this or an older version may be there that nobody knows of: the difference is taken to the memberships as they are. */
  readonly isUnsure: boolean;
}

/** Writes members and memberships. Repeating it under other versions changes nothing more. */
export async function writeVersions(warehouse: Warehouse, versions: readonly NewVersion[], at: number): Promise<void> {
  if (versions.length === 0) return;
  const paramsOf = (some: readonly NewVersion[]) => ({
    passIds: some.map(({ id }) => id),
    versions: some.map(({ version }) => version),
    at,
  });
  await warehouse.command({ sql: MEMBERS, params: paramsOf(versions) }, LIMITS);
  const [sure, unsure] = [versions.filter((one) => !one.isUnsure), versions.filter((one) => one.isUnsure)];
  if (sure.length > 0) await warehouse.command({ sql: MEMBERSHIPS, params: paramsOf(sure) }, LIMITS);
  if (unsure.length > 0) await warehouse.command({ sql: REPAIRED, params: paramsOf(unsure) }, LIMITS);
}

const VERSION = 'transform(toString(segment), {passIds:Array(String)}, {versions:Array(UInt32)}, toUInt32(0))';
const TIME = 'fromUnixTimestamp64Milli({at:Int64})';

const MEMBERS = `INSERT INTO segment_members (segment, version, shard, members, computed) SETTINGS insert_deduplicate = 0
  SELECT segment, ${VERSION}, shard, members, ${TIME} FROM segment_steps
  WHERE segment IN {passIds:Array(String)} AND bitmapCardinality(members) > 0`;

const MEMBERSHIPS = `INSERT INTO memberships (segment, profile, version, status, at) SETTINGS insert_deduplicate = 0
  SELECT segment, profile, ${VERSION}, if(net = 1, 1, -1), ${TIME} FROM (
    SELECT segment, profile, sum(change) AS net FROM (
      SELECT segment, arrayJoin(bitmapToArray(entered)) AS profile, toInt8(1) AS change FROM segment_steps WHERE segment IN {passIds:Array(String)}
      UNION ALL
      SELECT segment, arrayJoin(bitmapToArray(gone)) AS profile, toInt8(-1) FROM segment_steps WHERE segment IN {passIds:Array(String)})
    GROUP BY segment, profile HAVING net != 0)`;

const REPAIRED = `INSERT INTO memberships (segment, profile, version, status, at) SETTINGS insert_deduplicate = 0
  SELECT segment, profile, ${VERSION}, if(wanted = 1, 1, -1), ${TIME} FROM (
    SELECT segment, profile, max(is_wanted) AS wanted, max(is_there) AS there FROM (
      SELECT segment, arrayJoin(bitmapToArray(members)) AS profile, toUInt8(1) AS is_wanted, toUInt8(0) AS is_there FROM segment_steps
      WHERE segment IN {passIds:Array(String)}
      UNION ALL
      SELECT segment, profile, toUInt8(0), toUInt8(1) FROM memberships
      WHERE segment IN {passIds:Array(String)} GROUP BY segment, profile HAVING argMax(status, memberships.version) = 1
    ) GROUP BY segment, profile HAVING wanted != there)`;
