import { afterAll, beforeAll, beforeEach, expect, test } from 'vitest';
import { listRuns } from '../../dmp/segments/runs.ts';
import { profileKey } from '../../proto/keys.ts';
import { decodeProfile } from '../../proto/profile.ts';
import { evaluateSegments } from '../../segmenter/evaluate.ts';
import { createFacts } from '../../segmenter/facts.ts';
import { createIdentity } from '../../segmenter/identity.ts';
import { createRefresh } from '../../segmenter/refresh.ts';
import { putBack } from '../../segmenter/restore.ts';
import { createVisits } from '../../segmenter/visits.ts';
import { membersOf, putAttribute, putPeople, type Rig, startRig, uuid } from './rig.ts';

let rig: Rig;
beforeAll(async () => {
  rig = await startRig();
});
afterAll(() => rig.stop());
beforeEach(() => rig.reset());

const A = { attribute: { name: 'a', min: 1 } };
const B = { attribute: { name: 'b', min: 1 } };
const OLD = { version: 1, revision: 3 };

async function evaluateAll() {
  await createFacts(rig).fold();
  return (await evaluateSegments(rig, undefined)).runs;
}

/** Members 1 to 3 by one rule, 4 by the next, and the first rule given back. */
async function edited(): Promise<void> {
  await putPeople(rig, [1, 2, 3, 4]);
  await putAttribute(rig, 'a', [1, 2, 3], 1);
  await putAttribute(rig, 'b', [4], 1);
  await rig.segment('seg', A, 7);
  await evaluateAll();
  rig.pass(1_000);
  await rig.segment('seg', B, 7);
  await evaluateAll();
  expect(await membersOf(rig, 'seg')).toEqual([4]);
  rig.pass(1_000);
  await rig.segment('seg', A, 7);
}

test('the members of then are back before anything is evaluated, and an evaluation brings them up to date', {
  timeout: 180_000,
}, async () => {
  await edited();
  await putAttribute(rig, 'a', [1], 0);
  await putAttribute(rig, 'a', [4], 1);
  expect(await putBack(rig, 'seg', OLD)).toMatchObject({
    ...{ version: 3, revision: 1, members: 3, entered: 3, left: 1, error: '', mode: 'restored', asked: 0 },
  });
  expect(await membersOf(rig, 'seg')).toEqual([1, 2, 3]);
  rig.pass(1_000);
  expect(await evaluateAll()).toMatchObject([{ version: 4, revision: 3, mode: 'full', members: 3, entered: 1, left: 1 }]);
  expect(await membersOf(rig, 'seg')).toEqual([2, 3, 4]);
  // What was in between can be had back too, and what was put back.
  await rig.segment('seg', B, 7);
  expect(await putBack(rig, 'seg', { version: 2, revision: 4 })).toMatchObject({ members: 1 });
  expect(await membersOf(rig, 'seg')).toEqual([4]);
});

test('bidders know the members of then while the rule is still being evaluated', { timeout: 180_000 }, async () => {
  const at = new Date(rig.now()).toISOString();
  const edge = (n: number) => ({
    a: uuid(n),
    kind_a: 'ifa',
    b: uuid(n),
    kind_b: 'ifa',
    source: 's',
    first_seen: at,
    ingested: at,
  });
  await rig.warehouse.insert('edges', [1, 2].map(edge));
  await putAttribute(rig, 'a', [1], 1);
  await putAttribute(rig, 'b', [2], 1);
  const steps = { progress: async () => undefined, checkpoint: async () => undefined };
  const refreshOf = (on: Rig) => createRefresh(on, createIdentity(on), createVisits(on));
  await rig.segment('seg', A, 7);
  await refreshOf(rig).all(steps);
  rig.pass(1_000);
  await rig.segment('seg', B, 7);
  await refreshOf(rig).all(steps);
  const told = () =>
    Promise.all(
      [1, 2].map(async (n) => {
        const value = await rig.redis.getBuffer(profileKey(uuid(n)));
        return decodeProfile(value as Buffer)?.memberships.map(({ segment }) => segment);
      }),
    );
  expect(await told()).toEqual([[], [7]]);
  rig.pass(1_000);
  await rig.segment('seg', A, 7);
  let during: unknown = null;
  const warehouse: Rig['warehouse'] = {
    ...rig.warehouse,
    command: async (statement, limits) => {
      if (statement.sql.startsWith('INSERT INTO segment_held')) during = await told();
      return rig.warehouse.command(statement, limits);
    },
  };
  await refreshOf({ ...rig, warehouse, things: rig.things }).one('seg', steps, OLD);
  expect(during).toEqual([[7], []]);
  expect(await told()).toEqual([[7], []]);
});

