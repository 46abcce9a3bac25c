import { afterAll, beforeAll, expect, test } from 'vitest';
import type { Warehouse } from '../../dmp/clickhouse/warehouse.ts';
import { LEVELS, type Level } from '../../dmp/identity/kinds.ts';
import { compileRule } from '../../dmp/segments/compile.ts';
import type { Rule } from '../../dmp/segments/rule.ts';
import { compileScan } from '../../dmp/segments/scan.ts';
import type { RuleScope } from '../../dmp/segments/scope.ts';
import { startWarehouse } from '../support/warehouse.ts';
import { holds, KINDS, membersOf, randomLeaf, randomRule, unitsOf } from './segments-oracle.ts';
import { DAY, fillWarehouse, pick, randomWorld, scopeIn, seeded, type World } from './segments-world.ts';

/** With WALKIN_TEST_CLICKHOUSE_URL the same on that server. */
const WORLDS = Number(process.env['WALKIN_TEST_WORLDS'] ?? 60);
const RULES = 40;

let warehouse: Warehouse;
let stop: () => Promise<void>;
beforeAll(async () => {
  ({ warehouse, stop } = await startWarehouse());
});
afterAll(() => stop());

/** All rules in one pass over the facts, as the segmenter asks them. */
async function selectTogether(rules: readonly Rule[], scope: RuleScope): Promise<number[][]> {
  const scan = compileScan(rules, scope);
  const held = `SELECT unit, [${scan.holds.map((condition) => `toUInt8(${condition})`).join(', ')}] AS held FROM (${scan.units('')})`;

  const sql = `SELECT profile, held FROM (SELECT profile, ${scan.unit} AS unit FROM facts WHERE kind = 'person') AS p INNER JOIN (${held}) AS u USING unit`;
  const rows = await warehouse.query<{ profile: number; held: number[] }>({ sql, params: scan.bound.values });
  return rules.map((_, n) =>
    [...new Set(rows.filter((row) => row.held[n] === 1).map((row) => row.profile))].sort((a, b) => a - b),
  );
}

async function selectAlone(rule: Rule, scope: RuleScope): Promise<number[]> {
  const rows = await warehouse.query<{ profile: number }>(compileRule(rule, scope));
  return rows.map((row) => row.profile).sort((a, b) => a - b);
}

test(`${WORLDS * RULES} random rules over random facts select whom the slow evaluator selects`, {
  timeout: 600_000,
}, async () => {
  let selected = 0;
  let people = 0;
  for (let seed = 1; seed <= WORLDS; seed++) {
    const random = seeded(seed);
    const world = randomWorld(random);
    await fillWarehouse(warehouse, world);
    const asksSure = seed % 2 === 0;
    const confidence = asksSure ? pick(random, [0.5, 0.8, 0.9, 1]) : 0;
    const level = asksSure ? (LEVELS[(seed / 2) % 3] as Level) : seed % 3 === 0 ? pick(random, LEVELS) : 'person';
    const scope = scopeIn(world, level, confidence);
    const rules = Array.from({ length: RULES }, () => randomRule(random));
    const expected = rules.map((rule) => membersOf(rule, world, level, confidence));
    // A statement takes time that grows with the square of what it asks.
    const together = [...(await selectTogether(rules.slice(0, 20), scope)), ...(await selectTogether(rules.slice(20), scope))];
    for (const [n, rule] of rules.entries()) {
      const what = `seed ${seed} (${level}, ${confidence}): ${JSON.stringify(rule)}`;
      expect(together[n], what).toEqual(expected[n]);
      if (n % 8 === 0) expect(await selectAlone(rule, scope), `alone, ${what}`).toEqual(expected[n]);
    }
    selected += expected.flat().length;
    people += rules.length * new Set(world.facts.map(({ profile }) => profile)).size;
  }
  // Both everybody and nobody would be a test of nothing.
  expect(selected / people).toBeGreaterThan(0.1);
  expect(selected / people).toBeLessThan(0.9);
});

test('leaves of each kind hold of some and not of others', () => {
  const random = seeded(5);
  const answers = new Map(KINDS.map((name) => [name, new Set<boolean>()]));
  for (let n = 0; n < 40; n++) {
    const world = randomWorld(random);
    for (const name of KINDS)
      for (const unit of unitsOf(world, 'person')) answers.get(name)?.add(holds(randomLeaf(random, name), unit));
  }
  for (const [name, said] of answers) expect([...said].sort(), name).toEqual([false, true]);
});

