import { Binder } from '../../dmp/segments/binder.ts';
import type { Compiler, Lookup } from '../../dmp/segments/plan.ts';
import type { Leaf } from '../../dmp/segments/rule.ts';
import { kindsOf } from '../../dmp/segments/sets.ts';
import type { Things } from '../../dmp/things/things.ts';
import { askAgain, isAsked, type Look, type Since, unitsAsked } from './asked.ts';
import { AUDIT_MS } from './current.ts';
import { LIMITS } from './limits.ts';
import type { Round } from './round.ts';
import type { Evaluated, Kept } from './state.ts';
import { isPlain, type SharedBy, scopeFor, type Turn } from './turn.ts';
import { planWanted, type Want } from './wants.ts';

/**
 * Segments of one value or one list each, of which there may be a million: what this process knows of them from its last evaluation. Of whom
 * nobody's facts changed are not compiled, not asked and not written down again. A process that begins knows none, and evaluates all.
 */
interface Memory {
  readonly plain: Map<string, Plain>;
  /** By scope, since when those of it are right. */
  readonly right: Map<string, Right>;
}

interface Plain {
  readonly revision: number;
  readonly scope: string;
  readonly digest: string;
  /** Of its set. */
  readonly key: string;
  readonly form: string;
  readonly values: readonly string[];
}

/** What tells that lists name others now. */
interface Marks {
  /** The newest version of identities. */
  readonly identities: string;
  /** Of buckets of lists a sum over their entries. */
  readonly lists: ReadonlyMap<number, string>;
}

type Right = Since & Marks;

/** With fewer, to find out whom nobody touched takes as long as to evaluate them. */
const MANY = 500;
/** Of lists: of few that changed some others are looked at too. */
const BUCKETS = 4_096;
const bucketOf = `toUInt16(cityHash64(list) % ${BUCKETS})`;

const memories = new WeakMap<Things, Memory>();

function memoryOf(things: Things): Memory {
  const known = memories.get(things);
  if (known !== undefined) return known;
  const memory = { plain: new Map(), right: new Map() };
  memories.set(things, memory);
  return memory;
}

/** What a later round need not compile again. */
export function keepTurn({ deps }: Round, turn: Turn, scope: string): void {
  const { plain } = memoryOf(deps.things);
  plain.delete(turn.id);
  if (!isPlain(turn)) return;
  const want = turn.wants.get(JSON.stringify(turn.rule)) as Want;
  const plan = planWanted(want.of, { scope: scopeFor(deps.things, turn, 0), bound: new Binder() });
  if (plan?.lookup === undefined || ('units' in plan && plan.lookup.form !== LISTS)) return;
  const { form, values } = plan.lookup;
  plain.set(turn.id, { revision: turn.revision, scope, digest: turn.digest, key: want.key, form, values });
}

const LISTS = 'list';

/** Those of a scope that are right since the same moment. */
interface Group {
  readonly right: Right;
  readonly ids: string[];
}

/**
 * Segments whose members are as they were: they are of an evaluation of this process, and nothing tells of another since.
 *
 * @param marks as they are now
 * @param wanted none of these is left out
 */
export async function untouchedIn(
  round: Round,
  sharedBy: SharedBy,
  marks: Marks,
  wanted: readonly string[] | undefined,
): Promise<ReadonlySet<string>> {
  const { deps } = round;
  const memory = memoryOf(deps.things);
  const groups = new Map<string, Group>();
  const segments = wanted?.flatMap((id) => deps.things.get('segment', id) ?? []) ?? deps.things.list('segment');
  for (const { id, revision, body } of segments) {
    const known = memory.plain.get(id);
    if (known === undefined || known.revision !== revision || known.scope !== sharedBy(body).name) continue;
    const right = memory.right.get(known.scope);
    if (right === undefined || right.fold < round.rebuilt || !isSound(round, id, known, round.states.known.get(id))) continue;
    const group = groups.get(known.scope);
    if (group === undefined) groups.set(known.scope, { right, ids: [id] });
    else group.ids.push(id);
  }
  const untouched = new Set<string>();
  for (const group of groups.values()) {
    const isTouched = wanted !== undefined || group.ids.length < MANY ? () => true : await touchedIn(round, memory, group, marks);
    for (const id of group.ids) {
      const plain = memory.plain.get(id) as Plain;
      if (isTouched(plain)) bringForward(round, plain, id, group.right);
      else untouched.add(id);
    }
  }
  return untouched;
}

function isSound({ states, now }: Round, id: string, { digest }: Plain, before: Evaluated | undefined): boolean {
  if (before?.sets === undefined || before.digest !== digest || now - before.whole >= AUDIT_MS) return false;
  return !states.failed.has(id) && !states.begun.has(id);
}

/** Its set was right then, though it was not written down. */
function bringForward({ states }: Round, { key }: Plain, id: string, { fold, at }: Right): void {
  const [kept, before] = [states.leaves.get(key), states.known.get(id)];
  if (kept !== undefined && kept.fold < fold) (states.leaves as Map<string, Kept>).set(key, { ...kept, fold, at });
  if (before !== undefined && before.fold < fold) (states.known as Map<string, Evaluated>).set(id, { ...before, fold, at });
}

/**
 * After a round that went through: what it did not find to have failed is right.
 *
 * @param marks as they were before it
 */
