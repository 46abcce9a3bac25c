import type { Warehouse } from '../../dmp/clickhouse/warehouse.ts';
import type { Level } from '../../dmp/identity/kinds.ts';
import type { Compiler, LeafPlan } from '../../dmp/segments/plan.ts';
import { isOfOthers, kindsOf, stretchOf } from '../../dmp/segments/sets.ts';
import { SHARDS } from '../../dmp/segments/shards.ts';
import { unitOf } from '../../dmp/segments/unit.ts';
import { LIMITS } from './limits.ts';
import { inTurns } from './turns.ts';

/** Since when leaves are asked again: the fold of facts that they knew, and the end of sliding windows, epoch ms. */
export interface Since {
  readonly fold: number;
  readonly at: number;
}

/** People who are asked again, and facts that are read for it. */
export interface Again {
  readonly people: number;
  readonly facts: number;
}

/** What leaves that share a statement look at. */
export interface Look {
  /** Of facts; none: all. */
  readonly kinds: readonly string[];
  /** Names the columns. */
  readonly sql: string;
}

/** With more of them than this share asked, all of them at once cost less. */
const MOST_OF_ALL = 0.4;
const FEW = 1_000;

/**
 * Writes down who is asked again, and by which kinds of facts: whose facts a fold touched, and who has a fact that passed the end of a
 * sliding window; where rules count by household, with all of it. Then copies the facts that are to be read. Null: it is nearly everybody.
 */
export async function askAgain(
  warehouse: Warehouse,
  since: Since,
  now: number,
  edges: Edges,
  level: Level,
  looks: readonly Look[],
): Promise<Again | null> {
  await warehouse.command({ sql: 'TRUNCATE TABLE segment_asked' });
  const crossed = crossingsOf(edges.ages, since.at, now);
  const parts = [
    'SELECT kind, shard, profile FROM touches WHERE fold > {fold:UInt64}',
    ...(crossed.length > 0 ? [crossedOf(edges.kinds)] : []),
  ];
  const params = {
    fold: since.fold,
    from: crossed.map(([from]) => from),
    to: crossed.map(([, to]) => to),
    days: daysOf(crossed),
  };
  const sql = `INSERT INTO segment_asked (kind, shard, profile) SETTINGS insert_deduplicate = 0
    SELECT DISTINCT kind, shard, profile FROM (${parts.join(' UNION ALL ')})`;
  await warehouse.command({ sql, params }, LIMITS);
  if (level === 'household') await warehouse.command({ sql: MATES }, LIMITS);
  const [row] = await warehouse.query<{ asked: string; all: string }>({
    sql: "SELECT (SELECT uniqExact(profile) FROM segment_asked) AS asked, (SELECT countIf(kind = 'person') FROM touches) AS all",
  });
  const people = Number(row?.asked ?? 0);
  if (people > FEW && people > Number(row?.all ?? 0) * MOST_OF_ALL) return null;
  // Read once: the statements of a pass read few kinds of facts each, of people who are everywhere in the table.
  await warehouse.command({ sql: 'TRUNCATE TABLE segment_facts' });
  if (people > 0) await inTurns(theirFacts(looks), (copy) => warehouse.command({ sql: copy }, LIMITS));
  const [read] = await warehouse.query<{ n: string }>({ sql: 'SELECT count() AS n FROM segment_facts' });
  return { people, facts: Number(read?.n ?? 0) };
}

/** The units that leaves of these kinds of facts are asked of again: rows of `shard` and a set, `who`. */
export function whoIsAsked(kinds: readonly string[], compiler: Compiler): string {
  return `SELECT ${stretchOf('unit')} AS shard, groupBitmapState(unit) AS who FROM (${unitsAsked(kinds, compiler)}) GROUP BY shard`;
}

/** Subquery of the units. Who is no longer surely of a household leaves its unit and becomes one. */
export function unitsAsked(kinds: readonly string[], compiler: Compiler): string {
  const { level = 'person' } = compiler.scope;
  const where = kinds.length === 0 ? '' : ` WHERE ${askedBy(kinds)}`;
  if (level === 'person') return `SELECT DISTINCT profile AS unit FROM segment_asked${where}`;
  const unit = unitOf(compiler);
  const units = level === 'household' ? `arrayJoin([${unit}, household])` : unit;
  return `SELECT DISTINCT ${units} AS unit FROM segment_facts WHERE kind = 'person' AND profile IN (SELECT profile FROM segment_asked${where})`;
}

/** People who are asked by facts of these kinds: a condition over `profile`. */
export function isAsked(kinds: readonly string[]): string {
  return kinds.length === 0 ? '' : ` AND profile IN (SELECT profile FROM segment_asked WHERE ${askedBy(kinds)})`;
}

const askedBy = (kinds: readonly string[]): string => `kind IN (${['person', ...kinds].map((kind) => `'${kind}'`).join(', ')})`;

/** No rule asks for the rest, which are hashes and hard to compress: half of the bytes of a row. */
const COLUMNS = [
  ...[
    'device',
    'household',
    'at',
    'day',
    'hour',
    'weekday',
    'source',
    'sources',
    'once',
    'place',
    'product',
    'category',
    'department',
  ],
  ...['brand', 'channel', 'name', 'item', 'value', 'number', 'quantity', 'amount', 'currency', 'dwell', 'cell', 'identifier'],
  ...['device_sure', 'person_sure', 'household_sure'],
];

