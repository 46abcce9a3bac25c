import { afterAll, beforeAll, beforeEach, expect, test } from 'vitest';
import type { Rule } from '../../dmp/segments/rule.ts';
import { forgetLeaves, readEvaluated, saveLeaves } from '../../segmenter/evaluate/state.ts';
import { evaluate as evaluateOne, evaluateSegments } from '../../segmenter/evaluate.ts';
import { createFacts } from '../../segmenter/facts.ts';
import { membersOf, putAttribute, putPeople, type Rig, startRig, uuid } from './rig.ts';

let rig: Rig;
beforeAll(async () => {
  rig = await startRig();
});
afterAll(() => rig.stop());
beforeEach(() => rig.reset());

async function evaluateAll() {
  await createFacts(rig).fold();
  return (await evaluateSegments(rig, undefined)).runs;
}

const number = (name: string, min: number, max = min): Rule => ({ attribute: { name, min, max } });

test('a segment of everybody, an empty one and two thousand of ten people are right, and stay so', {
  timeout: 300_000,
}, async () => {
  const people = Array.from({ length: 500 }, (_, n) => n + 1);
  await putPeople(rig, people);
  for (let value = 0; value < 50; value++) await putAttribute(rig, 'ten', people.slice(value * 10, value * 10 + 10), value);
  await rig.segment('all', { not: number('nothing', 1) }, 1);
  await rig.segment('none', number('nothing', 1), 2);
  for (let n = 0; n < 2_000; n++) {
    // A value among numbers, and as most small segments have it: one of a few texts.
    const rule: Rule = n % 2 === 0 ? number('ten', n % 50) : { attribute: { name: 'ten', in: [String(n % 50)] } };
    await rig.segment(`small${n}`, rule, n + 3);
  }
  for (let n = 0; n < 50; n++) {
    await rig.warehouse.insert(
      'list_entries',
      people
        .slice(n * 10, n * 10 + 10)
        .map((one) => ({ list: `li_${n}`, identifier: uuid(one), entry: uuid(one), source: 'crm' })),
    );
    await rig.segment(`listed${n}`, { list: `li_${n}` }, n + 2_003);
  }
  const runs = await evaluateAll();
  expect(runs.filter(({ error }) => error !== '')).toEqual([]);
  const sizes = new Map(runs.map(({ segment, members }) => [segment, members]));
  expect(sizes.get('all')).toBe(500);
  expect(sizes.get('none')).toBe(0);
  expect([...sizes].filter(([id, size]) => /^(small|listed)/.test(id) && size !== 10)).toEqual([]);
  expect(await membersOf(rig, 'listed7')).toEqual(people.slice(70, 80));
  expect(await membersOf(rig, 'small1777')).toEqual(people.slice(270, 280));
  rig.pass(1_000);
  await putAttribute(rig, 'ten', [5], 27);
  const again = (await evaluateAll()).filter(({ entered, left }) => entered + left > 0);
  // Of each 40 that person 5 left and entered; the others have no new version.
  expect(again).toHaveLength(80);
  expect(await membersOf(rig, 'small1777')).toEqual([5, ...people.slice(270, 280)]);
});

