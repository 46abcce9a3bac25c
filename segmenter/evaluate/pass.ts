import type { Limits, Statement, Warehouse } from '../../dmp/clickhouse/warehouse.ts';
import type { Level } from '../../dmp/identity/kinds.ts';
import { columnsOf } from '../../dmp/segments/algebra.ts';
import type { Compiler } from '../../dmp/segments/plan.ts';
import { whoDidNotRefuse } from '../../dmp/segments/rows.ts';
import { stretchOf } from '../../dmp/segments/sets.ts';
import { unitOf } from '../../dmp/segments/unit.ts';
import type { Between } from './leaves.ts';
import { LIMITS } from './limits.ts';
import { AT_ONCE, inTurns } from './turns.ts';

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

/** Rules as algebra of sets. */
export interface Algebra {
  /** Segments whose members are one set, as it is kept: in no other way were a million possible. */
  readonly plain: readonly { readonly id: string; readonly kept: string }[];
  /** Everybody, and who refused where anybody can. */
  readonly common: readonly { readonly of: unknown; readonly kept: string }[];
  /** Of the others. */
  readonly ids: readonly string[];
  /** For each rule its members, an expression over columns of these names. */
  readonly rules: readonly string[];
  readonly names: readonly string[];
  /** Selects the sets of these names: `leaf` (the name), `shard`, `members`. Binds values. */
  sets(names: readonly string[]): string;
  readonly level: Level;
  readonly compiler: Compiler;
}

/**
 * For each rule who holds, as sets by shard; and from these and the members so far the new members, who entered and who left, in
 * `segment_steps`. Returns the counts by segment.
 *
 * @param segments of the rules, in their order
 * @param shards in which somebody is
 */
export async function takePass(
  warehouse: Warehouse,
  algebra: Algebra,
  segments: readonly Asked[],
  shards: readonly number[],
  limits: Limits,
  between: Between,
): Promise<Map<string, Counted>> {
  for (const table of ['segment_held', 'segment_steps']) await warehouse.command({ sql: `TRUNCATE TABLE ${table}` });
  const ids = segments.map(({ id }) => id);
  const ranges = shards.length < 2 ? ['1'] : shards.map((shard) => `shard = ${shard}`);
  if (algebra.plain.length > 0) await warehouse.command(plainHeld(algebra), limits);
  const work = heldIn(shards).flatMap((range, _, all) => partsOf(algebra, all.length).map((part) => ({ part, range })));
  await inTurns(work, async ({ part, range }) => {
    await between(1);
    // It binds values too.
    const sql = heldOf(part, range);
    await warehouse.command({ sql, params: { ...algebra.compiler.bound.values, passIds: part.ids } }, limits);
  });
  const params = { passIds: ids, versions: segments.map(({ version }) => version) };
  // Members of before may be in others.
  const all = shards.length < 2 ? ['1'] : [...ranges, `shard NOT IN (${shards.join(', ')})`];
  await inTurns(all, (range) => warehouse.command({ sql: stepsIn(range), params }, LIMITS));
  const rows = await warehouse.query<CountRow>({ sql: COUNTS }, LIMITS);
  const counts = new Map<string, Counted>(ids.map((id) => [id, NOBODY]));
  for (const { id, n, in_count, out_count, changed } of rows)
    counts.set(id, { members: Number(n), entered: Number(in_count), left: Number(out_count), isChanged: changed === 1 });
  return counts;
}

