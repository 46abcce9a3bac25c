import type { DmpDeps } from '../../dmp/deps.ts';
import type { Run } from '../../dmp/segments/runs.ts';
import { LIMITS } from './limits.ts';
import type { Evaluated, EvaluatedStates, Kept } from './state.ts';

export interface EvaluateDeps extends Pick<DmpDeps, 'warehouse' | 'redis' | 'things' | 'now' | 'log'> {
  /** Facts of which there are few: statements cost more than rows. Absent: as measured. */
  readonly fewFacts?: number;
}

/** Of so few facts a statement for each kind or part would cost more than it saves. */
const FEW_FACTS = 200_000;

/** What all passes of an evaluation share. */
export interface Round {
  readonly deps: EvaluateDeps;
  readonly now: number;
  readonly fold: number;
  /** The fold that made all facts anew last. */
  readonly rebuilt: number;
  readonly states: EvaluatedStates;
  /** States as they become, by segment. */
  readonly after: Map<string, Evaluated>;
  readonly runs: Run[];
  /** Sets of leaves that are of now, by what they come to. */
  readonly leaves: Map<string, Current>;
  /** Facts in all, and bytes of one. */
  readonly facts: { readonly rows: number; readonly bytes: number };
  readonly few: number;
}

/** A set of a leaf that is of now. */
export interface Current {
  readonly kept: Kept;
  /** People who were asked for it, and facts that were read; null: everybody. */
  readonly people: number | null;
  readonly facts: number;
}

export function fewOf({ fewFacts = FEW_FACTS }: EvaluateDeps): number {
  return fewFacts;
}

/** Of a segment, as this round or the last that had it left it. */
export function stateIn({ after, states }: Round, id: string): Evaluated | undefined {
  return after.get(id) ?? states.known.get(id);
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
