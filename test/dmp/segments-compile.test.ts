import { afterAll, beforeAll, expect, test } from 'vitest';
import type { Warehouse } from '../../dmp/clickhouse/warehouse.ts';
import { compileRule } from '../../dmp/segments/compile.ts';
import type { Rule } from '../../dmp/segments/rule.ts';
import { startWarehouse } from '../support/warehouse.ts';
import { membersOf } from './segments-oracle.ts';
import { fillWarehouse, randomRule, randomWorld, seeded, type World } from './segments-world.ts';

const WORLDS = Number(process.env['WALKIN_TEST_WORLDS'] ?? 12);
const RULES = 30;

let warehouse: Warehouse;
let stop: () => Promise<void>;
beforeAll(async () => {
  ({ warehouse, stop } = await startWarehouse());
});
afterAll(() => stop());

async function membersInSql(rule: Rule, world: World): Promise<number[]> {
  const statement = compileRule(rule, { now: world.now, stores: null, storesOf: (group) => world.groups[group] ?? [] });
  const rows = await warehouse.query<{ profile: number }>(statement);
  return rows.map((row) => row.profile).sort((a, b) => a - b);
}

test(`${WORLDS * RULES} random rules over random facts select whom the slow evaluator selects`, {
  timeout: 600_000,
}, async () => {
  let selected = 0;
  for (let seed = 1; seed <= WORLDS; seed++) {
    const random = seeded(seed);
    const world = randomWorld(random);
    await fillWarehouse(warehouse, world);
    for (let n = 0; n < RULES; n++) {
      const rule = randomRule(random);
      const expected = membersOf(rule, world);
      selected += expected.length;
      expect(await membersInSql(rule, world), `seed ${seed}: ${JSON.stringify(rule)}`).toEqual(expected);
    }
  }
  // Both everybody and nobody would be a test of nothing.
  expect(selected).toBeGreaterThan(WORLDS * RULES);
});

test('a bound that takes 0 takes people without any fact', async () => {
  const world = { ...randomWorld(seeded(1)), purchases: [], visits: [] };
  await fillWarehouse(warehouse, world);
  const everybody = [...new Set(world.people.map((person) => person.profile))].sort((a, b) => a - b);
  expect(await membersInSql({ purchases: { count: { max: 3 } } }, world)).toEqual(everybody);
  expect(await membersInSql({ purchases: { count: { min: 0 } } }, world)).toEqual(everybody);
  expect(await membersInSql({ visits: { count: { min: 0, max: 0 } } }, world)).toEqual(everybody);
  expect(await membersInSql({ purchases: { count: { max: 3 }, sum: { min: 1 } } }, world)).toEqual([]);
  expect(await membersInSql({ purchases: {} }, world)).toEqual([]);
});

test('the stores of an advertiser are what "any store" means in its segments', async () => {
  const world = randomWorld(seeded(3));
  await fillWarehouse(warehouse, world);
  const scope = { now: world.now, storesOf: () => [], stores: ['st_1'] };
  const inScope = await warehouse.query<{ profile: number }>(compileRule({ visits: {} }, scope));
  expect(inScope.map((row) => row.profile).sort((a, b) => a - b)).toEqual(membersOf({ visits: { stores: ['st_1'] } }, world));
});

test('a rule of the largest size and depth compiles and runs', async () => {
  let rule: Rule = {
    any: Array.from({ length: 180 }, (_, n): Rule => ({ purchases: { count: { min: n }, brands: [`b${n}`] } })),
  };
  for (let depth = 0; depth < 18; depth++) rule = { not: rule };
  const world = randomWorld(seeded(4));
  await fillWarehouse(warehouse, world);
  expect(await membersInSql(rule, world)).toEqual(membersOf(rule, world));
});
