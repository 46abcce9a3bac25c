import { Counter } from 'prom-client';
import { keepRound } from '../dmp/segments/rounds.ts';
import { type Run, type RunError, recordRuns } from '../dmp/segments/runs.ts';
import { AUDIT_MS, bringUp, dropUnused } from './evaluate/current.ts';
import type { Between } from './evaluate/leaves.ts';
import { ALONE, LIMITS } from './evaluate/limits.ts';
import { type Counted, type NewVersion, takePass, writeVersions } from './evaluate/pass.ts';
import { type Current, countPeople, type EvaluateDeps, fewOf, type Round, sizeOfFacts, stateIn } from './evaluate/round.ts';
import { algebraFor, shardsOf } from './evaluate/rules.ts';
import {
  beginVersions,
  type Evaluated,
  type Failed,
  forgetEvaluated,
  readEvaluated,
  readFailed,
  saveEvaluated,
  saveFailed,
} from './evaluate/state.ts';
import { passesOf, sharedIn, type Turn, turnOf } from './evaluate/turn.ts';
import { keepRight, keepTurn, marksNow, untouchedIn } from './evaluate/untouched.ts';
import { dropVersions, greatestVersions } from './evaluate/versions.ts';
import { lastFold } from './facts/state.ts';
import { byDepth } from './order.ts';

const drift = new Counter({
  name: 'walkin_segment_drift_total',
  help: 'Members that an audit of everybody found to be wrong after evaluations of some, and mended',
});

/** Leaves of one pass: its text, and the columns of a unit, grow with them. */
const MOST_LEAVES = 1_000;
/** A rule that failed so often is tried again after so long. */
const TRIES = 3;
const PATIENCE_MS = 600_000;
/** Versions of other rules that are kept to be restored. */
const MOST_KEPT = 10;

/**
 * Evaluates segments over `facts` and writes who entered and who left. Those that can share a pass do: of one depth of nesting, of one
 * scope, asked of the same people. Asked are, by default, the people whose facts changed since; everybody where a rule changed, and once a
 * day. A pass that fails is taken again in halves, until what fails is one segment alone: its run says why, its members stay. What was
 * cut off anywhere is made right by the next evaluation. Only a warehouse that is away throws.
 */
export async function evaluateSegments(
  deps: EvaluateDeps,
  wanted: readonly string[] | undefined,
  between: (done: number, total: number) => Promise<void> = async () => undefined,
): Promise<Evaluation> {
  const [states, { fold, rebuilt }] = [await readEvaluated(deps.redis), await lastFold(deps.redis)];
  const round: Round = {
    ...{ deps, now: deps.now(), fold, rebuilt, states, after: new Map(), runs: [], leaves: new Map(), few: fewOf(deps) },
    facts: await sizeOfFacts(deps),
  };
  const depths = byDepth(deps.things, wanted);
  const total = depths.reduce((sum, ids) => sum + ids.length, 0);
  const sharedBy = sharedIn(deps.things);
  const marks = await marksNow(round);
  const untouched = await untouchedIn(round, sharedBy, marks, wanted);
  let done = untouched.size;
  for (const ids of depths) {
    const turns: Turn[] = [];
    for (const id of ids) {
      const segment = untouched.has(id) ? undefined : deps.things.get('segment', id);
      if (segment === undefined) continue;
      const turn = turnOf(sharedBy, segment, states, rebuilt);
      if (turn !== null) keepTurn(round, turn, sharedBy(segment.body).name);
      if (turn === null) await recordFailure(round, { id, revision: segment.revision, digest: '' }, 0, 'failed');
      else if (wanted !== undefined || !waits(states.failed.get(id), turn, round.now)) turns.push(turn);
    }
    for (const pass of passesOf(turns, MOST_LEAVES)) {
      const within: Between = (share) => between(done + Math.floor(share * pass.length), total);
      await within(0);
      await attempt(round, pass, 'plain', within);
      const due = pass.filter((turn) => !turn.isWhole && isDue(round, turn));
      if (due.length > 0) await attempt(round, due, 'audit', within);
      done += pass.length;
    }
  }
  await dropVersions(deps.warehouse, round.after);
  await dropUnused(round);
  if (wanted === undefined) {
    keepRight(round, marks);
    const failed = [...(await readFailed(deps.redis))];
    await keepRound(deps.redis, { at: round.now, failed });
  }
  return { runs: round.runs, untouched };
}

