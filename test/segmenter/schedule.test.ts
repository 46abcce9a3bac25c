import { setTimeout as sleep } from 'node:timers/promises';
import { afterAll, beforeAll, beforeEach, expect, test } from 'vitest';
import type { DmpDeps } from '../../dmp/deps.ts';
import type { JobView } from '../../dmp/jobs/jobs.ts';
import { createJobs } from '../../dmp/jobs/queue.ts';
import { profileKey } from '../../proto/keys.ts';
import { decodeProfile } from '../../proto/profile.ts';
import type { Refreshed } from '../../segmenter/refresh.ts';
import { type Segmenter, startSegmenter } from '../../segmenter/schedule.ts';
import { membersOf, putAttribute, type Rig, startRig, uuid } from './rig.ts';

let rig: Rig;
let deps: DmpDeps;
const running: Segmenter[] = [];
beforeAll(async () => {
  rig = await startRig();
});
afterAll(() => rig.stop());
beforeEach(async () => {
  await rig.reset();
  deps = { ...rig, things: rig.things, jobs: createJobs({ connection: rig.redis }), pepper: 'p', uploads: '' };
  return async () => {
    for (const segmenter of running.splice(0)) await segmenter.close();
    await deps.jobs.close();
  };
});

async function start(refreshSeconds: number | null = null, more: Partial<DmpDeps> = {}): Promise<Segmenter> {
  const segmenter = await startSegmenter({ ...deps, ...more }, { refreshSeconds });
  running.push(segmenter);
  return segmenter;
}

async function ended(id: string): Promise<JobView> {
  for (let turn = 0; turn < 600; turn++) {
    const job = await deps.jobs.get(id);
    if (job?.state === 'succeeded' || job?.state === 'failed' || job?.state === 'cancelled') return job;
    await sleep(25);
  }
  throw new Error(`job ${id} has not ended`);
}

async function putEdge(n: number): Promise<void> {
  const at = new Date(rig.now()).toISOString();
  const row = { a: uuid(n), kind_a: 'ifa', b: uuid(n), kind_b: 'ifa', source: 's', first_seen: at, ingested: at };
  await rig.warehouse.insert('edges', [row]);
}

test('a refresh takes a person from an edge to the value that the bidders read', async () => {
  await start();
  await rig.segment('a', { attribute: { name: 'a' } }, 7);
  await rig.segment('b', { not: { segment: 'a' } }, 9);
  await putEdge(1);
  await putEdge(2);
  await putAttribute(rig, 'a', [1], 1);
  const job = await ended((await deps.jobs.enqueue('refresh', {}, 'test')).id);
  expect(job).toMatchObject({ state: 'succeeded', error: null });
  const result = job.result as Refreshed;
  expect(result).toMatchObject({
    identity: { identifiers: 2, made: 2, changed: 2 },
    segments: { evaluated: 2, entered: 2, left: 0, failed: [] },
    published: { full: true, profiles: 2, identifiers: 2 },
  });
  const values = await Promise.all([1, 2].map((n) => rig.redis.getBuffer(profileKey(uuid(n)))));
  expect(values.map((value) => decodeProfile(value as Buffer)?.memberships.map(({ segment }) => segment))).toEqual([[7], [9]]);
});

test('one segment is evaluated with those that it needs', async () => {
  await start();
  await rig.segment('a', { attribute: { name: 'a' } }, 1);
  await rig.segment('b', { segment: 'a' }, 2);
  await rig.segment('c', { not: { segment: 'a' } }, 3);
  await putEdge(1);
  await putAttribute(rig, 'a', [1], 1);
  const job = await ended((await deps.jobs.enqueue('evaluate', { segment: 'b' }, 'test')).id);
  expect(job.result).toMatchObject({ visits: null, segments: { evaluated: 2, entered: 2 } });
  expect(await membersOf(rig, 'b')).toEqual([1]);
});

test('a segment that was deleted meanwhile fails the job with its reason', async () => {
  await start();
  const job = await ended((await deps.jobs.enqueue('evaluate', { segment: 'gone' }, 'test')).id);
  expect(job).toMatchObject({ state: 'failed', error: 'unknown_segment: there is no segment gone' });
});

test('several segmenters run one job at a time', async () => {
  let active = 0;
  let most = 0;
  const warehouse = {
    ...rig.warehouse,
    query: async <Row>(...call: Parameters<typeof rig.warehouse.query>): Promise<Row[]> => {
      if (call[0].sql.includes('AS at FROM links')) {
        most = Math.max(most, ++active);
        await sleep(50);
        active--;
      }
      return rig.warehouse.query<Row>(...call);
    },
  };
  await Promise.all([start(null, { warehouse }), start(null, { warehouse }), start(null, { warehouse })]);
  await rig.segment('a', { attribute: { name: 'a' } }, 1);
  const jobs = await Promise.all(Array.from({ length: 6 }, () => deps.jobs.enqueue('evaluate', { segment: 'a' }, 'test')));
  for (const job of jobs) expect((await ended(job.id)).state).toBe('succeeded');
  expect(most).toBe(1);
});

test('the clock asks for a refresh, once for all segmenters', async () => {
  await Promise.all([start(60), start(60)]);
  await sleep(1_500);
  const ids = await rig.redis.keys('*job_refresh_*');
  expect(new Set(ids.map((id) => /job_refresh_[0-9a-f]+/.exec(id)?.[0])).size).toBe(1);
});

test('a segmenter stops between two steps, and another one does the job', { timeout: 20_000 }, async () => {
  let isSlow = true;
  let signal: () => void = () => undefined;
  const begun = new Promise<void>((resolve) => {
    signal = resolve;
  });
  const warehouse = {
    ...rig.warehouse,
    command: async (...call: Parameters<typeof rig.warehouse.command>): Promise<void> => {
      signal();
      if (isSlow) await sleep(300);
      await rig.warehouse.command(...call);
    },
  };
  for (let n = 1; n <= 30; n++) await rig.segment(`seg_${n}`, { attribute: { name: 'a' } }, n);
  await putEdge(1);
  await putAttribute(rig, 'a', [1], 1);
  const first = await start(null, { warehouse });
  const job = await deps.jobs.enqueue('refresh', {}, 'test');
  await begun;
  const before = performance.now();
  await first.close();
  expect(performance.now() - before).toBeLessThan(3_000);
  running.splice(0);
  isSlow = false;
  await start();
  expect(await ended(job.id)).toMatchObject({ state: 'succeeded' });
  expect(await membersOf(rig, 'seg_30')).toEqual([1]);
});