export function keepRight({ deps, fold, now }: Round, marks: Marks): void {
  const { plain, right } = memoryOf(deps.things);
  for (const id of plain.keys()) if (deps.things.get('segment', id) === undefined) plain.delete(id);
  const scopes = new Set([...plain.values()].map(({ scope }) => scope));
  right.clear();
  for (const scope of scopes) right.set(scope, { fold, at: now, ...marks });
}

/** What is merged away changes a sum too: then its lists are looked at once more. */
export async function marksNow({ deps }: Round): Promise<Marks> {
  if (deps.things.list('segment').length < MANY) return { identities: '0', lists: new Map() };
  const newest = 'SELECT max(version) AS newest FROM identities';
  const [row] = await deps.warehouse.query<{ newest: string }>({ sql: newest });
  const sql = `SELECT ${bucketOf} AS bucket, toString(sum(cityHash64(list, identifier, entry, source, removed, version))) AS total
    FROM list_entries GROUP BY bucket`;
  const rows = await deps.warehouse.query<{ bucket: number; total: string }>({ sql }, LIMITS);
  return { identities: row?.newest ?? '0', lists: new Map(rows.map(({ bucket, total }) => [bucket, total])) };
}

/**
 * Touched are the sets that somebody is in whose facts changed, and those that have a value that such a person has now; of lists those whose
 * entries changed, or whom an entry stands for.
 */
async function touchedIn(round: Round, memory: Memory, { right, ids }: Group, marks: Marks): Promise<(plain: Plain) => boolean> {
  const { deps, now } = round;
  const { warehouse, things } = deps;
  const bound = new Binder();
  const compiler = { scope: scopeFor(things, shapeOf(things, ids[0] as string), now), bound };
  const lookups = lookupsOf(memory, things, ids, compiler);
  const looks: Look[] = lookups.map(({ kinds, lookup }) => ({ kinds, sql: lookup.units('', '', '') }));
  const asked = await askAgain(warehouse, right, now, { ages: [], kinds: [], isDaily: false }, 'person', looks);
  if (asked === null) return () => true;
  const values = new Map<string, Set<string>>();
  const leaves = new Map<string, Set<string>>();
  for (const { form, kinds, lookup } of lookups) {
    const of = lookup.units('segment_facts', `1${isAsked(kinds)}`, bound.texts([]));
    const sql = `SELECT DISTINCT toString(value) AS text FROM (${of})`;
    values.set(form, await textsOf(round, sql, bound.values));
    leaves.set(form, await textsOf(round, leavesOf(kinds, compiler), bound.values));
  }
  if (ids.some((id) => memory.plain.get(id)?.form === LISTS)) {
    values.set(LISTS, await listsTouched(round, right, marks));
    leaves.set(LISTS, await textsOf(round, leavesOf(['person'], compiler), bound.values));
  }
  return ({ form, key, values: own }) =>
    leaves.get(form)?.has(key) !== false || own.some((value) => values.get(form)?.has(value) !== false);
}

function shapeOf(things: Things, id: string): Pick<Turn, 'advertiser' | 'level' | 'confidence'> {
  const { advertiser = null, confidence = 0 } = things.get('segment', id)?.body ?? {};
  return { advertiser, level: 'person', confidence };
}

interface Asked {
  readonly form: string;
  readonly kinds: readonly string[];
  readonly lookup: Lookup;
}

/** How each form is looked up, from any leaf of it; lists are looked up where they are. */
function lookupsOf({ plain }: Memory, things: Things, ids: readonly string[], compiler: Compiler): Asked[] {
  const forms = new Map<string, Asked>();
  for (const id of ids) {
    const { form } = plain.get(id) as Plain;
    const leaf = form === LISTS || forms.has(form) ? undefined : (things.get('segment', id)?.body.rule as Leaf | undefined);
    const plan = leaf === undefined ? null : planWanted(leaf, compiler);
    if (plan === null || 'units' in plan || plan.lookup === undefined) continue;
    forms.set(form, { form, kinds: kindsOf(plan.rows), lookup: plan.lookup });
  }
  return [...forms.values()];
}

/** Sets, of any form, that somebody is in who is asked; older ones of the same leaf too. */
function leavesOf(kinds: readonly string[], compiler: Compiler): string {
  // Not by a join, which would copy who is asked for each set.
  const who = `(SELECT groupBitmapState(unit) FROM (${unitsAsked(kinds, compiler)}))`;
  return `SELECT DISTINCT leaf AS text FROM leaf_members WHERE bitmapHasAny(members, ${who})`;
}

/** An identifier may go from one person to another of whom no fact changes. */
async function listsTouched(round: Round, { identities, lists }: Right, marks: Marks): Promise<Set<string>> {
  const all = new Set([...lists.keys(), ...marks.lists.keys()]);
  const buckets = [...all].filter((one) => lists.get(one) !== marks.lists.get(one));
  const sql = `SELECT DISTINCT list AS text FROM list_entries WHERE ${bucketOf} IN {buckets:Array(UInt16)} OR identifier IN (
    SELECT identifier FROM identities WHERE version > {identities:UInt64} OR profile IN (SELECT profile FROM segment_asked WHERE kind = 'person'))`;
  return textsOf(round, sql, { buckets, identities });
}

async function textsOf({ deps }: Round, sql: string, params: Readonly<Record<string, unknown>>): Promise<Set<string>> {
  const rows = await deps.warehouse.query<{ text: string }>({ sql, params }, LIMITS);
  return new Set(rows.map(({ text }) => text));
}