interface Evaluation {
  readonly runs: readonly Run[];
  /** Segments that no fact can have changed since their last run: there is no other. */
  readonly untouched: ReadonlySet<string>;
}

/** One segment and those that it needs are not: only itself. Undefined: there is no such segment. */
export async function evaluate(deps: EvaluateDeps, id: string): Promise<Run | undefined> {
  if (deps.things.get('segment', id) === undefined) return undefined;
  const { runs } = await evaluateSegments(deps, [id]);
  return runs.findLast((run) => run.segment === id);
}

/** What failed again and again is not tried each time, until its rule is another. */
function waits(failed: Failed | undefined, { digest }: Turn, now: number): boolean {
  return failed !== undefined && failed.digest === digest && failed.times >= TRIES && now - failed.at < PATIENCE_MS;
}

function isDue({ now, after }: Round, { id }: Turn): boolean {
  const state = after.get(id);
  return state !== undefined && now - state.whole >= AUDIT_MS;
}

async function attempt(round: Round, turns: readonly Turn[], kind: 'plain' | 'audit', between: Between): Promise<void> {
  const { deps } = round;
  const began = performance.now();
  let isStopped = false;
  const checked: Between = (share) =>
    between(share).catch((error: unknown) => {
      isStopped = true;
      throw error;
    });
  try {
    await take(round, turns, kind, began, checked);
  } catch (error) {
    // Who stops us is no fault of a rule.
    if (isStopped) throw error;
    const [first] = turns;
    if (turns.length > 1) {
      deps.log.warn({ segments: turns.length, err: error }, 'a pass over the facts failed; it is taken in halves');
      for (const half of [turns.slice(0, turns.length >> 1), turns.slice(turns.length >> 1)]) {
        await between(0);
        await attempt(round, half, kind, between);
      }
      return;
    }
    // A job that was cancelled, whose statement was ended, says so here; a warehouse that is away is no fault of the rule either.
    await between(0);
    await deps.warehouse.query({ sql: 'SELECT 1' });
    if (first === undefined) return;
    deps.log.error({ segment: first.id, err: error }, 'segment not evaluated');
    await recordFailure(round, first, (performance.now() - began) / 1000, errorOf(error));
  }
}

async function take(
  round: Round,
  turns: readonly Turn[],
  kind: 'plain' | 'audit',
  began: number,
  between: Between,
): Promise<void> {
  const { deps, now, fold } = round;
  const { warehouse } = deps;
  const [first] = turns as [Turn];
  const stateOf = (id: string): Evaluated | undefined => stateIn(round, id);
  const limits = turns.length === 1 ? ALONE : LIMITS;
  await bringUp(round, turns, kind === 'audit', limits, between);
  const unknown = turns.filter(({ id }) => stateOf(id) === undefined).map(({ id }) => id);
  const greatest = await greatestVersions(warehouse, unknown);
  const before = turns.map(({ id }) => ({ id, version: stateOf(id)?.version ?? 0 }));
  const counts = await takePass(warehouse, algebraFor(round, turns), before, await shardsOf(round, first), limits, between);

  const written: NewVersion[] = [];
  for (const { id } of turns) {
    const { isChanged, entered, left } = counts.get(id) as Counted;
    const state = stateOf(id);
    const begun = round.states.begun.get(id);
    const isUnsure = round.after.has(id) ? false : begun !== undefined || (greatest.get(id) ?? 0) > 0;
    if (state !== undefined && !isChanged && !isUnsure) continue;
    written.push({
      id,
      version: Math.max(state?.version ?? 0, begun ?? 0, greatest.get(id) ?? 0) + 1,
      isUnsure,
      changes: entered + left,
    });
  }
  await beginVersions(deps.redis, new Map(written.map(({ id, version }) => [id, version])));
  await writeVersions(warehouse, written, now);

  const versions = new Map(written.map(({ id, version }) => [id, version]));
  const seconds = (performance.now() - began) / 1000;
  const states = new Map<string, Evaluated>();
  const runs: Run[] = [];
  for (const turn of turns) {
    const { members, entered, left } = counts.get(turn.id) as Counted;
    const state = stateOf(turn.id);
    const version = versions.get(turn.id) ?? state?.version ?? 1;
    const isOther = state !== undefined && state.digest !== turn.digest;
    const kept = isOther ? [...state.kept, state.version].slice(-MOST_KEPT) : (state?.kept ?? []);
    const nested = Object.fromEntries(turn.nested.map((one) => [one, stateOf(one)?.version ?? 0]));
    const sets = setsOf(round, turn);
    const isWhole = kind === 'audit' || turn.isWhole || sets.isWhole;
    states.set(turn.id, {
      ...{ version, digest: turn.digest, fold, at: now, nested, kept, whole: sets.whole },
      sets: [...turn.common, ...turn.wants.values()].flatMap(({ key, base }) => [key, ...(base === undefined ? [] : [base.key])]),
    });
    if (kind === 'audit' && entered + left > 0) {
      drift.inc(entered + left);
      deps.log.warn({ segment: turn.id, entered, left }, 'an audit found members that were wrong, and mended them');
    }
    runs.push({
      ...{ segment: turn.id, version, revision: turn.revision, started: now, seconds, members, entered, left, error: '' },
      mode: kind === 'audit' ? 'audit' : isWhole ? 'full' : 'incremental',
      asked: isWhole ? await countPeople(round) : sets.people,
      rows: sets.facts,
      bytes: Math.round(sets.facts * round.facts.bytes),
    });
  }
  await recordRuns(warehouse, runs);
  await saveEvaluated(deps.redis, states);
  for (const [id, state] of states) round.after.set(id, state);
  for (const run of runs) round.runs.push(run);
}

