import { setTimeout as sleep } from 'node:timers/promises';
import { pino } from 'pino';
import { afterAll, beforeAll, beforeEach, expect, test } from 'vitest';
import { JobRefused, type Jobs, type JobView, type JobWork } from '../../dmp/jobs/jobs.ts';
import { createJobs, startJobWorker } from '../../dmp/jobs/queue.ts';
import type { TestRedis } from '../support/redis.ts';
import { type DataApp, startDataApp } from './data-app.ts';

let data: DataApp;
let redis: TestRedis;
let jobs: Jobs;
beforeAll(async () => {
  data = await startDataApp();
  redis = data.redis;
  jobs = data.deps.jobs;
});
afterAll(() => data.stop());
beforeEach(async () => {
  await data.deps.redis.flushall();
});

const log = pino({ level: 'silent' });

function work(evaluate: JobWork<'evaluate'>, options: { lockMs?: number } = {}) {
  return startJobWorker({ connection: redis.path, queue: 'segmenter', works: { evaluate }, concurrency: 1, log, ...options });
}

async function ended(id: string): Promise<JobView> {
  for (;;) {
    const job = await jobs.get(id);
    if (job !== null && ['succeeded', 'failed', 'cancelled'].includes(job.state)) return job;
    await sleep(20);
  }
}

test('a job is queued, runs with its payload, tells its progress, and keeps its result', async () => {
  const job = await jobs.enqueue('evaluate', { segment: 'seg_1' }, 'key_1');
  expect(job).toMatchObject({
    type: 'evaluate',
    state: 'queued',
    progress: null,
    startedAt: null,
    finishedAt: null,
    actor: 'key_1',
  });
  const worker = work(async ({ segment }, context) => {
    await context.progress({ done: 1, total: 2, unit: 'segments', stage: 'evaluate' });
    expect(await jobs.get(context.id)).toMatchObject({ state: 'running', progress: { done: 1, unit: 'segments' } });
    return { segment };
  });
  expect(await ended(job.id)).toMatchObject({ state: 'succeeded', result: { segment: 'seg_1' }, error: null });
  await worker.close();
});

test('jobs are seen over another connection and after a restart of the worker', async () => {
  const other = createJobs({ redisUrl: redis.path });
  const { id } = await jobs.enqueue('evaluate', { segment: 'seg_1' }, 'key_1');
  expect(await other.get(id)).toMatchObject({ id, state: 'queued' });
  await other.close();
  const worker = work(async () => 'done');
  expect(await ended(id)).toMatchObject({ result: 'done' });
  await worker.close();
});

test('an unexpected fault is tried again, a refusal is not', async () => {
  let runs = 0;
  const worker = work(async ({ segment }) => {
    runs++;
    if (segment === 'never') throw new JobRefused('missing_file', 'there is no file');
    if (runs === 1) throw new Error('the warehouse is away');
    return runs;
  });
  const { id } = await jobs.enqueue('evaluate', { segment: 'once' }, 'key_1');
  expect(await ended(id)).toMatchObject({ state: 'succeeded', result: 2 });
  const refused = await jobs.enqueue('evaluate', { segment: 'never' }, 'key_1');
  expect(await ended(refused.id)).toMatchObject({ state: 'failed', error: 'missing_file: there is no file', result: null });
  expect(runs).toBe(3);
  await worker.close();
});

test('a waiting job that is cancelled never runs, one that runs stops at its checkpoint', async () => {
  const waiting = await jobs.enqueue('evaluate', { segment: 'waiting' }, 'key_1');
  expect(await jobs.cancel(waiting.id)).toBe(true);
  expect(await jobs.get(waiting.id)).toMatchObject({ state: 'cancelled' });
  expect(await jobs.cancel(waiting.id)).toBe(false);
  const ran: string[] = [];
  const worker = work(async ({ segment }, context) => {
    ran.push(segment);
    for (let i = 0; i < 500; i++) {
      await context.checkpoint();
      await sleep(10);
    }
  });
  const running = await jobs.enqueue('evaluate', { segment: 'running' }, 'key_1');
  while ((await jobs.get(running.id))?.state !== 'running') await sleep(10);
  expect(await jobs.cancel(running.id)).toBe(true);
  expect(await ended(running.id)).toMatchObject({ state: 'cancelled', error: null });
  expect(ran).toEqual(['running']);
  expect(await jobs.cancel(running.id)).toBe(false);
  expect(await jobs.cancel('job_import_000000000000000000')).toBe(false);
  await worker.close();
});

