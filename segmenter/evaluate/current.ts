import type { Limits } from '../../dmp/clickhouse/warehouse.ts';
import { Binder } from '../../dmp/segments/binder.ts';
import type { Compiler, FactsPlan, LeafPlan, Lookup } from '../../dmp/segments/plan.ts';
import { compileSets, kindsOf, type LeafStatement, type SetPlan, setPlanOf, stretchOf } from '../../dmp/segments/sets.ts';
import { allEdges, askAgain, isOtherDay, type Since } from './asked.ts';
import {
  type Answered,
  type Asking,
  answerLeaves,
  type Beside,
  type Between,
  dropLeaves,
  type FactsFrom,
  freeStamp,
  keepLeaves,
  rangesOf,
  tellOpposites,
} from './leaves.ts';
import { type Current, type Round, stateIn } from './round.ts';
import { forgetLeaves, type Kept, saveLeaves } from './state.ts';
import { scopeFor, type Turn } from './turn.ts';
import { askPlaces, dropValues, keepValues, setsOfValues, type Valued } from './values.ts';
import { isOfValues, planWanted, type Want } from './wants.ts';

/** How long the answers for some are good before everybody is asked again, as an audit of them. */
export const AUDIT_MS = 24 * 3_600_000;

/**
 * Brings the sets of the turns' leaves up to now, each once a round: those that are kept are mended for whom facts changed of kinds that
 * they look at, and for whom a window moved; those of which nothing is known, or that no fact of a person tells of, are made of everybody.
 *
 * @param isAudit sets that were not asked of everybody for long are made anew, as if nothing were known
 */
export async function bringUp(
  round: Round,
  turns: readonly Turn[],
  isAudit: boolean,
  limits: Limits,
  between: Between,
): Promise<void> {
  const [first] = turns as [Turn];
  const isMissing = ({ key }: Want): boolean => {
    const current = round.leaves.get(key);
    return current === undefined || (isAudit && round.now - current.kept.whole >= AUDIT_MS);
  };
  const missing = new Map<string, Want>();
  for (const want of [...first.common, ...turns.flatMap(({ wants }) => [...wants.values()])]) {
    const isWithBase = want.base !== undefined && isMissing(want.base);
    if (want.base !== undefined && isWithBase) missing.set(want.base.key, want.base);
    if (isWithBase || isMissing(want)) missing.set(want.key, want);
  }
  const [whole, anew]: [Want[], Want[]] = [[], []];
  const again = new Map<string, Want[]>();
  for (const want of missing.values()) {
    const kept = round.states.leaves.get(want.key);
    if (want.isAnew) anew.push(want);
    else if (kept === undefined || isAudit || isStale(want, kept, round)) whole.push(want);
    else {
      const since = `${kept.fold} ${kept.at}`;
      const group = again.get(since);
      if (group === undefined) again.set(since, [want]);
      else group.push(want);
    }
  }
  // What was left out in many rounds is of as many moments: of the first of them at once.
  const mended = again.size > MOST_MOMENTS ? [[...again.values()].flat()] : [...again.values()];
  // What is made of everybody's values, when these are of now: beside the last mending, where nothing else is to be made of everybody.
  const compare = async (atOnce?: number): Promise<void> => {
    const wants = anew.splice(0);
    // Beside others' work it is their progress that is told.
    const told = atOnce === undefined ? between : async () => undefined;
    if (wants.length > 0) await makeWhole(round, first, wants, 'v', limits, told, atOnce);
  };
  await round.deps.warehouse.command({ sql: 'TRUNCATE TABLE segment_leaves' });
  for (const [n, wants] of mended.entries()) {
    const isLast = n === mended.length - 1 && whole.length === 0;
    const then = async (): Promise<void> => (isLast ? compare(1) : undefined);
    const isMended = await mend(round, first, wants, n === 0 ? '' : `${n}_`, limits, between, then);
    if (!isMended) whole.push(...wants);
  }
  if (whole.length > 0) await makeWhole(round, first, whole, 'w', limits, between);
  await compare();
}

