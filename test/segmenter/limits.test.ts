import { afterAll, beforeAll, beforeEach, expect, test, vi } from 'vitest';
import type { Statement } from '../../dmp/clickhouse/warehouse.ts';
import type { DmpDeps } from '../../dmp/deps.ts';
import { createJobs } from '../../dmp/jobs/queue.ts';
import { listRuns } from '../../dmp/segments/runs.ts';
import { evaluateSegments } from '../../segmenter/evaluate.ts';
import { createFacts } from '../../segmenter/facts.ts';
import { startSegmenter } from '../../segmenter/schedule.ts';
import { membersOf, putAttribute, putPeople, type Rig, startRig, uuid } from './rig.ts';

let rig: Rig;
beforeAll(async () => {
  rig = await startRig();
});
afterAll(() => rig.stop());
beforeEach(() => rig.reset());

const rule = (value: string) => ({ attribute: { name: 'x', in: [value, '1'] } });
/** A statement that asks the facts by a rule with this value. */
const isPass = ({ sql, params }: Statement, value: string): boolean =>
  sql.startsWith('INSERT INTO segment_') && sql.includes('FROM facts') && JSON.stringify(params ?? {}).includes(value);

/** The engine takes two minutes before it comes to the facts: it sleeps. */
const slow = (statement: Statement): Statement => ({
  ...statement,
  sql: statement.sql
    .replace('FROM facts', 'FROM (SELECT * FROM facts WHERE profile > (SELECT sum(sleepEachRow(0.1)) FROM numbers(1200)))')
    .replace('SETTINGS ', 'SETTINGS function_sleep_max_microseconds_per_block = 0, '),
});

/** A warehouse on which a pass with this value in a rule is another statement, or has other limits. */
function troubled(
  value: string,
  how: (statement: Statement) => readonly [Statement, { seconds?: number; memoryBytes?: number }],
): Rig {
  const command: Rig['warehouse']['command'] = (statement, limits) => {
    if (!isPass(statement, value)) return rig.warehouse.command(statement, limits);
    const [other, tighter] = how(statement);
    return rig.warehouse.command(other, { ...limits, ...tighter });
  };
  return { ...rig, warehouse: { ...rig.warehouse, command }, things: rig.things };
}

async function outcome(on: Rig): Promise<object> {
  rig.pass(1_000);
  await createFacts(rig).fold();
  const { runs } = await evaluateSegments(on, undefined);
  return Object.fromEntries(runs.map(({ segment, error, members }) => [segment, error === '' ? members : error]));
}

async function six(): Promise<void> {
  const people = Array.from({ length: 60 }, (_, n) => n + 1);
  await putPeople(rig, people);
  await putAttribute(rig, 'x', people.slice(0, 20), 1);
  for (let n = 0; n < 6; n++) await rig.segment(`s${n}`, rule(n === 3 ? 'heavy' : 'light'), n + 1);
}

test('a rule that the engine stops for its time fails alone, and the others in its pass are right', {
  timeout: 180_000,
}, async () => {
  await six();
  const on = troubled('heavy', (statement) => [slow(statement), { seconds: 1 }]);
  expect(await outcome(on)).toEqual({ s0: 20, s1: 20, s2: 20, s3: 'timeout', s4: 20, s5: 20 });
  expect(await membersOf(rig, 's3')).toEqual([]);
  expect(await outcome(rig)).toMatchObject({ s3: 20 });
});

test('a rule that the engine stops for its memory fails alone, and the others in its pass are right', {
  timeout: 180_000,
}, async () => {
  await six();
  const hungry = (statement: Statement): Statement => ({
    ...statement,
    sql: statement.sql.replace(
      'FROM facts',
      "FROM (SELECT * FROM facts WHERE length(arrayMap(n -> repeat('x', 1000), range(100000))) > 0)",
    ),
  });
  const on = troubled('heavy', (statement) => [hungry(statement), { memoryBytes: 20_000_000 }]);
  expect(await outcome(on)).toEqual({ s0: 20, s1: 20, s2: 20, s3: 'memory', s4: 20, s5: 20 });
  expect(await outcome(rig)).toMatchObject({ s3: 20 });
});

test('a job that is cancelled ends the statement that runs, keeps the members, and is no fault of the rule', {
  timeout: 180_000,
}, async () => {
  await six();
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
  await rig.warehouse.insert(
    'edges',
    Array.from({ length: 60 }, (_, n) => edge(n + 1)),
  );
  const jobs = createJobs({ connection: rig.redis });
  let begun: () => void = () => undefined;
  const isRunning = new Promise<void>((resolve) => {
    begun = resolve;
  });
  let took = 0;
  const warehouse: Rig['warehouse'] = {
    ...rig.warehouse,
    command: async (statement, limits) => {
      if (!isPass(statement, 'heavy')) return rig.warehouse.command(statement, limits);
      const from = performance.now();
      const work = rig.warehouse.command(slow(statement), limits);
      begun();
      await work.finally(() => {
        took = performance.now() - from;
      });
    },
  };
  const deps: DmpDeps = { ...rig, things: rig.things, warehouse, jobs, uploads: '' };
  const segmenter = await startSegmenter(deps, { refreshSeconds: null });
  try {
    const { id } = await jobs.enqueue('refresh', {}, 'test');
    await isRunning;
    // Statements are sent off one after the other: by now it is the engine's.
    await vi.waitFor(async () => expect(await running()).toBeGreaterThan(0), { timeout: 30_000, interval: 50 });
    await jobs.cancel(id);
    await vi.waitFor(async () => expect((await jobs.get(id))?.state).toBe('cancelled'), { timeout: 60_000, interval: 50 });
    // Two minutes it would have taken.
    expect(took).toBeLessThan(60_000);
    expect(await listRuns(rig.warehouse, 's3', 10, null)).toEqual([]);
  } finally {
    await segmenter.close();
    await jobs.close();
  }
  expect(await outcome(rig)).toMatchObject({ s0: 20, s3: 20 });
});

async function running(): Promise<number> {
  const sql = `SELECT count() AS n FROM system.processes WHERE startsWith(query, 'INSERT INTO segment_')`;
  // Asked on each connection: on one of them it would wait for what it asks about.
  const asked = Array.from({ length: 4 }, () => rig.warehouse.query<{ n: string }>({ sql }));
  return Number((await Promise.any(asked))[0]?.n ?? 0);
}