test('of many small segments only those are evaluated again that somebody came into or left, and an audit finds no other', {
  timeout: 300_000,
}, async () => {
  const people = Array.from({ length: 560 }, (_, n) => n + 1);
  await putPeople(rig, people);
  const entry = (list: number, one: number) => ({ list: `li_${list}`, identifier: uuid(one), entry: uuid(one), source: 'crm' });
  for (let value = 0; value < 56; value++) {
    const ten = people.slice(value * 10, value * 10 + 10);
    await putAttribute(rig, 'ten', ten, value);
    await rig.warehouse.insert(
      'list_entries',
      ten.map((one) => entry(value, one)),
    );
  }
  const small = (n: number, value: number) =>
    rig.segment(`small${n}`, { attribute: { name: 'ten', in: [String(value)] } }, n + 1);
  for (let n = 0; n < 560; n++) await small(n, n % 56);
  for (let n = 0; n < 56; n++) await rig.segment(`listed${n}`, { list: `li_${n}` }, n + 561);
  const evaluate = async (): Promise<string[]> => {
    rig.pass(1_000);
    return (await evaluateAll()).map(({ segment }) => segment).sort();
  };
  const of = (...values: number[]) => Array.from({ length: 560 }, (_, n) => n).filter((n) => values.includes(n % 56));
  expect(await evaluate()).toHaveLength(616);
  expect(await evaluate()).toEqual([]);
  await putAttribute(rig, 'ten', [5], 27);
  expect(await evaluate()).toEqual(
    of(0, 27)
      .map((n) => `small${n}`)
      .sort(),
  );
  expect(await membersOf(rig, 'small27')).toEqual([5, ...people.slice(270, 280)]);
  expect(await membersOf(rig, 'small0')).toEqual([1, 2, 3, 4, 6, 7, 8, 9, 10]);
  await rig.warehouse.insert('list_entries', [entry(3, 500)]);
  expect(await evaluate()).toContain('listed3');
  expect(await membersOf(rig, 'listed3')).toEqual([...people.slice(30, 40), 500]);
  // Nothing else of person 9 is anybody's now: where the identifier is listed, it is another person that is.
  await rig.warehouse.insert('identities', [{ identifier: uuid(9), kind: 'ifa', profile: 15, anchor: uuid(15), version: 2 }]);
  expect(await evaluate()).toContain('listed0');
  expect(await membersOf(rig, 'listed0')).toEqual([1, 2, 3, 4, 5, 6, 7, 8, 10, 15]);
  await small(100, 7);
  await rig.segment('new', { list: 'li_9' }, 700);
  expect(await evaluate()).toEqual(['new', 'small100']);
  expect(await membersOf(rig, 'small100')).toEqual(people.slice(70, 80));
  // One alone, whose set was not written down for long.
  await putAttribute(rig, 'ten', [51], 6);
  await createFacts(rig).fold();
  expect(await evaluateOne(rig, 'small6')).toMatchObject({ entered: 1, left: 0 });
  expect(await evaluate()).toContain('small5');
  rig.pass(25 * 3_600_000);
  const audit = await evaluateAll();
  expect(audit.filter(({ mode }) => mode === 'audit').length).toBeGreaterThan(500);
  expect(audit.filter(({ entered, left, error }) => entered + left > 0 || error !== '')).toEqual([]);
});

test('what is known of more sets than one call can name is there again, and is forgotten again', {
  timeout: 300_000,
}, async () => {
  const kept = { fold: 1, at: 2, whole: 3, isOpposite: true };
  const keys = Array.from({ length: 70_000 }, (_, n) => `leaf${n}`);
  await saveLeaves(rig.redis, new Map(keys.map((key) => [key, kept])));
  const { leaves } = await readEvaluated(rig.redis);
  expect(leaves.size).toBe(70_000);
  expect(leaves.get('leaf69999')).toEqual(kept);
  await forgetLeaves(rig.redis, keys.slice(1));
  expect([...(await readEvaluated(rig.redis)).leaves.keys()]).toEqual(['leaf0']);
});

test('a rule that is too much for the others fails alone, and is tried alone until it is another', async () => {
  await putPeople(rig, [1, 2]);
  await putAttribute(rig, 'x', [1], 1);
  for (let n = 0; n < 6; n++) await rig.segment(`s${n}`, number(n === 4 ? 'poison' : 'x', 1), n + 1);
  let passes = 0;
  const isPoisoned = (values: Readonly<Record<string, unknown>> | undefined): boolean =>
    JSON.stringify(values ?? {}).includes('poison');
  const warehouse: Rig['warehouse'] = {
    ...rig.warehouse,
    command: (statement, limits) => {
      const isPass = statement.sql.startsWith('INSERT INTO segment_leaves');
      if (statement.sql === 'TRUNCATE TABLE segment_leaves') passes++;
      return isPass && isPoisoned(statement.params)
        ? Promise.reject(new Error('Timeout exceeded: elapsed 180 seconds (TIMEOUT_EXCEEDED)'))
        : rig.warehouse.command(statement, limits);
    },
  };
  const evaluate = async () => {
    rig.pass(1_000);
    passes = 0;
    await createFacts(rig).fold();
    const { runs } = await evaluateSegments({ ...rig, warehouse, things: rig.things }, undefined);
    return Object.fromEntries(runs.map(({ segment, error, members }) => [segment, error === '' ? members : error]));
  };
  expect(await evaluate()).toEqual({ s0: 1, s1: 1, s2: 1, s3: 1, s4: 'timeout', s5: 1 });
  expect(passes).toBeGreaterThan(3);
  await putAttribute(rig, 'x', [2], 1);
  // Now the others need no halves any more.
  expect(await evaluate()).toEqual({ s0: 2, s1: 2, s2: 2, s3: 2, s4: 'timeout', s5: 2 });
  expect(passes).toBe(2);
  await evaluate();
  expect(Object.keys(await evaluate())).not.toContain('s4');
  rig.pass(700_000);
  expect(Object.keys(await evaluate())).toContain('s4');
  await rig.segment('s4', number('x', 1), 5);
  expect(await evaluate()).toMatchObject({ s4: 2 });
});

