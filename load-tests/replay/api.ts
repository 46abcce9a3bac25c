import { Readable } from 'node:stream';
import { setTimeout as sleep } from 'node:timers/promises';
import type { Target } from './options.ts';
import { ReplayError } from './say.ts';

/** The admin API as an outsider calls it. Every error answer becomes a ReplayError with all its faults. */
export interface Api {
  get<Answer>(path: string): Promise<Answer>;
  post<Answer>(path: string, body: unknown): Promise<Answer>;
  /** Creates the thing, or replaces what an earlier replay left. */
  put(path: string, body: unknown): Promise<void>;
  putCsv<Answer>(path: string, content: Readable): Promise<Answer>;
  postLines<Answer>(path: string, events: readonly object[]): Promise<Answer>;
  /** Waits until the job is over and returns its view; a failed job is a ReplayError. */
  finished(job: JobView): Promise<JobView>;
}

export interface JobView {
  readonly id: string;
  readonly state: 'queued' | 'running' | 'succeeded' | 'failed' | 'cancelled';
  readonly result: unknown;
  readonly error: string | null;
}

const POLL_MS = 100;

export function createApi({ api, key }: Target): Api {
  const call = async (
    method: string,
    path: string,
    init: { body?: NonNullable<RequestInit['body']>; headers?: Record<string, string> } = {},
  ) => {
    const headers = { authorization: `Bearer ${key}`, ...init.headers };
    // `duplex` is needed for streamed bodies, and missing from the types.
    const options = { method, headers, ...(init.body === undefined ? {} : { body: init.body, duplex: 'half' }) };
    try {
      return await fetch(`${api}${path}`, options as RequestInit);
    } catch (error) {
      throw new ReplayError(`${method} ${path}: no answer from ${api} (${causeOf(error)})`);
    }
  };
  const answered = async <Answer>(method: string, path: string, response: Response): Promise<Answer> => {
    const text = await response.text();
    if (!response.ok) throw new ReplayError(`${method} ${path} was answered ${response.status}: ${text.slice(0, 2000)}`);
    return (text === '' ? null : JSON.parse(text)) as Answer;
  };
  const json = (body: unknown, headers: Record<string, string> = {}) => ({
    body: JSON.stringify(body),
    headers: { 'content-type': 'application/json', ...headers },
  });
  const get = async <Answer>(path: string) => answered<Answer>('GET', path, await call('GET', path));
  return {
    get,
    post: async (path, body) => answered('POST', path, await call('POST', path, json(body))),
    put: async (path, body) => {
      const first = await call('PUT', path, json(body));
      const response = first.status === 428 ? await call('PUT', path, json(body, { 'if-match': '*' })) : first;
      await answered('PUT', path, response);
    },
    putCsv: async (path, content) => {
      const body = Readable.toWeb(content) as unknown as NonNullable<RequestInit['body']>;
      return answered('PUT', path, await call('PUT', path, { body, headers: { 'content-type': 'text/csv' } }));
    },
    postLines: async (path, events) => {
      const body = events.map((event) => `${JSON.stringify(event)}\n`).join('');
      return answered('POST', path, await call('POST', path, { body, headers: { 'content-type': 'application/x-ndjson' } }));
    },
    finished: async (job) => {
      let view = job;
      while (view.state === 'queued' || view.state === 'running') {
        await sleep(POLL_MS);
        view = await get<JobView>(`/v1/jobs/${job.id}`);
      }
      if (view.state !== 'succeeded') throw new ReplayError(`Job ${view.id} ${view.state}: ${view.error ?? 'no reason given'}`);
      return view;
    },
  };
}

function causeOf(error: unknown): string {
  const { cause, message } = error as Error;
  return cause instanceof Error ? cause.message : message;
}