const MOST_MOMENTS = 4;

function firstOf(all: readonly Kept[]): Since {
  return all.reduce((first: Since, { fold, at }) => ({ fold: Math.min(first.fold, fold), at: Math.min(first.at, at) }), {
    fold: Number.POSITIVE_INFINITY,
    at: Number.POSITIVE_INFINITY,
  });
}

function isStale({ edges }: Want, { fold, at }: Kept, { rebuilt, now }: Round): boolean {
  return fold < rebuilt || (edges.isDaily && isOtherDay(at, now));
}

/** Leaves under names, and the statements that answer them. */
interface Prepared {
  readonly asking: Omit<Asking, 'opposite'>;
  readonly compiler: Compiler;
  readonly values: readonly Valued[];
  /** By what they come to. */
  readonly names: ReadonlyMap<string, string>;
  /** Of the leaves that are asked of facts, by name; none: of any. */
  readonly kinds: ReadonlyMap<string, readonly string[]>;
  /** Of which it is known from the leaf alone that their sets are of all others. */
  readonly opposite: ReadonlySet<string>;
}

/** @param prefix of the leaves' names: of those that are asked apart they must differ */
async function prepare(round: Round, turn: Turn, wants: readonly Want[], prefix: string, facts: number): Promise<Prepared> {
  const { deps, now } = round;
  const bound = new Binder();
  const compiler = { scope: scopeFor(deps.things, turn, now), bound };
  const names = new Map<string, string>();
  const sets = new Map<string, SetPlan>();
  const units = new Map<string, string>();
  const opposite = new Set<string>();
  const values: Valued[] = [];
  const lookups = lookupsOf(wants, compiler);
  const isLooked = new Set(lookups.flatMap((same) => same.map(({ key }) => key)));
  /** Each asked once. */
  const told = new Map<string, readonly string[]>();
  const compared = new Map<string, Map<string, { plan: FactsPlan; places: readonly string[] }>>();
  for (const [n, { key, of, base }] of wants.entries()) {
    if (isLooked.has(key)) {
      names.set(key, `l${prefix}${n}`);
      continue;
    }
    const plan = planWanted(of, compiler);
    if (plan === null) continue;
    if (isOfValues(key) && 'others' in plan && plan.others !== undefined) {
      values.push({ key, others: plan.others, rows: plan.rows });
      continue;
    }
    const name = `l${prefix}${n}`;
    names.set(key, name);
    if ('units' in plan) units.set(name, plan.units);
    else if (base !== undefined && plan.others !== undefined) {
      const valued = { key: base.key, others: plan.others, rows: plan.rows };
      const asks = `${base.key} ${plan.others.places}`;
      const places = told.get(asks) ?? (await askPlaces(deps.warehouse, valued, bound));
      told.set(asks, places);
      const leaves = compared.get(base.key) ?? new Map();
      compared.set(base.key, leaves.set(name, { plan, places }));
    } else {
      const { asked, isOpposite } = setPlanOf(plan);
      sets.set(name, asked);
      if (isOpposite) opposite.add(name);
    }
  }
  // Below and above a person all facts of theirs are read: a unit is known by them.
  const isTogether = facts < round.few || turn.level !== 'person';
  const ofValues = [...compared].map(([key, leaves]) => setsOfValues(key, leaves, bound));
  const found: LeafStatement[] = [];
  for (const same of lookups) {
    const [{ of }] = same as [Looked];
    const plan = planWanted(of, compiler) as LeafPlan;
    const all = same.map(({ key }) => names.get(key) as string);
    const sql = lookedUp(same, all, plan.lookup as Lookup, bound);
    if ('units' in plan) ofValues.push(sql('', '', new Set()));
    else found.push({ names: all, kinds: isTogether ? [] : kindsOf(plan.rows), sql, ofNobody: null });
  }
  const statements = [...compileSets(sets, compiler, { isTogether }), ...found];
  const kinds = new Map(statements.flatMap((one) => one.names.map((name) => [name, one.kinds] as const)));
  return { asking: { statements, units, ofValues, bound }, compiler, values, names, kinds, opposite };
}