test('who has withdrawn since, or is nobody any more, stays out', { timeout: 180_000 }, async () => {
  await edited();
  const at = new Date(rig.now()).toISOString();
  await rig.warehouse.insert('consents', [
    { identifier: uuid(2), purpose: 'profiles', status: 'withdrawn', advertiser: '', source: '', at, recorded: at },
  ]);
  await rig.warehouse.insert('identities', [{ identifier: uuid(3), kind: 'ifa', profile: 4, anchor: uuid(4), version: 9 }]);
  await createFacts(rig).fold();
  expect(await putBack(rig, 'seg', OLD)).toMatchObject({ members: 1 });
  expect(await membersOf(rig, 'seg')).toEqual([1]);
});

test('cut off between its steps it is done again, and nobody enters twice', { timeout: 180_000 }, async () => {
  for (const cut of ['INSERT INTO segment_steps', 'INSERT INTO segment_members', 'INSERT INTO memberships', 'segment_runs']) {
    await rig.reset();
    await edited();
    const die = (text: string): void => {
      if (text.startsWith(cut)) throw new Error('killed');
    };
    const warehouse: Rig['warehouse'] = {
      ...rig.warehouse,
      command: async (statement, limits) => {
        await rig.warehouse.command(statement, limits);
        die(statement.sql);
      },
      insert: async (table, rows, token) => {
        die(table);
        return rig.warehouse.insert(table, rows, token);
      },
    };
    await expect(putBack({ ...rig, warehouse, things: rig.things }, 'seg', OLD), cut).rejects.toThrow('killed');
    await putBack(rig, 'seg', OLD);
    expect(await membersOf(rig, 'seg'), cut).toEqual([1, 2, 3]);
    rig.pass(1_000);
    await evaluateAll();
    expect(await membersOf(rig, 'seg'), cut).toEqual([1, 2, 3]);
    const sql = `SELECT profile, arrayMap(x -> x.2, arraySort(groupArray((version, status)))) AS way FROM memberships FINAL GROUP BY profile`;
    for (const { way } of await rig.warehouse.query<{ way: number[] }>({ sql }))
      expect(
        way.every((status, n) => status !== (way[n - 1] ?? -1)),
        `${cut} ${JSON.stringify(way)}`,
      ).toBe(true);
  }
});

test('nothing is put back that is not kept, of another revision, evaluated already, or stood on a contract that has ended', {
  timeout: 180_000,
}, async () => {
  await edited();
  expect(await putBack(rig, 'seg', { version: 9, revision: 3 })).toBeNull();
  expect(await putBack(rig, 'seg', { version: 1, revision: 2 })).toBeNull();
  expect(await putBack(rig, 'gone', OLD)).toBeNull();
  const revoked = { at: new Date(rig.now()).toISOString(), reason: '', actor: '', erase: false };
  const source = { name: 's', party: '3p', timeZone: 'UTC', currency: 'USD', revoked } as const;
  await rig.things.put('source', 's', source, { actor: 'test' });
  expect(await putBack(rig, 'seg', OLD)).toBeNull();
  await rig.things.remove('source', 's', { actor: 'test' });
  await evaluateAll();
  expect(await putBack(rig, 'seg', OLD)).toBeNull();
  expect((await listRuns(rig.warehouse, 'seg', 10, null)).map(({ mode }) => mode)).toEqual(['full', 'full', 'full']);
});