/** What the sets of a turn are of: since when everybody was asked for all that are kept, and how many were for the others. */
function setsOf({ leaves, now }: Round, { wants, common }: Turn) {
  let [whole, people, facts, isWhole] = [now, 0, 0, false];
  for (const { key, isAnew } of [...common, ...wants.values()]) {
    const { kept, people: asked, facts: read } = leaves.get(key) as Current;
    if (isAnew) continue;
    whole = Math.min(whole, kept.whole);
    people = Math.max(people, asked ?? 0);
    facts = Math.max(facts, read);
    isWhole ||= asked === null;
  }
  return { whole, people, facts, isWhole };
}

async function recordFailure(
  round: Round,
  { id, revision, digest }: Pick<Turn, 'id' | 'revision' | 'digest'>,
  seconds: number,
  error: RunError,
): Promise<void> {
  const { deps, now } = round;
  const nothing = { version: 0, members: 0, entered: 0, left: 0, asked: 0, rows: 0, bytes: 0, mode: 'full' as const };
  const run: Run = { ...nothing, segment: id, revision, started: now, seconds, error };
  await recordRuns(deps.warehouse, [run]);
  const before = round.states.failed.get(id);
  const times = before?.digest === digest ? before.times + 1 : 1;
  await saveFailed(deps.redis, id, { digest, times, at: now });
  round.runs.push(run);
}

/** Takes the members of segments that were deleted out of them. */
export async function retireDeleted(deps: EvaluateDeps): Promise<string[]> {
  const { known } = await readEvaluated(deps.redis);
  const gone = [...known.keys()].filter((id) => deps.things.get('segment', id) === undefined);
  if (gone.length === 0) return gone;
  await deps.warehouse.command({ sql: 'TRUNCATE TABLE segment_steps' });
  const greatest = await greatestVersions(deps.warehouse, gone);
  const versions = gone.map((id) => ({ id, version: (greatest.get(id) ?? 0) + 1, isUnsure: true }));
  await writeVersions(deps.warehouse, versions, deps.now());
  await forgetEvaluated(deps.redis, gone);
  await dropVersions(deps.warehouse, new Map(), gone);
  return gone;
}

/** ClickHouse's codes: 159 TIMEOUT_EXCEEDED, 160 TOO_SLOW, 241 MEMORY_LIMIT_EXCEEDED. */
function errorOf(error: unknown): RunError {
  const text = `${(error as { code?: unknown }).code ?? ''} ${String(error)}`;
  if (/\b(159|160)\b|TIMEOUT_EXCEEDED/.test(text)) return 'timeout';
  return /\b241\b|MEMORY_LIMIT_EXCEEDED/.test(text) ? 'memory' : 'failed';
}