test('a bound that takes 0 takes people without any fact', async () => {
  const random = randomWorld(seeded(1));
  const world = { ...random, facts: random.facts.filter(({ kind }) => kind !== 'purchase' && kind !== 'visit') };
  await fillWarehouse(warehouse, world);
  const everybody = [...new Set(world.facts.map(({ profile }) => profile))].sort((a, b) => a - b);
  const select = (rule: Rule) => selectAlone(rule, scopeIn(world));
  expect(await select({ purchases: { count: { max: 3 } } })).toEqual(everybody);
  expect(await select({ purchases: { count: { min: 0 } } })).toEqual(everybody);
  expect(await select({ visits: { count: { min: 0, max: 0 } } })).toEqual(everybody);
  expect(await select({ purchases: { count: { max: 3 }, sum: { min: 1 } } })).toEqual([]);
  expect(await select({ purchases: {} })).toEqual([]);
  // Nothing has no mean, no smallest, no first.
  for (const measure of ['mean', 'smallest', 'largest', 'first', 'last'] as const)
    expect(await select({ purchases: { [measure]: { min: -1e12, max: 1e12 } } }), measure).toEqual([]);
});

test('the stores of an advertiser are what "any store" means in its segments', async () => {
  const world = { ...randomWorld(seeded(3)), withheld: [] };
  await fillWarehouse(warehouse, world);
  const inScope = await selectAlone({ visits: {} }, { ...scopeIn(world), stores: ['st_1'] });
  expect(inScope).toEqual(membersOf({ visits: { stores: ['st_1'] } }, world));
});

test('a rule of the largest size and depth compiles and runs', async () => {
  let rule: Rule = {
    any: Array.from({ length: 180 }, (_, n): Rule => ({ purchases: { count: { min: n }, brands: [`b${n}`] } })),
  };
  for (let depth = 0; depth < 18; depth++) rule = { not: rule };
  const world = randomWorld(seeded(4));
  await fillWarehouse(warehouse, world);
  expect(await selectAlone(rule, scopeIn(world))).toEqual(membersOf(rule, world));
});

test('ten thousand values in a list and a window of a hundred years are taken', async () => {
  const world = randomWorld(seeded(6));
  await fillWarehouse(warehouse, world);
  const brands = Array.from({ length: 9_999 }, (_, n) => `a brand of a long name ${n}`);
  const rule: Rule = { purchases: { brands: [...brands, 'Own'], window: { days: 36_500 }, last: { max: 36_500 } } };
  const expected = membersOf(rule, world);
  expect(expected.length).toBeGreaterThan(0);
  expect(await selectAlone(rule, scopeIn(world))).toEqual(expected);
});

// What an incremental evaluation stands on: without new facts only these people's answers may change.
test('a leaf changes by time only for whom a fact crosses one of its edges', { timeout: 120_000 }, () => {
  let changes = 0;
  for (let seed = 1; seed <= 120; seed++) {
    const random = seeded(seed);
    const world = { ...randomWorld(random), withheld: [] };
    const later: World = { ...world, now: world.now + pick(random, [1, 3_600_000, DAY / 2, DAY, 3 * DAY]) };
    const [before, after] = [unitsOf(world, 'person'), unitsOf(later, 'person')];
    for (let n = 0; n < 12; n++) {
      const leaf = randomLeaf(random);
      const [plan] = compileScan([leaf], scopeIn(world)).plans;
      if (plan === undefined || plan.edges === 'always' || 'units' in plan || plan.others !== undefined) continue;
      const isOtherDay = Math.floor(world.now / DAY) !== Math.floor(later.now / DAY);
      if (plan.edges === 'midnight' && isOtherDay) continue;
      const edges = plan.edges === 'midnight' ? [0] : plan.edges;
      for (const [place, unit] of before.entries()) {
        const changed = holds(leaf, unit) !== holds(leaf, after[place] as typeof unit);
        const crossed = unit.facts.some(({ at }) => edges.some((edge) => at > world.now - edge && at <= later.now - edge));
        if (changed) changes++;
        if (changed && !crossed) expect.fail(`seed ${seed}, ${unit.id}: ${JSON.stringify(leaf)}`);
      }
    }
  }
  expect(changes).toBeGreaterThan(30);
});
