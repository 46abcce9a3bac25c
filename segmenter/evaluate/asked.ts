import type { Warehouse } from '../../dmp/clickhouse/warehouse.ts';
import { Binder } from '../../dmp/segments/binder.ts';
import type { LeafPlan } from '../../dmp/segments/plan.ts';
import type { RuleScope } from '../../dmp/segments/scope.ts';
import { isOfOthers } from '../../dmp/segments/sets.ts';
import { unitOf } from '../../dmp/segments/unit.ts';
import { LIMITS } from './limits.ts';

/** Since what people are asked again. */
export interface Since {
  readonly fold: number;
  readonly at: number;
  /** Segments that rules name, by the version that was known then. */
  readonly nested: Readonly<Record<string, number>>;
  /** Leaves of others: the stamp of their set then, and now. */
  readonly leaves: readonly { readonly key: string; readonly before: number; readonly now: number }[];
}

/** With more of them than this share asked, all of them at once cost less. */
const MOST_OF_ALL = 0.4;
const FEW = 1_000;

/**
 * Writes down who is asked again: whose facts a fold touched, who has a fact that passed the end of a sliding window, and who entered or
 * left a segment that a rule names, or a set that is not of their own facts; where rules count by household, with all of it. Returns how many, or null where it is nearly everybody.
 */
export async function askAgain(
  warehouse: Warehouse,
  since: Since,
  now: number,
  edges: readonly number[],
  scope: RuleScope,
): Promise<number | null> {
  await warehouse.command({ sql: 'TRUNCATE TABLE segment_asked' });
  const crossed = crossingsOf(edges, since.at, now);
  const nested = Object.entries(since.nested);
  const bound = new Binder();
  const parts = ['SELECT shard, profile FROM touches WHERE fold > {fold:UInt64}'];
  if (crossed.length > 0) parts.push(CROSSED);
  if (nested.length > 0) parts.push(ENTERED_OR_LEFT);
  const changed = since.leaves.filter(({ before, now: stamp }) => before !== stamp);
  if (changed.length > 0)
    parts.push(
      scope.level === 'person'
        ? CHANGED
        : `SELECT shard, profile FROM facts WHERE kind = 'person' AND (shard, ${unitOf({ scope, bound })}) IN (${CHANGED})`,
    );
  const params = {
    ...bound.values,
    leaves: changed.map(({ key }) => key),
    befores: changed.map(({ before }) => before),
    stamps: changed.map(({ now: stamp }) => stamp),
    fold: since.fold,
    from: crossed.map(([from]) => from),
    to: crossed.map(([, to]) => to),
    days: daysOf(crossed),
    segments: nested.map(([id]) => id),
    versions: nested.map(([, version]) => version),
  };
  const sql = `INSERT INTO segment_asked (shard, profile) SETTINGS insert_deduplicate = 0
    SELECT DISTINCT shard, profile FROM (${parts.join(' UNION ALL ')})`;
  await warehouse.command({ sql, params }, LIMITS);
  if (scope.level === 'household') await warehouse.command({ sql: MATES }, LIMITS);
  const [row] = await warehouse.query<{ asked: string; all: string }>({
    sql: 'SELECT (SELECT count() FROM segment_asked) AS asked, (SELECT count() FROM touches) AS all',
  });
  const asked = Number(row?.asked ?? 0);
  if (asked > FEW && asked > Number(row?.all ?? 0) * MOST_OF_ALL) return null;
  // Read once: the statements of a pass read few kinds of facts each, of people who are everywhere in the table.
  await warehouse.command({ sql: 'TRUNCATE TABLE segment_facts' });
  if (asked > 0) await warehouse.command({ sql: THEIR_FACTS }, LIMITS);
  return asked;
}

/** No rule asks for the rest, which are hashes and hard to compress: half of the bytes of a row. */
const ASKED_FOR = `shard, profile, device, household, kind, at, day, hour, weekday, source, sources, once, place, product, category, department,
  brand, channel, name, item, value, number, quantity, amount, currency, dwell, cell, identifier,
  device_sure, person_sure, household_sure`;

const THEIR_FACTS = `INSERT INTO segment_facts (${ASKED_FOR}) SETTINGS insert_deduplicate = 0
  SELECT ${ASKED_FOR} FROM facts WHERE (shard, profile) IN (SELECT shard, profile FROM segment_asked)`;

/** Who lives with them. */
const MATES = `INSERT INTO segment_asked (shard, profile) SETTINGS insert_deduplicate = 0
  SELECT DISTINCT shard, profile FROM facts
  WHERE kind = 'person' AND (shard, profile) NOT IN (SELECT shard, profile FROM segment_asked) AND household IN (
    SELECT household FROM facts WHERE kind = 'person' AND (shard, profile) IN (SELECT shard, profile FROM segment_asked))`;

/** Facts that were within a window and are out of it now, or that were to come and have come. */
const CROSSED = `SELECT shard, profile FROM facts PREWHERE toDate(at) IN {days:Array(Date)}
  WHERE arrayExists((f, t) -> toUnixTimestamp64Milli(at) > f AND toUnixTimestamp64Milli(at) <= t, {from:Array(Int64)}, {to:Array(Int64)})`;

const ENTERED_OR_LEFT = `SELECT shard, profile FROM facts WHERE kind = 'person' AND profile IN (
  SELECT profile FROM memberships WHERE segment IN {segments:Array(String)}
    AND version > transform(segment, {segments:Array(String)}, {versions:Array(UInt32)}, toUInt32(0)))`;

/** Units that are in one of two sets of a leaf and not in the other. */
const CHANGED = `SELECT shard, arrayJoin(bitmapToArray(bitmapXor(before, now))) AS profile FROM (
  SELECT leaf, shard,
    groupBitmapMergeStateIf(members, stamp = transform(toString(leaf), {leaves:Array(String)}, {befores:Array(UInt64)}, toUInt64(0))) AS before,
    groupBitmapMergeStateIf(members, stamp = transform(toString(leaf), {leaves:Array(String)}, {stamps:Array(UInt64)}, toUInt64(0))) AS now
  FROM leaf_sets WHERE leaf IN {leaves:Array(String)} GROUP BY leaf, shard)`;

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
  readonly isDaily: boolean;
}

/** Leaves of others are not among them: who is in their sets or is not any more is asked anyway. */
export function edgesOf(plans: readonly LeafPlan[]): Edges {
  const ages = new Set<number>();
  let isDaily = false;
  for (const plan of plans) {
    if (plan.edges === 'always' || isOfOthers(plan)) continue;
    if (plan.edges === 'midnight') isDaily = true;
    for (const age of plan.edges === 'midnight' ? [0] : plan.edges) ages.add(age);
  }
  return { ages: [...ages], isDaily };
}

export function isOtherDay(before: number, now: number): boolean {
  return Math.floor(before / DAY_MS) !== Math.floor(now / DAY_MS);
}
