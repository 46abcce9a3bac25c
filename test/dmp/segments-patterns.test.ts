import { afterAll, beforeAll, expect, test } from 'vitest';
import type { Warehouse } from '../../dmp/clickhouse/warehouse.ts';
import { LEVELS } from '../../dmp/identity/kinds.ts';
import { compileScan } from '../../dmp/segments/scan.ts';
import { startWarehouse } from '../support/warehouse.ts';
import { holds, randomLeaf, unitsOf } from './segments-oracle.ts';
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
