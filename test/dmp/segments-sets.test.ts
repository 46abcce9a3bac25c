import { afterAll, beforeAll, expect, test } from 'vitest';
import type { Warehouse } from '../../dmp/clickhouse/warehouse.ts';
import { LEVELS, type Level } from '../../dmp/identity/kinds.ts';
import { algebraOf, columnsOf, EVERYBODY } from '../../dmp/segments/algebra.ts';
import { Binder } from '../../dmp/segments/binder.ts';
import { planOf } from '../../dmp/segments/nodes/plan-of.ts';
import type { Leaf, Rule } from '../../dmp/segments/rule.ts';
import { leavesOf } from '../../dmp/segments/rule-nodes.ts';
import { othersOf } from '../../dmp/segments/scan.ts';
import type { RuleScope } from '../../dmp/segments/scope.ts';
import { compileSets, type SetPlan, setNamed, setPlanOf, stretchOf } from '../../dmp/segments/sets.ts';
import { unitOf } from '../../dmp/segments/unit.ts';
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
  const bound = new Binder();
  const plans = new Map<string, SetPlan>([[EVERYBODY, { rows: "kind = 'person'" }]]);
  const opposite = new Set<string>();
  const units = new Map<string, string>();
  const names = new Map<string, string>();
  for (const leaf of rules.flatMap(leavesOf) as Leaf[]) {
    const key = JSON.stringify(leaf);
    if (names.has(key)) continue;
    const name = `l${names.size}`;
    names.set(key, name);
    const plan = planOf(leaf, { scope, bound });
    if ('units' in plan) units.set(name, plan.units);
    else {
      const { asked, isOpposite } = setPlanOf(plan);
      plans.set(name, asked);
      if (isOpposite) opposite.add(name);
    }
  }
  const compiler = { scope, bound };
  const statements = compileSets(plans, compiler, { isTogether, placesOf: (plan) => othersOf(plan, compiler) });
  const params = bound.values;
  for (const { ofNobody, names: asked } of statements) {
    if (ofNobody === null) continue;
    const [row] = await warehouse.query<{ told: number[] }>({ sql: ofNobody, params });
    for (const [n, name] of asked.entries()) if (row?.told[n] === 1) opposite.add(name);
  }
  const sets = [
    ...statements.map(
      (statement) => `SELECT toString(leaf) AS leaf, shard, members FROM (${statement.sql('facts', '', opposite)})`,
    ),
    ...[...units].map(
      ([name, sql]) => `SELECT '${name}', ${stretchOf('unit')} AS shard, groupBitmapState(unit)
        FROM (SELECT toUInt32(0) AS unit WHERE 0 UNION ALL SELECT * FROM (${sql})) GROUP BY shard`,
    ),
  ];
  const setOf = (leaf: Leaf): string => {
    const name = names.get(JSON.stringify(leaf)) as string;
    return units.has(name) ? `bitmapAnd(${EVERYBODY}, ${name})` : setNamed(name, opposite.has(name));
  };
  const held = rules.map((rule) => `bitmapToArray(${algebraOf(rule, setOf)})`);
  const columns = columnsOf([EVERYBODY, ...names.values()], sets.join(' UNION ALL '));
  const rows = await warehouse.query<{ held: number[][] }>({
    sql: `SELECT [${held.join(', ')}] AS held FROM (${columns})`,
    params,
  });
  const people = await warehouse.query<{ profile: number; unit: number }>({
    sql: `SELECT DISTINCT profile, ${unitOf({ scope, bound })} AS unit FROM facts WHERE kind = 'person'`,
    params: bound.values,
  });
  return rules.map((_, n) => {
    const of = new Set(rows.flatMap(({ held: all }) => all[n] ?? []));
    const profiles = people.filter(({ unit }) => of.has(unit)).map(({ profile }) => profile);
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