test('a job whose worker died is run again by another', async () => {
  const { id } = await jobs.enqueue('evaluate', { segment: 'seg_1' }, 'key_1');
  // As a killed worker leaves it: active, under a lock that nobody renews.
  const connection = redis.connect();
  const prefix = '{walkin-jobs}:segmenter';
  await connection.lmove(`${prefix}:wait`, `${prefix}:active`, 'RIGHT', 'LEFT');
  await connection.set(`${prefix}:${id}:lock`, 'dead', 'PX', 300);
  expect(await jobs.get(id)).toMatchObject({ state: 'running' });
  const worker = work(async () => 'second', { lockMs: 400 });
  expect(await ended(id)).toMatchObject({ state: 'succeeded', result: 'second' });
  await worker.close();
});

test('while a refresh waits, another is the same one', async () => {
  const first = await jobs.enqueue('refresh', {}, 'key_1');
  expect((await jobs.enqueue('refresh', {}, 'key_2')).id).toBe(first.id);
  await jobs.cancel(first.id);
  expect((await jobs.enqueue('refresh', {}, 'key_2')).id).not.toBe(first.id);
});

test('jobs over HTTP: 202 with the address, followed, cancelled, unknown', async () => {
  const posted = await data.app.inject({ method: 'POST', url: '/v1/refresh' });
  expect(posted.statusCode).toBe(202);
  const { id } = posted.json();
  expect(posted.headers['location']).toBe(`/v1/jobs/${id}`);
  const url = `/v1/jobs/${id}`;
  expect((await data.app.inject({ url })).json()).toMatchObject({
    id,
    type: 'refresh',
    state: 'queued',
    createdAt: expect.stringMatching(/Z$/),
  });
  const cancelled = await data.app.inject({ method: 'DELETE', url });
  expect({ status: cancelled.statusCode, state: cancelled.json().state }).toEqual({ status: 202, state: 'cancelled' });
  const again = await data.app.inject({ method: 'DELETE', url });
  expect({ status: again.statusCode, code: again.json().code }).toEqual({ status: 409, code: 'conflict' });
  for (const unknown of ['job_refresh_000000000000000000', 'x', '%00', 'job___proto___000000000000000000']) {
    expect((await data.app.inject({ url: `/v1/jobs/${unknown}` })).statusCode).toBe(404);
  }
});

test('a key of an advertiser follows its own jobs only', async () => {
  const own = await jobs.enqueue('evaluate', { segment: 'seg_1' }, 'key_1');
  const others = await jobs.enqueue('evaluate', { segment: 'seg_1' }, 'key_2');
  const { principal } = data;
  data.principal = { id: 'key_1', advertiser: 'adv_1', scopes: ['jobs:read'] };
  expect((await data.app.inject({ url: `/v1/jobs/${own.id}` })).statusCode).toBe(200);
  expect((await data.app.inject({ url: `/v1/jobs/${others.id}` })).statusCode).toBe(404);
  expect((await data.app.inject({ method: 'DELETE', url: `/v1/jobs/${own.id}` })).statusCode).toBe(403);
  expect((await data.app.inject({ method: 'POST', url: '/v1/refresh' })).statusCode).toBe(403);
  data.principal = principal;
});

test('what a job counted of everybody is hidden from a key of an advertiser, also from the one that asked for it', async () => {
  const asked = await Promise.all([
    jobs.enqueue('refresh', {}, 'key_1'),
    jobs.enqueue('evaluate', { segment: 'seg_1' }, 'key_1'),
    jobs.enqueue('lookalike', { lookalike: 'lal_1' }, 'key_1'),
    jobs.enqueue('import', { import: 'imp_1' }, 'key_1'),
  ]);
  const counted = async () => ({ members: 12_345 });
  const options = { connection: redis.path, concurrency: 1, log };
  const workers = [
    startJobWorker({ ...options, queue: 'segmenter', works: { refresh: counted, evaluate: counted, lookalike: counted } }),
    startJobWorker({ ...options, queue: 'imports', works: { import: counted } }),
  ];
  await Promise.all(asked.map(({ id }) => ended(id)));
  await Promise.all(workers.map((worker) => worker.close()));
  const seen = () =>
    Promise.all(asked.map(async ({ id }) => (await data.app.inject({ url: `/v1/jobs/${id}` })).json() as { result: unknown }));
  const { principal } = data;
  data.principal = { id: 'key_1', advertiser: 'adv_1', scopes: ['jobs:read', 'jobs:write'] };
  const bound = await seen();
  const again = await Promise.all(asked.map(({ id }) => data.app.inject({ method: 'DELETE', url: `/v1/jobs/${id}` })));
  data.principal = principal;
  expect(bound).toMatchObject(asked.map(({ type }) => ({ type, state: 'succeeded' })));
  // Its own file's it may know.
  expect(bound.map(({ result }) => result)).toEqual([null, null, null, { members: 12_345 }]);
  expect(again.map(({ body }) => body).join()).not.toContain('12345');
  expect((await seen()).map(({ result }) => result)).toEqual(asked.map(() => ({ members: 12_345 })));
});