/** So many leaves that differ in values only are looked up together. */
const MANY = 20;

interface Looked {
  readonly key: string;
  readonly of: Want['of'];
  readonly lookup: Lookup;
}

/** Those of which there are many, by form. What each of them would bind is not: each statement is sent all that is bound. */
function lookupsOf(wants: readonly Want[], { scope }: Compiler): Looked[][] {
  const forms = new Map<string, Looked[]>();
  for (const { key, of, isLookup } of wants) {
    const lookup = isLookup ? planWanted(of, { scope, bound: new Binder() })?.lookup : undefined;
    if (lookup === undefined) continue;
    const same = forms.get(lookup.form);
    if (same === undefined) forms.set(lookup.form, [{ key, of, lookup }]);
    else same.push({ key, of, lookup });
  }
  return [...forms.values()].filter((same) => same.length >= MANY);
}

/** The sets of leaves that differ in values only, by the values that units have. */
function lookedUp(same: readonly Looked[], all: readonly string[], lookup: Lookup, bound: Binder): LeafStatement['sql'] {
  const names = bound.texts(same.flatMap(({ lookup: one }, n) => one.values.map(() => all[n] as string)));
  const values = bound.texts(same.flatMap((one) => one.lookup.values));
  const leaves = `SELECT tupleElement(pair, 1) AS leaf, tupleElement(pair, 2) AS value FROM (SELECT arrayJoin(arrayZip(${names}, ${values})) AS pair)`;
  return (from, range) => `SELECT leaf, ${stretchOf('unit')} AS shard, groupBitmapState(unit) AS members FROM (
      SELECT l.leaf AS leaf, u.unit AS unit FROM (SELECT toString(value) AS value, unit FROM (${lookup.units(from, range, values)})) AS u
      INNER JOIN (${leaves}) AS l ON u.value = l.value)
    GROUP BY leaf, shard`;
}

/**
 * False: nearly everybody would be asked.
 *
 * @param then what is done once the values of everybody are of now, beside the rest
 */
async function mend(
  round: Round,
  turn: Turn,
  wants: readonly Want[],
  prefix: string,
  limits: Limits,
  between: Between,
  then: Beside,
): Promise<boolean> {
  const { deps, now, states } = round;
  const { warehouse } = deps;
  const since = firstOf(wants.map(({ key }) => states.leaves.get(key) as Kept));
  const { asking, compiler, values, names, kinds } = await prepare(round, turn, wants, prefix, round.facts.rows);
  const edges = allEdges(wants.map((want) => want.edges));
  const isTogether = asking.statements.some((one) => one.kinds.length === 0) || turn.level !== 'person';
  const kindsOfValues = ({ rows }: Valued): string[] => (isTogether ? [] : kindsOf(rows));
  const looks = [
    ...asking.statements.map((one) => ({ kinds: one.kinds, sql: one.sql('', '', new Set()) })),
    ...values.map((valued) => ({ kinds: kindsOfValues(valued), sql: `${valued.rows} ${valued.others.values.join(' ')}` })),
  ];
  const asked = await askAgain(warehouse, since, now, edges, turn.level, looks);
  if (asked === null) return false;
  const opposite = new Set(wants.flatMap(({ key }) => (states.leaves.get(key)?.isOpposite ? [names.get(key) as string] : [])));
  const compared: Beside = async () => {
    for (const valued of values)
      await keepValues(
        warehouse,
        valued,
        compiler,
        kindsOfValues(valued),
        rangesOf(asked.facts, Number.POSITIVE_INFINITY),
        limits,
      );
    await then();
  };
  if (asked.people > 0) {
    await answer(round, { ...asking, opposite }, 'segment_facts', asked.facts, limits, between, [compared]);
    const leaves = answered(names, kinds, opposite).filter(({ name }) => kinds.has(name));
    if (leaves.length > 0) await keepLeaves(warehouse, leaves, await freeStamp(warehouse), compiler);
  } else await then();
  const kept = (key: string): Kept => ({ ...(states.leaves.get(key) as Kept), fold: round.fold, at: now });
  await remember(round, new Map(wants.map(({ key }) => [key, { kept: kept(key), ...asked }])));
  return true;
}

