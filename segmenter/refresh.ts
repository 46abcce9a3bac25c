import type { DmpDeps } from '../dmp/deps.ts';
import type { JobContext } from '../dmp/jobs/jobs.ts';
import { nextSequence } from '../dmp/publication/values.ts';
import { evaluateSegments, retireDeleted } from './evaluate.ts';
import { createFacts, type FactsFolded } from './facts.ts';
import type { Folded, Identity } from './identity.ts';
import { evaluationOrder } from './order.ts';
import { type Published, publish } from './publish.ts';
import { putBack, type Restored } from './restore.ts';
import type { Visits, VisitsFound } from './visits.ts';

export interface Refreshed {
  readonly identity: Omit<Folded, 'changed'> & { readonly changed: number };
  /** Null where only one segment was asked for. */
  readonly visits: VisitsFound | null;
  readonly facts: FactsFolded;
  readonly segments: SegmentsEvaluated;
  readonly published: Published;
  readonly seconds: number;
}

export interface SegmentsEvaluated {
  readonly evaluated: number;
  readonly entered: number;
  readonly left: number;
  /** Ids of those whose rule could not be evaluated, now or the last times; their runs say why. */
  readonly failed: readonly string[];
}

export type RefreshDeps = Pick<DmpDeps, 'warehouse' | 'redis' | 'things' | 'now' | 'log'>;
export type Steps = Pick<JobContext, 'progress' | 'checkpoint'>;

/** identity → visits → facts → segments → publish: each step takes what the one before it wrote. */
export interface Refresh {
  all(steps: Steps): Promise<Refreshed>;
  /** One segment and those it needs; first, where it is to be restored, the members that it had. */
  one(segment: string, steps: Steps, restored?: Restored): Promise<Refreshed>;
}

export function createRefresh(deps: RefreshDeps, identity: Identity, visits: Visits): Refresh {
  const facts = createFacts(deps);
  const run = async (wanted: readonly string[] | undefined, steps: Steps): Promise<Refreshed> => {
    const began = performance.now();
    // What is durable by now is part of what is evaluated.
    const upTo = await nextSequence(deps.redis);
    const { changed, ...resolved } = await stage(steps, 'identity', 'steps', () => identity.fold());
    const found = wanted === undefined ? await stage(steps, 'visits', 'parts', (between) => visits.find(between)) : null;
    const folded = await stage(steps, 'facts', 'parts', (between) => facts.fold(between));
    const segments = await stage(steps, 'segments', 'segments', (between) => evaluateAll(deps, wanted, between));
    const sound = deps.things.list('segment').filter(({ id }) => !segments.failed.includes(id));
    const evaluated = wanted === undefined ? { upTo, segments: sound.map(({ id }) => id) } : null;
    const published = await stage(steps, 'publish', 'parts', (between) => publish(deps, between, evaluated));
    const seconds = (performance.now() - began) / 1000;
    return { identity: { ...resolved, changed: changed.size }, visits: found, facts: folded, segments, published, seconds };
  };
  return {
    all: (steps) => run(undefined, steps),
    one: async (segment, steps, restored) => {
      if (restored !== undefined) await stage(steps, 'restore', 'parts', (between) => restore(deps, segment, restored, between));
      return run([segment], steps);
    },
  };
}

type Between = (done: number, total: number) => Promise<void>;

async function restore(deps: RefreshDeps, segment: string, restored: Restored, between: Between): Promise<void> {
  if ((await putBack(deps, segment, restored)) !== null) await publish(deps, between, null);
}

async function evaluateAll(
  deps: RefreshDeps,
  wanted: readonly string[] | undefined,
  between: Between,
): Promise<SegmentsEvaluated> {
  if (wanted === undefined) await retireDeleted(deps);
  const asked = evaluationOrder(deps.things, wanted);
  const { runs, untouched } = await evaluateSegments(deps, wanted === undefined ? undefined : asked, between);
  const sound = new Set([...untouched, ...runs.filter((run) => run.error === '').map((run) => run.segment)]);
  return {
    evaluated: new Set(runs.map((run) => run.segment)).size + untouched.size,
    entered: runs.reduce((sum, run) => sum + run.entered, 0),
    left: runs.reduce((sum, run) => sum + run.left, 0),
    failed: asked.filter((id) => !sound.has(id)),
  };
}

async function stage<Result>(
  steps: Steps,
  name: string,
  unit: string,
  work: (between: Between) => Promise<Result>,
): Promise<Result> {
  const between: Between = async (done, total) => {
    await steps.checkpoint();
    await steps.progress({ done, total, unit, stage: name });
  };
  await between(0, 1);
  return work(between);
}
