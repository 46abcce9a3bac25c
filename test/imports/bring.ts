import { setTimeout as sleep } from 'node:timers/promises';
import { expect } from 'vitest';
import type { DataApp } from '../dmp/data-app.ts';

/** What the API tells of a job that has ended. */
export interface EndedJob {
  readonly state: string;
  readonly error: string | null;
  // What a job gives is looked at by each test as it knows it.
  readonly result: ReturnType<typeof JSON.parse>;
}

export async function endedJob(data: DataApp, job: string): Promise<EndedJob> {
  for (;;) {
    const view = (await data.app.inject({ url: `/v1/jobs/${job}` })).json();
    if (['succeeded', 'failed', 'cancelled'].includes(view.state)) return view;
    await sleep(20);
  }
}

/** Makes an import, sends its file and waits until it was taken or refused. */
export async function bringFile(data: DataApp, input: object, file: string | Buffer): Promise<{ id: string; job: EndedJob }> {
  const made = await data.app.inject({ method: 'POST', url: '/v1/imports', payload: input });
  expect(made.statusCode, made.body).toBe(201);
  const { id } = made.json() as { id: string };
  const sent = await data.app.inject({ method: 'PUT', url: `/v1/imports/${id}/file`, payload: file });
  expect(sent.statusCode, sent.body).toBe(202);
  return { id, job: await endedJob(data, sent.json().id) };
}
