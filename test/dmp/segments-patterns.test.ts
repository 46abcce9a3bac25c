import { afterAll, beforeAll, expect, test } from 'vitest';
import type { Warehouse } from '../../dmp/clickhouse/warehouse.ts';
import { LEVELS } from '../../dmp/identity/kinds.ts';
import { checkRule } from '../../dmp/segments/check.ts';
import { compileScan } from '../../dmp/segments/scan.ts';
import { startWarehouse } from '../support/warehouse.ts';
import { holds, randomLeaf, unitsOf } from './segments-oracle.ts';
import { thingsOfRules } from './segments-things.ts';
import { fillWarehouse, pick, randomWorld, scopeIn, seeded } from './segments-world.ts';

let warehouse: Warehouse;
let stop: () => Promise<void>;
beforeAll(async () => {
  ({ warehouse, stop } = await startWarehouse());
});
afterAll(() => stop());

const WORLDS = 5;
const LEAVES = 24;
const NAMES = [
  ...(['sequence', 'showrooming', 'share', 'trend', 'rfm', 'rhythm'] as const),
  ...(['near', 'home', 'work', 'identifiers', 'sample', 'holdout', 'lookalike', 'list'] as const),
];

// What the random rules of the agreement test have too little of: many of each kind, in one pass.
test(`${WORLDS * LEAVES} random leaves of each kind that looks at patterns select whom the slow evaluator selects`, {
  timeout: 300_000,
}, async () => {
  const found = new Map<string, number>();
  for (let seed = 1; seed <= WORLDS; seed++) {
    const random = seeded(seed * 1_000);
    const world = randomWorld(random);
    await fillWarehouse(warehouse, world);
    const level = pick(random, LEVELS);
    const units = unitsOf(world, level);
    for (const name of NAMES) {
      const leaves = Array.from({ length: LEAVES }, () => randomLeaf(random, name));
      const scan = compileScan(leaves, scopeIn(world, level));
      const sql = `SELECT unit, [${scan.holds.map((condition) => `toUInt8(${condition})`).join(', ')}] AS held FROM (${scan.units('')})`;
      const rows = await warehouse.query<{ unit: number; held: number[] }>({ sql, params: scan.bound.values });
      for (const [n, leaf] of leaves.entries()) {
        const expected = units.filter((unit) => holds(leaf, unit)).map(({ id }) => id);
        const members = rows.filter((row) => row.held[n] === 1).map(({ unit }) => unit);
        expect(
          members.sort((a, b) => a - b),
          `seed ${seed}, ${level}: ${JSON.stringify(leaf)}`,
        ).toEqual(expected.sort((a, b) => a - b));
        found.set(name, (found.get(name) ?? 0) + expected.length);
      }
    }
  }
  for (const name of NAMES) expect(found.get(name), name).toBeGreaterThan(WORLDS * 2);
});

const visit = { visited: { stores: ['st_1'] } };
const FAULTS: readonly (readonly [rule: object, fault: string])[] = [
  [{ sequence: { steps: [visit] } }, '/rule/sequence/steps too_short'],
  [{ sequence: { steps: [{ ...visit, within: { days: 1 } }, visit] } }, '/rule/sequence/steps/0/within shape'],
  [{ sequence: { steps: [visit, { within: { days: 1 } }] } }, '/rule/sequence/steps/1 too_few_properties'],
  [{ sequence: { steps: [visit, { ...visit, bought: {} }] } }, '/rule/sequence/steps/1 too_many_properties'],
  [{ sequence: { steps: [visit, { ...visit, within: {} }] } }, '/rule/sequence/steps/1/within too_few_properties'],
  [{ sequence: { steps: [visit, { ...visit, within: { days: -1 } }] } }, '/rule/sequence/steps/1/within/days minimum'],
  [{ sequence: { steps: [visit, { visited: { stores: ['gone'] } }] } }, '/rule/sequence/steps/1/visited/stores/0 unknown_store'],
  [{ sequence: { steps: Array(9).fill(visit) } }, '/rule/sequence/steps too_long'],
  [{ sequence: { steps: [visit, visit], thenNot: {} } }, '/rule/sequence/thenNot too_few_properties'],
  [{ rfm: { window: { days: 30 } } }, '/rule/rfm too_few_properties'],
  [{ rfm: { recency: { min: 6 } } }, '/rule/rfm/recency/min maximum'],
  [{ rfm: { recency: { min: 3, max: 2 } } }, '/rule/rfm/recency range_reversed'],
  [{ share: { of: { bought: {} }, among: visit, share: { min: 0.5 } } }, '/rule/share/among contradiction'],
  [{ share: { of: visit, by: 'money', share: { min: 0.5 } } }, '/rule/share/by contradiction'],
  [{ share: { of: visit } }, '/rule/share/share required'],
  [{ trend: { of: visit, days: 7 } }, '/rule/trend too_few_properties'],
  [{ trend: { of: visit, days: 0, ratio: { min: 1 } } }, '/rule/trend/days minimum'],
  [{ trend: { of: visit, days: 7, ago: 5, ratio: { min: 1 } } }, '/rule/trend/ago minimum'],
  [{ showrooming: { viewed: {} } }, '/rule/showrooming/viewed contradiction'],
  [{ showrooming: { bought: { channel: 'store' } } }, '/rule/showrooming/bought/channel contradiction'],
  [{ rhythm: { least: 4 } }, '/rule/rhythm too_few_properties'],
  [{ near: { geofences: ['gone'] } }, '/rule/near/geofences/0 unknown_geofence'],
  [{ home: { metres: 100_000 } }, '/rule/home/metres maximum'],
  [{ work: { stores: ['st_rival'] } }, '/rule/work/stores/0 unknown_store'],
  [{ identifiers: { any: ['fax'] } }, '/rule/identifiers/any/0 enum'],
  [{ sample: { percent: 60, from: 50 } }, '/rule/sample maximum'],
  [{ holdout: { campaign: 'gone' } }, '/rule/holdout/campaign unknown_campaign'],
  [{ list: 'gone' }, '/rule/list unknown_list'],
  [{ list: 7 }, '/rule/list type'],
  [{ lookalike: { model: 'gone', most: 5 } }, '/rule/lookalike/model unknown_lookalike'],
  [{ lookalike: { model: 'la_1' } }, '/rule/lookalike too_few_properties'],
];

test('what is wrong with a pattern is said where it is', async () => {
  const things = await thingsOfRules();
  for (const [rule, fault] of FAULTS) {
    const faults = checkRule(rule, { things, advertiser: 'adv_1', self: null }).map(({ pointer, code }) => `${pointer} ${code}`);
    expect.soft(faults, JSON.stringify(rule)).toEqual([fault]);
  }
});