function plainHeld({ plain, common }: Algebra): Statement {
  const set = (of: string): string =>
    `(SELECT groupBitmapMergeState(members) FROM leaf_members FINAL WHERE leaf = {${of}:String}) AS ${of}`;
  const known = new Map(common.map(({ of, kept }) => [String(of), kept]));
  const refused = known.has('refused');
  const members = refused ? 'bitmapAndnot(bitmapAnd(held, everybody), refused)' : 'bitmapAnd(held, everybody)';
  const sql = `INSERT INTO segment_held (segment, shard, members) SETTINGS insert_deduplicate = 0
    WITH ${[...known.keys()].map(set).join(', ')}
    SELECT segment, shard, ${members} AS kept FROM (SELECT leaf, shard, members AS held FROM leaf_members FINAL WHERE leaf IN {leaves:Array(String)}) AS sets
    INNER JOIN (SELECT tupleElement(pair, 1) AS leaf, tupleElement(pair, 2) AS segment
      FROM (SELECT arrayJoin(arrayZip({leaves:Array(String)}, {plainIds:Array(String)})) AS pair)) AS named USING leaf
    WHERE bitmapCardinality(kept) > 0`;
  return {
    sql,
    params: { leaves: plain.map(({ kept }) => kept), plainIds: plain.map(({ id }) => id), ...Object.fromEntries(known) },
  };
}

/** To understand rules takes longer than their sets in a shard or two, which take a quarter of a megabyte each. */
function heldIn(shards: readonly number[]): string[] {
  if (shards.length <= AT_ONCE) return ['1'];
  const pairs = Array.from({ length: Math.ceil(shards.length / AT_ONCE) }, (_, n) =>
    shards.slice(n * AT_ONCE, (n + 1) * AT_ONCE),
  );
  return pairs.map((pair) => `shard IN (${pair.join(', ')})`);
}

/** Of statements that are fewer than go at once each is cut into so many, with the sets that its rules are made of. */
function partsOf(algebra: Algebra, statements: number): Algebra[] {
  const { ids, rules, names } = algebra;
  if (ids.length === 0) return [];
  const parts = statements < AT_ONCE && ids.length > FEW_RULES ? AT_ONCE : 1;
  const size = Math.ceil(ids.length / parts);
  return Array.from({ length: parts }, (_, n) => {
    const own = rules.slice(n * size, (n + 1) * size);
    const words = new Set(own.join(' ').match(/\w+/g));
    return { ...algebra, ids: ids.slice(n * size, (n + 1) * size), rules: own, names: names.filter((name) => words.has(name)) };
  });
}

const FEW_RULES = 20;

function heldOf({ rules, names, sets, level, compiler }: Algebra, range: string): string {
  const columns = columnsOf(names, `SELECT leaf, shard, members FROM (${sets(names)}) WHERE ${range}`);
  const held = `SELECT id AS segment, shard, members FROM (SELECT shard, [${rules.join(', ')}] AS sets FROM (${columns}))
    ARRAY JOIN sets AS members, {passIds:Array(String)} AS id WHERE bitmapCardinality(members) > 0`;
  const into = 'INSERT INTO segment_held (segment, shard, members) SETTINGS insert_deduplicate = 0';
  if (level === 'person') return `${into} ${held}`;
  const agreed = whoDidNotRefuse(compiler);
  const people = `SELECT DISTINCT profile, ${unitOf(compiler)} AS unit FROM facts WHERE kind = 'person'${agreed === '' ? '' : ` AND ${agreed}`}`;
  return `${into} SELECT segment, ${stretchOf('profile')} AS shard, groupBitmapState(profile) FROM (SELECT segment, arrayJoin(bitmapToArray(members)) AS unit FROM (${held})) AS units
    INNER JOIN (${people}) AS people USING unit GROUP BY segment, shard`;
}

/** Members so far. Binds passIds and versions. */
const SO_FAR = `SELECT segment, shard, members FROM segment_members FINAL WHERE segment IN {passIds:Array(String)}
  AND version = transform(toString(segment), {passIds:Array(String)}, {versions:Array(UInt32)}, toUInt32(0)) AND version > 0`;

