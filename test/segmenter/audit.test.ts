import { afterAll, beforeAll, beforeEach, expect, test } from 'vitest';
import { erase } from '../../dmp/erasures/erase.ts';
import { remember } from '../../dmp/erasures/person.ts';
import { writeErasure } from '../../dmp/erasures/receipt.ts';
import type { Level } from '../../dmp/identity/kinds.ts';
import { scopeOf } from '../../dmp/segments/advertiser-scope.ts';
import { compileRule } from '../../dmp/segments/compile.ts';
import type { Rule } from '../../dmp/segments/rule.ts';
import { evaluateSegments } from '../../segmenter/evaluate.ts';
import { createFacts } from '../../segmenter/facts.ts';
import { evaluationOrder } from '../../segmenter/order.ts';
import { createWorld } from './facts-world.ts';
import { membersOf, type Rig, startRig } from './rig.ts';

let rig: Rig;
beforeAll(async () => {
  rig = await startRig();
});
afterAll(() => rig.stop());
beforeEach(() => rig.reset());

/** All windows but the longest end within twenty; fifty take three minutes. */
const DAYS = Number(process.env['WALKIN_AUDIT_DAYS'] ?? (process.env['CI'] === undefined ? 50 : 20));
const DAY_MS = 86_400_000;

const RULES: readonly (readonly [rule: Rule, level?: Level])[] = [
  [{ purchases: { count: { min: 1 }, window: { days: 7 } } }],
  [{ purchases: { sum: { min: 500_000 }, window: { days: 21 } } }],
  [{ purchases: { count: { max: 1 }, departments: ['dairy'], window: { days: 30 } } }],
  [{ purchases: { last: { min: 10, max: 40 } } }],
  [{ visits: { count: { min: 1 }, stores: ['st_1'], window: { days: 14 } } }],
  [{ not: { visits: { days: { min: 1 }, window: { days: 5 } } } }],
  [{ pages: { count: { min: 1 }, window: { days: 10 } } }],
  [
    {
      any: [
        { redemptions: { count: { min: 1 }, window: { days: 20 } } },
        { actions: { names: ['opened'], window: { days: 3 } } },
      ],
    },
  ],
  [{ exposures: { count: { min: 1 }, window: { days: 9 } } }],
  [{ attribute: { name: 'age', min: 18, max: 60 } }],
  [{ purchases: { count: { min: 2 }, window: { days: 30 } } }, 'household'],
  [{ pages: { count: { min: 1 }, window: { days: 15 } } }, 'device'],
  [{ all: [{ segment: 's0' }, { not: { segment: 's4' } }] }],
  [{ any: [{ segment: 's12' }, { segment: 's10' }] }],
  [{ rfm: { recency: { min: 3 } } }],
  [{ trend: { of: { bought: {} }, days: 10, ratio: { max: 0.9 } } }],
  [{ sequence: { steps: [{ viewed: {} }, { bought: {}, within: { days: 20 } }] } }],
];

/** Who is in a segment by its rule over the facts as they are, asked of everybody. */
async function whole(n: number): Promise<number[]> {
  const [rule, level = 'person'] = RULES[n] as (typeof RULES)[number];
  const { sql, params } = compileRule(rule, { ...scopeOf(rig.things, null, rig.now()), level });
  return (await rig.warehouse.query<{ profile: number }>({ sql: `SELECT profile FROM (${sql}) ORDER BY profile`, params })).map(
    ({ profile }) => profile,
  );
}

async function sets(): Promise<Map<string, number[]>> {
  const sql = `SELECT toString(segment) AS id, arraySort(bitmapToArray(groupBitmapMergeState(members))) AS profiles FROM segment_members AS m FINAL
    WHERE (segment, version) IN (SELECT segment, argMax(version, started) FROM segment_runs WHERE error = '' GROUP BY segment) GROUP BY segment`;
  const rows = await rig.warehouse.query<{ id: string; profiles: number[] }>({ sql });
  return new Map(rows.map(({ id, profiles }) => [id, profiles]));
}

const ERASURES = new Set([12, 25, 38]);

async function eraseSomebody(identifiers: readonly string[], id: string): Promise<void> {
  if (identifiers.length === 0) return;
  await remember(
    rig,
    id,
    identifiers.map((identifier) => ({ identifier, profile: 0 })),
  );
  await writeErasure(rig, { id, at: new Date(rig.now()).toISOString(), actor: 'test', receipt: null });
  const steps = { progress: async () => undefined, checkpoint: async () => undefined };
  expect((await erase(rig, async () => undefined, id, steps)).proof.found).toEqual([]);
}

test(`over ${DAYS} days members of people who are asked again are those of everybody asked`, { timeout: 900_000 }, async () => {
  const world = createWorld(rig, 7);
  const facts = createFacts(rig);
  for (const [n, [rule, level = 'person']] of RULES.entries())
    await rig.things.put('segment', `s${n}`, { advertiser: null, name: `s${n}`, rule, number: n + 1, level } as never, {
      actor: 'test',
    });
  expect(evaluationOrder(rig.things)).toHaveLength(RULES.length);
  let again = 0;
  let wrong = 0;
  for (let day = 0; day < DAYS; day++) {
    for (let n = 0; n < 5; n++) await world.change();
    if (ERASURES.has(day)) await eraseSomebody(world.erase(), `er_${day}`);
    rig.pass(DAY_MS / 2 + 1_000 * day);
    await facts.fold();
    // As of few facts, and as of many: by kinds of facts, in parts.
    const { runs } = await evaluateSegments({ ...rig, things: rig.things, ...(day % 2 === 0 ? { fewFacts: 0 } : {}) }, undefined);
    expect(runs.filter(({ error }) => error !== '')).toEqual([]);
    again += runs.filter(({ mode }) => mode === 'incremental').length;
    wrong += runs.filter(({ mode }) => mode === 'audit').reduce((sum, { entered, left }) => sum + entered + left, 0);
    const stored = await sets();
    for (let n = day % 3; n < RULES.length; n += 3) {
      const expected = await whole(n);
      const about = `s${n} on day ${day}: ${world.log.slice(-12).join(', ')}`;
      expect(stored.get(`s${n}`) ?? [], about).toEqual(expected);
      expect(await membersOf(rig, `s${n}`), about).toEqual(expected);
    }
  }
  expect(again).toBeGreaterThan(DAYS * 8);
  // Audits of everybody ran too, and had nothing to mend.
  expect(wrong).toBe(0);
});
