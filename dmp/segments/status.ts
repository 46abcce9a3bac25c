import type { Warehouse } from '../clickhouse/warehouse.ts';
import type { Thing } from '../things/things.ts';
import { countFor, type Told } from './minimum.ts';
import type { Round } from './rounds.ts';
import { lastRuns, type Run } from './runs.ts';
import type { Segment } from './segment.ts';

/** What the API shows of a segment beside its rule. */
export interface SegmentStatus {
  readonly number: number;
  /** Null: never evaluated, or too few to be told. */
  readonly size: number | null;
  readonly version: number | null;
  readonly evaluatedAt: string | null;
  /** `recomputing`: the members are those of an older rule, or there are none yet. */
  readonly state: 'ready' | 'recomputing';
}

export const STATUS_MEMBERS = ['number', 'size', 'version', 'evaluatedAt', 'state'] as const;

/** @param round what a later refresh did not write down of a segment whose members stayed as they were */
export function statusOf(segment: Thing<Segment>, run: Run | undefined, round: Round | null, key: Told): SegmentStatus {
  return {
    number: segment.body.number,
    size: run === undefined ? null : countFor(key, run.members),
    version: run?.version ?? null,
    evaluatedAt: run === undefined ? null : new Date(evaluatedAt(segment, run, round)).toISOString(),
    state: run !== undefined && run.revision >= segment.revision ? 'ready' : 'recomputing',
  };
}

function evaluatedAt({ id, revision }: Thing<Segment>, run: Run, round: Round | null): number {
  const isConfirmed = round !== null && run.revision >= revision && !round.failed.includes(id);
  return isConfirmed ? Math.max(run.started, round.at) : run.started;
}

/** Looks last runs up, all that are asked for in one turn of the event loop by one query: a list shows many segments. */
export function createRunLookup(warehouse: Warehouse): (segment: string) => Promise<Run | undefined> {
  let open: { ids: string[]; runs: Promise<Map<string, Run>> } | null = null;
  const begin = () => {
    const ids: string[] = [];
    const runs = new Promise<void>((resolve) => setImmediate(resolve)).then(() => {
      open = null;
      return lastRuns(warehouse, ids);
    });
    return { ids, runs };
  };
  return async (segment) => {
    open ??= begin();
    open.ids.push(segment);
    return (await open.runs).get(segment);
  };
}
