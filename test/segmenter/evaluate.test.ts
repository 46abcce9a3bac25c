import { afterAll, beforeAll, beforeEach, expect, test } from 'vitest';
import { listRuns } from '../../dmp/segments/runs.ts';
import { evaluate as evaluateOnly, retireDeleted } from '../../segmenter/evaluate.ts';
import { createFacts } from '../../segmenter/facts.ts';
import { evaluationOrder } from '../../segmenter/order.ts';
import { membersOf, putAttribute, putPeople, type Rig, startRig } from './rig.ts';

let rig: Rig;
beforeAll(async () => {
  rig = await startRig();
});
afterAll(() => rig.stop());
beforeEach(() => rig.reset());

async function evaluate(on: Rig, id: string) {
  await createFacts(rig).fold();
  return evaluateOnly(on, id);
}

const LOYAL = { attribute: { name: 'loyal', min: 1 } };

test('who enters and who leaves is written under a new version each time', async () => {
  await rig.segment('seg', LOYAL, 1);
  await putPeople(rig, [1, 2, 3]);
  await putAttribute(rig, 'loyal', [1, 2], 1);
  expect(await evaluate(rig, 'seg')).toMatchObject({ version: 1, members: 2, entered: 2, left: 0, error: '' });
  rig.pass(1000);
  await putAttribute(rig, 'loyal', [2], 0);
  await putAttribute(rig, 'loyal', [3], 1);
  expect(await evaluate(rig, 'seg')).toMatchObject({ version: 2, members: 2, entered: 1, left: 1 });
  expect(await membersOf(rig, 'seg')).toEqual([1, 3]);
  rig.pass(1000);
  expect(await evaluate(rig, 'seg')).toMatchObject({ version: 2, members: 2, entered: 0, left: 0 });
  rig.pass(1000);
  await putAttribute(rig, 'loyal', [2], 1);
  expect(await evaluate(rig, 'seg')).toMatchObject({ version: 3, members: 3, entered: 1, left: 0, mode: 'incremental' });
  expect(await rig.warehouse.query({ sql: 'SELECT count() AS n FROM memberships' })).toEqual([{ n: '5' }]);
  expect((await listRuns(rig.warehouse, 'seg', 10, null)).map((run) => run.version)).toEqual([3, 2, 2, 1]);
});

test('a run that was cut off after any part of its rows is made right by the next one', async () => {
  await rig.segment('seg', LOYAL, 1);
  await putPeople(rig, [1, 2, 3, 4]);
  await putAttribute(rig, 'loyal', [1, 2, 3], 1);
  await evaluate(rig, 'seg');
  rig.pass(1000);
  await putAttribute(rig, 'loyal', [1], 0);
  await putAttribute(rig, 'loyal', [4], 1);
  // What a run left that died between two blocks of its insert: no run row, half of its rows.
  const at = new Date(rig.now()).toISOString();
  await rig.warehouse.insert('memberships', [{ segment: 'seg', profile: 4, version: 2, status: 1, at }]);
  await rig.redis.hset('walkin:segmenter:evaluated-begun', 'seg', 2);
  expect(await evaluate(rig, 'seg')).toMatchObject({ version: 3, members: 3 });
  // Who had entered already did not enter again.
  expect(await rig.warehouse.query({ sql: 'SELECT profile, status FROM memberships WHERE version = 3' })).toEqual([
    { profile: 1, status: -1 },
  ]);
  expect(await membersOf(rig, 'seg')).toEqual([2, 3, 4]);
});

test('a rule that fails is a run with an error, keeps the members, and leaves the others alone', async () => {
  await rig.segment('broken', LOYAL, 1);
  await rig.segment('fine', LOYAL, 2);
  await putPeople(rig, [1]);
  await putAttribute(rig, 'loyal', [1], 1);
  await evaluate(rig, 'broken');
  const fails = {
    ...rig,
    warehouse: {
      ...rig.warehouse,
      command: () => Promise.reject(Object.assign(new Error('Memory limit exceeded: (MEMORY_LIMIT_EXCEEDED)'), { code: '241' })),
    },
  };
  rig.pass(1);
  expect(await evaluate(fails, 'broken')).toMatchObject({ error: 'memory', members: 0 });
  expect(await membersOf(rig, 'broken')).toEqual([1]);
  expect(await evaluate(rig, 'fine')).toMatchObject({ error: '', members: 1 });
  expect((await listRuns(rig.warehouse, 'broken', 10, null)).map((run) => run.error)).toEqual(['memory', '']);
});

test('segments are evaluated after those that they need', async () => {
  await rig.segment('c', { all: [{ segment: 'b' }, { not: { segment: 'a' } }] }, 1);
  await rig.segment('b', { any: [{ segment: 'a' }, { attribute: { name: 'x' } }] }, 2);
  await rig.segment('a', LOYAL, 3);
  await rig.segment('d', LOYAL, 4);
  expect(evaluationOrder(rig.things)).toEqual(['a', 'b', 'c', 'd']);
  expect(evaluationOrder(rig.things, ['b'])).toEqual(['a', 'b']);
  await putPeople(rig, [1, 2]);
  await putAttribute(rig, 'loyal', [1], 1);
  await putAttribute(rig, 'x', [2], 1);
  for (const id of evaluationOrder(rig.things)) await evaluate(rig, id);
  expect(await membersOf(rig, 'b')).toEqual([1, 2]);
  expect(await membersOf(rig, 'c')).toEqual([2]);
});

test('a segment that is deleted loses its members', async () => {
  await rig.segment('seg', LOYAL, 1);
  await putPeople(rig, [1]);
  await putAttribute(rig, 'loyal', [1], 1);
  await evaluate(rig, 'seg');
  await rig.things.remove('segment', 'seg', { actor: 'test' });
  expect(await retireDeleted(rig)).toEqual(['seg']);
  expect(await membersOf(rig, 'seg')).toEqual([]);
  expect(await retireDeleted(rig)).toEqual([]);
  expect(await evaluate(rig, 'seg')).toBeUndefined();
});
