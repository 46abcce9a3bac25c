import { gzipSync } from 'node:zlib';
import { type Answer, type Connection, connect } from '../exchange/connection.ts';
import { persist } from '../exchange/patience.ts';
import type { CityEvent } from './receipts.ts';

/** Walkin's admin API as the city uses it. Every call may be repeated without harm, and is while the server is away. */
export interface Api {
  get<T>(path: string): Promise<T>;
  post<T>(path: string, body: unknown): Promise<T>;
  /** Creates or replaces a resource under our own id. */
  put(path: string, body: unknown): Promise<void>;
  putFile<T>(path: string, content: string): Promise<T>;
  /** Sends events, gzipped NDJSON in batches; all must be accepted. Returns how many. */
  events(source: string, events: readonly CityEvent[]): Promise<number>;
  /** Waits for a job to succeed. */
  job(id: string): Promise<JobState>;
  close(): void;
}

interface JobState {
  readonly id: string;
  readonly state: string;
  readonly result?: unknown;
  readonly error?: string | null;
}

const BATCH = 4_000;
const JOB_PATIENCE = 180_000;

export function openApi(base: string, key: string): Api {
  const connection = connect(base, 8);
  const authorization = `Bearer ${key}`;
  const json = { authorization, 'content-type': 'application/json' };
  return {
    get: async <T>(path: string) => read<T>(await persist(connection, { path, headers: { authorization } }), path),
    post: async <T>(path: string, body: unknown) =>
      read<T>(await persist(connection, { method: 'POST', path, headers: json, body: JSON.stringify(body) }), path),
    put: (path, body) => put(connection, json, path, JSON.stringify(body)),
    putFile: async <T>(path: string, content: string) =>
      read<T>(
        await persist(connection, { method: 'PUT', path, headers: { authorization, 'content-type': 'text/csv' }, body: content }),
        path,
      ),
    events: (source, events) => sendEvents(connection, authorization, source, events),
    job: (id) => waitForJob(connection, authorization, id),
    close: () => connection.close(),
  };
}

function read<T>(answer: Answer, path: string): T {
  if (answer.status >= 300) throw new Error(`${path}: ${answer.status} ${answer.body.toString('utf8', 0, 1_000)}`);
  return (answer.body.length === 0 ? undefined : JSON.parse(answer.body.toString())) as T;
}

async function put(connection: Connection, headers: Record<string, string>, path: string, body: string): Promise<void> {
  const answer = await persist(connection, { method: 'PUT', path, headers, body });
  // 428: it is there already; whatever its revision is, ours is meant.
  const precondition = answer.status === 428;
  read(
    precondition ? await persist(connection, { method: 'PUT', path, headers: { ...headers, 'if-match': '*' }, body }) : answer,
    path,
  );
}

async function sendEvents(
  connection: Connection,
  authorization: string,
  source: string,
  events: readonly CityEvent[],
): Promise<number> {
  const headers = { authorization, 'content-type': 'application/x-ndjson', 'content-encoding': 'gzip' };
  const path = `/v1/events?source=${source}`;
  for (let start = 0; start < events.length; start += BATCH) {
    const lines = events.slice(start, start + BATCH);
    const body = gzipSync(lines.map((event) => JSON.stringify(event)).join('\n'), { level: 1 });
    const { accepted, errors } = read<{ accepted: number; errors?: unknown[] }>(
      await persist(connection, { method: 'POST', path, headers, body }),
      path,
    );
    if (accepted !== lines.length)
      throw new Error(`${path}: ${accepted} of ${lines.length} taken: ${JSON.stringify(errors?.[0])}`);
  }
  return events.length;
}

async function waitForJob(connection: Connection, authorization: string, id: string): Promise<JobState> {
  const giveUp = performance.now() + JOB_PATIENCE;
  while (performance.now() < giveUp) {
    const path = `/v1/jobs/${id}`;
    const job = read<JobState>(await persist(connection, { path, headers: { authorization } }), path);
    if (job.state === 'succeeded') return job;
    if (job.state === 'failed' || job.state === 'cancelled') throw new Error(`job ${id} ${job.state}: ${job.error ?? ''}`);
    await new Promise((resolve) => setTimeout(resolve, 100));
  }
  throw new Error(`job ${id} did not end in ${JOB_PATIENCE / 1000} s`);
}
