import { afterAll, beforeAll, expect, test } from 'vitest';
import type { Warehouse } from '../../dmp/clickhouse/warehouse.ts';
import { LEVELS, type Level } from '../../dmp/identity/kinds.ts';
import { Binder } from '../../dmp/segments/binder.ts';
import type { Rule } from '../../dmp/segments/rule.ts';
import type { RuleScope } from '../../dmp/segments/scope.ts';
import { columnsOf, compileSets, withNobodies } from '../../dmp/segments/sets.ts';
import { startWarehouse } from '../support/warehouse.ts';
import { membersOf, randomRule } from './segments-oracle.ts';
import { fillWarehouse, pick, randomWorld, scopeIn, seeded } from './segments-world.ts';

const WORLDS = Number(process.env['WALKIN_TEST_WORLDS'] ?? 10);
const RULES = 40;

let warehouse: Warehouse;
let stop: () => Promise<void>;
beforeAll(async () => {
  ({ warehouse, stop } = await startWarehouse());
});
afterAll(() => stop());

/** All rules as algebra of the sets of their leaves, as the segmenter evaluates them. */
async function membersBySets(rules: readonly Rule[], scope: RuleScope, isTogether: boolean): Promise<number[][]> {
  const sets = compileSets(rules, scope, () => false, new Binder(), { isTogether });
  const params = sets.bound.values;
  const told = new Map<string, string | null>();
  for (const { ofNobody, leaves } of sets.statements) {
    if (ofNobody === null) continue;
    const [row] = await warehouse.query<{ told: number[] }>({ sql: ofNobody.sql, params });
    for (const [n, leaf] of leaves.entries()) told.set(leaf, row?.told[n] === 1 ? ofNobody.read : null);
  }
  const leaves = sets.statements.map(
    (statement) => `SELECT toString(leaf) AS leaf, shard, members FROM (${statement.sql('facts', '')})`,
  );
  const units = withNobodies(sets.rules, told).map((rule) => `bitmapToArray(${rule})`);
  const held = `SELECT shard, [${units.join(', ')}] AS held FROM (${columnsOf(sets, leaves.join(' UNION ALL '))})`;
  const rows = await warehouse.query<{ shard: number; held: number[][] }>({ sql: held, params });

  const people = await warehouse.query<{ shard: number; profile: number; unit: number }>({
    sql: `SELECT DISTINCT shard, profile, ${sets.unit} AS unit FROM facts WHERE kind = 'person'`,
  });
  return rules.map((_, n) => {
    const of = new Map(rows.map(({ shard, held: all }) => [shard, new Set(all[n])]));
    const profiles = people.filter(({ shard, unit }) => of.get(shard)?.has(unit)).map(({ profile }) => profile);
    return [...new Set(profiles)].sort((a, b) => a - b);
  });
}

test(`${WORLDS * RULES} random rules as algebra of sets select whom the slow evaluator selects`, {
  timeout: 600_000,
}, async () => {
  for (let seed = 1; seed <= WORLDS; seed++) {
    const random = seeded(1_000 + seed);
    const world = randomWorld(random);
    await fillWarehouse(warehouse, world);
    const asksSure = seed % 2 === 0;
    const confidence = asksSure ? pick(random, [0.5, 0.8, 0.9, 1]) : 0;
    const level = asksSure ? (LEVELS[(seed / 2) % 3] as Level) : seed % 3 === 0 ? pick(random, LEVELS) : 'person';
    const rules = Array.from({ length: RULES }, () => randomRule(random));
    const found = await membersBySets(rules, scopeIn(world, level, confidence), seed % 4 === 0);
    for (const [n, rule] of rules.entries())
      expect(found[n], `seed ${seed} (${level}, ${confidence}): ${JSON.stringify(rule)}`).toEqual(
        membersOf(rule, world, level, confidence),
      );
  }
});