async function makeWhole(
  round: Round,
  turn: Turn,
  wants: readonly Want[],
  prefix: string,
  limits: Limits,
  between: Between,
  atOnce?: number,
): Promise<void> {
  const { deps, now, fold } = round;
  const { warehouse } = deps;
  const { asking, compiler, values, names, kinds, opposite } = await prepare(round, turn, wants, prefix, round.facts.rows);
  const ranges = rangesOf(round.facts.rows, round.few);
  for (const valued of values) await keepValues(warehouse, valued, compiler, null, ranges, limits);
  const told = new Set([...opposite, ...(await tellOpposites(warehouse, asking.statements, asking.bound, limits))]);
  await answer(round, { ...asking, opposite: told }, 'facts', round.facts.rows, limits, between, [], atOnce);
  await keepLeaves(warehouse, answered(names, kinds, told), await freeStamp(warehouse), null);
  const current = ({ key }: Want): Current => ({
    kept: { fold, at: now, whole: now, isOpposite: told.has(names.get(key) ?? '') },
    people: null,
    facts: round.facts.rows,
  });
  await remember(round, new Map(wants.map((want) => [want.key, current(want)])));
}

function answer(
  { deps, few }: Round,
  asking: Asking,
  from: FactsFrom,
  facts: number,
  limits: Limits,
  between: Between,
  beside: readonly Beside[] = [],
  atOnce?: number,
): Promise<void> {
  // To understand a statement of a hundred leaves takes longer than the facts of whom is asked again: these are cut into parts by size only.
  const ranges = from === 'facts' ? rangesOf(facts, few) : rangesOf(facts, Number.POSITIVE_INFINITY);
  return answerLeaves(deps.warehouse, asking, from, ranges, limits, between, beside, atOnce);
}

function answered(
  names: ReadonlyMap<string, string>,
  kinds: ReadonlyMap<string, readonly string[]>,
  opposite: ReadonlySet<string>,
): Answered[] {
  return [...names].map(([key, name]) => ({ name, kept: keptAs(key, opposite.has(name)), kinds: kinds.get(name) ?? [] }));
}

/** A set that came to be that of all others is another one. */
export function keptAs(key: string, isOpposite: boolean): string {
  return isOpposite ? `${key}!` : key;
}

async function remember(round: Round, leaves: ReadonlyMap<string, Current>): Promise<void> {
  await saveLeaves(round.deps.redis, new Map([...leaves].map(([key, { kept }]) => [key, kept])));
  for (const [key, current] of leaves) round.leaves.set(key, current);
}

/** Forgets the sets that no segment is made of any more. */
export async function dropUnused(round: Round): Promise<void> {
  const { deps, states, after, leaves } = round;
  const used = new Set<string>();
  for (const id of new Set([...states.known.keys(), ...after.keys()]))
    for (const key of stateIn(round, id)?.sets ?? []) used.add(key);
  const unused = [...new Map([...states.leaves, ...[...leaves].map(([key, { kept }]) => [key, kept] as const)])].filter(
    ([key]) => !used.has(key),
  );
  await forgetLeaves(
    deps.redis,
    unused.map(([key]) => key),
  );
  const [gone, values] = [unused.filter(([key]) => !isOfValues(key)), unused.filter(([key]) => isOfValues(key))];
  await dropLeaves(
    deps.warehouse,
    gone.map(([key, { isOpposite }]) => keptAs(key, isOpposite)),
  );
  await dropValues(
    deps.warehouse,
    values.map(([key]) => key),
  );
}