/** Shards of a kind that is copied by two statements beside each other. */
const HALVES = [`shard < ${SHARDS / 2}`, `shard >= ${SHARDS / 2}`];

/**
 * Copies of each kind the facts of whom a leaf is asked that looks at it, and of these the columns that one names: to read all of them
 * takes most of the time. `facts` lies by kind, so a statement reads its own only; half of the shards each, so that two are as long.
 */
function theirFacts(looks: readonly Look[]): string[] {
  if (looks.some(({ kinds }) => kinds.length === 0))
    return [copied('(shard, profile) IN (SELECT shard, profile FROM segment_asked)', looks)];
  const all = [...new Set(looks.flatMap(({ kinds }) => kinds))].sort();
  return all.flatMap((kind) => {
    const same = looks.filter((look) => look.kinds.includes(kind));
    const beside = [...new Set(same.flatMap((look) => look.kinds))];
    return HALVES.map((half) => copied(`kind = '${kind}' AND ${half}${isAsked(beside)}`, same));
  });
}

function copied(chosen: string, looks: readonly Look[]): string {
  const text = looks.map(({ sql }) => sql).join(' ');
  const columns = ['shard', 'profile', 'kind', ...COLUMNS.filter((column) => new RegExp(`\\b${column}\\b`).test(text))].join(
    ', ',
  );
  return `INSERT INTO segment_facts (${columns}) SETTINGS insert_deduplicate = 0, max_threads = 1
    SELECT ${columns} FROM facts WHERE ${chosen}`;
}

/** Who lives with them. */
const MATES = `INSERT INTO segment_asked (kind, shard, profile) SETTINGS insert_deduplicate = 0
  SELECT DISTINCT 'person', shard, profile FROM facts
  WHERE kind = 'person' AND (shard, profile) NOT IN (SELECT shard, profile FROM segment_asked) AND household IN (
    SELECT household FROM facts WHERE kind = 'person' AND (shard, profile) IN (SELECT shard, profile FROM segment_asked))`;

/** Facts of these kinds that were within a window and are out of it now, or that were to come and have come. */
function crossedOf(kinds: readonly string[]): string {
  const ofKinds = kinds.length === 0 ? '' : `kind IN (${kinds.map((kind) => `'${kind}'`).join(', ')}) AND `;
  return `SELECT kind, shard, profile FROM facts PREWHERE ${ofKinds}toDate(at) IN {days:Array(Date)}
    WHERE arrayExists((f, t) -> toUnixTimestamp64Milli(at) > f AND toUnixTimestamp64Milli(at) <= t, {from:Array(Int64)}, {to:Array(Int64)})`;
}

/** Stretches of time (from, to], epoch ms, that do not overlap. */
function crossingsOf(edges: readonly number[], before: number, now: number): [number, number][] {
  const spans = edges.map((edge): [number, number] => [Math.max(EARLIEST, before - edge), Math.max(EARLIEST, now - edge)]);
  spans.sort((a, b) => a[0] - b[0]);
  const merged: [number, number][] = [];
  for (const [from, to] of spans) {
    const last = merged.at(-1);
    if (from >= to) continue;
    if (last !== undefined && from <= last[1]) last[1] = Math.max(last[1], to);
    else merged.push([from, to]);
  }
  return merged;
}

const EARLIEST = Date.UTC(1971, 0, 1);
const DAY_MS = 86_400_000;

function daysOf(spans: readonly (readonly [number, number])[]): string[] {
  const days = new Set<string>();
  for (const [from, to] of spans)
    for (let day = Math.floor(from / DAY_MS); day <= Math.floor(to / DAY_MS); day++)
      days.add(new Date(day * DAY_MS).toISOString().slice(0, 10));
  return [...days];
}

/** When time changes an answer: as facts come to an age, in ms, and as days end. */
export interface Edges {
  readonly ages: readonly number[];
  /** Of which kinds these facts are; none: of any. */
  readonly kinds: readonly string[];
  readonly isDaily: boolean;
}

/** Leaves of others have none: who is in their sets or is not any more is asked anyway. */
export function edgesOf(plan: LeafPlan): Edges {
  const kinds = 'units' in plan ? [] : kindsOf(plan.rows);
  if (plan.edges === 'always' || isOfOthers(plan)) return { ages: [], kinds, isDaily: false };
  if (plan.edges === 'midnight') return { ages: [0], kinds, isDaily: true };
  return { ages: plan.edges, kinds, isDaily: false };
}

/** Those of many leaves. */
export function allEdges(of: readonly Edges[]): Edges {
  const aged = of.filter(({ ages }) => ages.length > 0);
  const isOfAny = aged.some(({ kinds }) => kinds.length === 0);
  return {
    ages: [...new Set(aged.flatMap(({ ages }) => ages))],
    kinds: isOfAny ? [] : [...new Set(aged.flatMap(({ kinds }) => kinds))],
    isDaily: of.some(({ isDaily }) => isDaily),
  };
}

export function isOtherDay(before: number, now: number): boolean {
  return Math.floor(before / DAY_MS) !== Math.floor(now / DAY_MS);
}
