import type { Warehouse } from '../clickhouse/warehouse.ts';

/** Why an evaluation failed, for those who wrote the rule; the log has the rest. */
export type RunError = '' | 'timeout' | 'memory' | 'failed';

/** One evaluation of a segment. */
export interface Run {
  readonly segment: string;
  /** Of its members after it; rises where they changed. */
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
  /** Of whom it was asked: everybody; who may have changed; everybody as an audit of that. Or nobody: members of then were put back. */
  readonly mode: 'full' | 'incremental' | 'audit' | 'restored';
  /** People who were asked; facts of theirs that were read, and their bytes. One pass reads for many segments. */
  readonly asked: number;
  readonly rows: number;
  readonly bytes: number;
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
  mode: Run['mode'];
  asked: string;
  rows: string;
  bytes: string;
}

/** What a run is without what it cost. */
type Outcome = Omit<Run, 'mode' | 'asked' | 'rows' | 'bytes'> & Partial<Run>;

export async function recordRun(warehouse: Warehouse, run: Outcome): Promise<void> {
  await recordRuns(warehouse, [run]);
}

export async function recordRuns(warehouse: Warehouse, runs: readonly Outcome[]): Promise<void> {
  const rows = runs.map(({ left, started, ...rest }) => ({
    ...rest,
    left_count: left,
    started: new Date(started).toISOString(),
  }));
  await warehouse.insert('segment_runs', rows);
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

/** The last run that left a version of the members; null: there is no such version. Its revision is the rule that made it. */
export async function runOfVersion(warehouse: Warehouse, segment: string, version: number): Promise<Run | null> {
  const sql = `SELECT * FROM segment_runs WHERE segment = {segment:String} AND version = {version:UInt32} AND error = ''
    ORDER BY started DESC LIMIT 1`;
  const [row] = await warehouse.query<Row>({ sql, params: { segment, version } });
  return row === undefined ? null : runOf(row);
}

function runOf({ left_count, started, asked, rows, bytes, ...rest }: Row): Run {
  const read = { asked: Number(asked), rows: Number(rows), bytes: Number(bytes) };
  return { ...rest, ...read, left: left_count, started: Date.parse(`${started.replace(' ', 'T')}Z`) };
}