test('cut off between its steps an evaluation is completed by the next, and nobody enters twice', {
  timeout: 120_000,
}, async () => {
  await putPeople(rig, [1, 2, 3, 4]);
  await putAttribute(rig, 'x', [1, 2], 1);
  await rig.segment('a', number('x', 1), 1);
  await rig.segment('b', { not: { segment: 'a' } }, 2);
  await evaluateAll();
  const cut = [
    /^INSERT INTO segment_leaves/,
    /^INSERT INTO leaf_members/,
    /^INSERT INTO segment_held/,
    /^INSERT INTO segment_steps/,
    /^INSERT INTO segment_members/,
    /^INSERT INTO memberships/,
    'segment_runs',
  ];
  let out = 1;
  for (const at of cut) {
    rig.pass(1_000);
    await putAttribute(rig, 'x', [out], 0);
    await putAttribute(rig, 'x', [out + 2], 1);
    const die = (text: string): void => {
      if (typeof at === 'string' ? text === at : at.test(text)) throw new Error('killed');
    };
    const warehouse: Rig['warehouse'] = {
      ...rig.warehouse,
      command: async (statement, limits) => {
        const isWritten = /^INSERT INTO (segment_members|memberships)/.test(statement.sql);
        // A statement that writes what readers see dies after it, the others before.
        if (!isWritten) die(statement.sql);
        await rig.warehouse.command(statement, limits);
        if (isWritten) die(statement.sql);
      },
      // The process is dead: nothing else is answered or written.
      insert: async (table, rows, token) => {
        die(table);
        return rig.warehouse.insert(table, rows, token);
      },
      query: async (statement, limits) => {
        if (statement.sql === 'SELECT 1') throw new Error('killed');
        return rig.warehouse.query(statement, limits);
      },
    };
    await createFacts(rig).fold();
    await expect(evaluateSegments({ ...rig, warehouse, things: rig.things }, undefined)).rejects.toThrow('killed');
    rig.pass(1_000);
    const runs = await evaluateAll();
    expect(runs.map(({ members }) => members)).toEqual([2, 2]);
    const expected = [1, 2, 3, 4].filter((n) => n !== out && (n === out + 2 || n === 2 || (n === 1 && out !== 1)));
    expect((await membersOf(rig, 'a')).length, String(at)).toBe(2);
    expect(await membersOf(rig, 'a')).toContain(out + 2);
    expect(expected).toContain(out + 2);
    expect([...(await membersOf(rig, 'a')), ...(await membersOf(rig, 'b'))].sort()).toEqual([1, 2, 3, 4]);
    // Back to where it began.
    rig.pass(1_000);
    await putAttribute(rig, 'x', [out], 1);
    await putAttribute(rig, 'x', [out + 2], 0);
    await evaluateAll();
    out = out === 1 ? 2 : 1;
  }
  // What each entered and left follows one on the other.
  const sql = `SELECT segment, profile, arrayMap(x -> x.2, arraySort(groupArray((version, status)))) AS way FROM memberships FINAL GROUP BY segment, profile`;
  for (const { way } of await rig.warehouse.query<{ way: number[] }>({ sql }))
    expect(
      way.every((status, n) => n === 0 || status !== way[n - 1]),
      JSON.stringify(way),
    ).toBe(true);
});