function stepsIn(range: string): string {
  return `INSERT INTO segment_steps (segment, shard, members, entered, gone) SETTINGS insert_deduplicate = 0
    SELECT segment, shard, held, bitmapAndnot(held, before), bitmapAndnot(before, held) FROM (
      SELECT segment, shard, groupBitmapMergeStateIf(members, role = 0) AS before, groupBitmapMergeStateIf(members, role = 1) AS held
      FROM (SELECT segment, shard, members, toUInt8(0) AS role FROM (${SO_FAR})
        UNION ALL SELECT segment, shard, members, toUInt8(1) FROM segment_held)
      WHERE ${range} GROUP BY segment, shard)`;
}

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
  /** How many entered or left; absent: it is not known. */
  readonly changes?: number;
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
  await inTurns(chunksOf(sure), (some) => warehouse.command({ sql: MEMBERSHIPS, params: paramsOf(some) }, LIMITS));
  if (unsure.length > 0) await warehouse.command({ sql: REPAIRED, params: paramsOf(unsure) }, LIMITS);
}

/** In the order of their ids, as the rows of memberships are. */
function chunksOf(versions: readonly NewVersion[]): NewVersion[][] {
  const chunks: NewVersion[][] = [];
  let rows = 0;
  for (const one of [...versions].sort((a, b) => (a.id < b.id ? -1 : 1))) {
    const { changes = 0 } = one;
    const open = chunks.at(-1);
    rows = open === undefined || rows + changes > MOST_ROWS ? changes : rows + changes;
    if (open === undefined || rows === changes) chunks.push([one]);
    else open.push(one);
  }
  return chunks;
}

const VERSION = 'transform(toString(segment), {passIds:Array(String)}, {versions:Array(UInt32)}, toUInt32(0))';
const TIME = 'fromUnixTimestamp64Milli({at:Int64})';

const NETS = `SELECT segment, groupBitmapMergeState(entered) AS came, groupBitmapMergeState(gone) AS went FROM segment_steps
  WHERE segment IN {passIds:Array(String)} GROUP BY segment ORDER BY segment`;

/** Of memberships that one statement writes. */
const MOST_ROWS = 4_000_000;

const MEMBERS = `INSERT INTO segment_members (segment, version, shard, members, computed) SETTINGS insert_deduplicate = 0
  SELECT segment, ${VERSION}, shard, members, ${TIME} FROM segment_steps
  WHERE segment IN {passIds:Array(String)} AND bitmapCardinality(members) > 0`;

/**
 * Who entered and left, less who only went to another shard. Rows come in the order of the table's key and each once, in blocks of millions:
 * so they are neither sorted nor looked through for repetitions, and few parts are merged. A sixteenth of what it takes to group and
 * sort the rows.
 */
const MEMBERSHIPS = `INSERT INTO memberships (segment, profile, version, status, at)
  SETTINGS insert_deduplicate = 0, optimize_on_insert = 0, max_threads = 1, max_insert_threads = 1, min_insert_block_size_rows = ${MOST_ROWS}, min_insert_block_size_bytes = 0
  SELECT segment, profile, version, status, ${TIME} FROM (
    SELECT segment, ${VERSION} AS version, bitmapToArray(bitmapAndnot(came, went)) AS profiles, toInt8(1) AS status FROM (${NETS})
    UNION ALL
    SELECT segment, ${VERSION}, bitmapToArray(bitmapAndnot(went, came)), toInt8(-1) FROM (${NETS}))
  ARRAY JOIN profiles AS profile`;

const REPAIRED = `INSERT INTO memberships (segment, profile, version, status, at) SETTINGS insert_deduplicate = 0
  SELECT segment, profile, ${VERSION}, if(wanted = 1, 1, -1), ${TIME} FROM (
    SELECT segment, profile, max(is_wanted) AS wanted, max(is_there) AS there FROM (
      SELECT segment, arrayJoin(bitmapToArray(members)) AS profile, toUInt8(1) AS is_wanted, toUInt8(0) AS is_there FROM segment_steps
      WHERE segment IN {passIds:Array(String)}
      UNION ALL
      SELECT segment, profile, toUInt8(0), toUInt8(1) FROM memberships
      WHERE segment IN {passIds:Array(String)} GROUP BY segment, profile HAVING argMax(status, memberships.version) = 1
    ) GROUP BY segment, profile HAVING wanted != there)`;
