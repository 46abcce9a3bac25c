import type { Warehouse } from '../clickhouse/warehouse.ts';

/** Why an evaluation failed, for those who wrote the rule; the log has the rest. */
export type RunError = '' | 'timeout' | 'memory' | 'failed';

/** One evaluation of a segment. */
export interface Run {
  readonly segment: string;
  /** Of the memberships that it wrote; rises with every run that succeeds. */
  readonly version: number;
  /** Of the segment whose rule was evaluated. */
  readonly revision: number;
  /** Epoch ms. */
  readonly started: number;
  readonly seconds: number;
  readonly members: number;
  readonly entered: number;
  readonly left: number;
  readonly error: RunError;
}

interface Row {
  segment: string;
  version: number;
  revision: number;
  started: string;
  seconds: number;
  members: number;
  entered: number;
  left_count: number;
  error: RunError;
}

export async function recordRun(warehouse: Warehouse, run: Run): Promise<void> {
  const { left, started, ...rest } = run;
  await warehouse.insert('segment_runs', [{ ...rest, left_count: left, started: new Date(started).toISOString() }]);
}

/** The newest runs of a segment, newest first; with `before` (epoch ms) those that started before it. */
export async function listRuns(warehouse: Warehouse, segment: string, limit: number, before: number | null): Promise<Run[]> {
  const sql = `SELECT * FROM segment_runs
    WHERE segment = {segment:String} AND started < fromUnixTimestamp64Milli({before:Int64})
    ORDER BY started DESC LIMIT {limit:UInt32}`;
  // The end of what DateTime64 holds.
  const params = { segment, limit, before: before ?? Date.UTC(2299, 0, 1) };
  return (await warehouse.query<Row>({ sql, params })).map(runOf);
}

/** The last run of each segment that succeeded, and whether a later one failed. */
export async function lastRuns(warehouse: Warehouse, segments: readonly string[]): Promise<Map<string, Run>> {
  const sql = `SELECT * FROM segment_runs WHERE segment IN {segments:Array(String)} AND error = ''
    ORDER BY started DESC LIMIT 1 BY segment`;
  const rows = await warehouse.query<Row>({ sql, params: { segments: [...segments] } });
  return new Map(rows.map((row) => [row.segment, runOf(row)]));
}

function runOf({ left_count, started, ...rest }: Row): Run {
  return { ...rest, left: left_count, started: Date.parse(`${started.replace(' ', 'T')}Z`) };
}
