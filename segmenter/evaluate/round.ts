import type { DmpDeps } from '../../dmp/deps.ts';
import { Binder } from '../../dmp/segments/binder.ts';
import type { LeafPlan } from '../../dmp/segments/plan.ts';
import type { Run } from '../../dmp/segments/runs.ts';
import { compileSets, isOfOthers, type Sets } from '../../dmp/segments/sets.ts';
import { askAgain } from './asked.ts';
import { type Between, isFew, keyOfLeaf, makeLeafSets } from './leaves.ts';
import { LIMITS } from './limits.ts';
import type { Reading } from './pass.ts';
import type { Evaluated, EvaluatedStates } from './state.ts';
import { freeStamp, leafSet, membersOf } from './stored.ts';
import { SOME_TIME, scopeFor, type Turn } from './turn.ts';

export type EvaluateDeps = Pick<DmpDeps, 'warehouse' | 'redis' | 'things' | 'now' | 'log'>;

/** What all passes of an evaluation share. */
export interface Round {
  readonly deps: EvaluateDeps;
  readonly now: number;
  readonly fold: number;
  readonly states: EvaluatedStates;
  /** States as they become, by segment. */
  readonly after: Map<string, Evaluated>;
  readonly runs: Run[];
  /** Sets of leaves of others that were made, by what they come to: their stamp. */
  readonly leaves: Map<string, number>;
  /** Facts in all, and bytes of one. */
  readonly facts: { readonly rows: number; readonly bytes: number };
}

/** Of a segment, as this round or the last that had it left it. */
export function stateIn({ after, states }: Round, id: string): Evaluated | undefined {
  return after.get(id) ?? states.known.get(id);
}

/** Makes the sets of leaves of others that the turns need, each once a round. */
export async function makeLeaves(round: Round, turns: readonly Turn[], between: Between): Promise<void> {
  const { deps, now } = round;
  const missing = new Map(turns.flatMap(({ leaves }) => [...leaves].filter(([key]) => !round.leaves.has(key))));
  if (missing.size === 0) return;
  const stamp = await freeStamp(deps.warehouse, [...round.states.known.values()], [...round.leaves.values()]);
  const scope = scopeFor(deps.things, turns[0] as Turn, now);
  await makeLeafSets(deps.warehouse, missing, scope, stamp, round.facts.rows, between);
  for (const key of missing.keys()) round.leaves.set(key, stamp);
}

/** Null: nearly everybody. */
export async function askFor({ deps, now, after, states, leaves: made }: Round, turns: readonly Turn[]): Promise<number | null> {
  const edges = new Set<number>();
  const nested: Record<string, number> = {};
  const leaves = new Map<string, number>();
  for (const turn of turns) {
    for (const age of turn.edges.ages) edges.add(age);
    for (const key of turn.leaves.keys()) leaves.set(key, turn.before?.leaves?.[key] ?? 0);
    for (const id of turn.nested) {
      const version = turn.before?.nested[id] ?? 0;
      const current = (after.get(id) ?? states.known.get(id))?.version ?? 0;
      if (version !== current) nested[id] = Math.min(nested[id] ?? version, version);
    }
  }
  const { before } = turns[0] as Turn;
  const scope = scopeFor(deps.things, turns[0] as Turn, now);
  const changed = [...leaves].map(([key, stamp]) => ({ key, before: stamp, now: made.get(key) ?? 0 }));
  return askAgain(
    deps.warehouse,
    { fold: before?.fold ?? 0, at: before?.at ?? 0, nested, leaves: changed },
    now,
    [...edges],
    scope,
  );
}

/** The rules of turns as algebra of sets, and what is read for them. Asked are so many, or everybody (null). */
export async function setsOf(
  round: Round,
  turns: readonly Turn[],
  asked: number | null,
): Promise<{ sets: Sets; reading: Reading }> {
  const { deps, now } = round;
  const [first] = turns as [Turn];
  const facts = asked === null ? round.facts.rows : asked === 0 ? 0 : await countFacts(deps);
  const isStored = (plan: LeafPlan): boolean =>
    isOfOthers(plan) || (first.level === 'person' && storedSegment(plan) !== undefined);
  const sets = compileSets(
    turns.map(({ rule }) => rule),
    scopeFor(deps.things, first, now),
    isStored,
    new Binder(),
    { isTogether: isFew(facts) },
  );
  const timeless = scopeFor(deps.things, first, SOME_TIME);
  const stored = new Map(
    sets.stored.map(({ name, leaf, plan }) => {
      const segment = storedSegment(plan);
      if (segment !== undefined) return [name, membersOf(segment, stateIn(round, segment)?.version ?? 0, sets.bound)];
      const key = keyOfLeaf(leaf, timeless);
      return [name, leafSet(key, round.leaves.get(key) ?? 0, sets.bound)];
    }),
  );
  return { sets, reading: { from: asked === null ? 'facts' : 'segment_facts', facts, stored } };
}

/** The segment whose members as they are stored are the leaf's. */
function storedSegment(plan: LeafPlan): string | undefined {
  return 'units' in plan ? plan.segment : undefined;
}

async function countFacts({ warehouse }: EvaluateDeps): Promise<number> {
  const [row] = await warehouse.query<{ n: string }>({ sql: 'SELECT count() AS n FROM segment_facts' });
  return Number(row?.n ?? 0);
}

const people = new WeakMap<Round, Promise<number>>();

/** Everybody, counted once a round. */
export function countPeople(round: Round): Promise<number> {
  const known = people.get(round);
  if (known !== undefined) return known;
  const sql = "SELECT uniqExact(profile) AS n FROM facts WHERE kind = 'person'";
  const counted = round.deps.warehouse.query<{ n: string }>({ sql }, LIMITS).then(([row]) => Number(row?.n ?? 0));
  people.set(round, counted);
  return counted;
}

export async function sizeOfFacts({ warehouse }: EvaluateDeps): Promise<Round['facts']> {
  const sql = `SELECT sum(rows) AS rows, sum(data_uncompressed_bytes) AS bytes FROM system.parts
    WHERE database = currentDatabase() AND table = 'facts' AND active`;
  const [row] = await warehouse.query<{ rows: string; bytes: string }>({ sql });
  const rows = Number(row?.rows ?? 0);
  return { rows, bytes: rows === 0 ? 0 : Number(row?.bytes ?? 0) / rows };
}
