import { afterAll, beforeAll, expect, test } from 'vitest';
import type { Warehouse } from '../../dmp/clickhouse/warehouse.ts';
import { estimate } from '../../dmp/segments/estimate.ts';
import type { Rule } from '../../dmp/segments/rule.ts';
import { startWarehouse } from '../support/warehouse.ts';
import { seeded, uuid } from './segments-world.ts';

const PEOPLE = 4_000;
const scope = { now: Date.now(), stores: null, storesOf: () => [] };
const chance = (share: number): Rule => ({ attribute: { name: 'draw', max: share } });

let warehouse: Warehouse;
let stop: () => Promise<void>;
let draws: number[];
beforeAll(async () => {
  ({ warehouse, stop } = await startWarehouse());
  const random = seeded(9);
  draws = Array.from({ length: PEOPLE }, () => random());
  const at = new Date().toISOString();
  await warehouse.insert(
    'identities',
    draws.map((_, n) => ({ identifier: uuid(n), kind: 'ifa', profile: n + 1, anchor: uuid(n), version: 1 })),
  );
  await warehouse.insert(
    'attributes',
    draws.map((draw, n) => ({ source: 's', identifier: uuid(n), name: 'draw', text: String(draw), number: draw, at })),
  );
});
afterAll(() => stop());

const truth = (share: number): number => draws.filter((draw) => draw <= share).length;

test('of few people the reach is exact', async () => {
  expect(await estimate(warehouse, chance(0.3), scope)).toMatchObject({ size: truth(0.3), method: 'exact', profiles: PEOPLE });
});

test('of many a sample tells it with an interval that holds the truth nineteen times of twenty', async () => {
  let held = 0;
  for (let n = 1; n <= 20; n++) {
    const told = await estimate(warehouse, chance(n / 25), scope, PEOPLE / 8);
    expect(told.method).toBe('sample');
    const { lo, hi } = told.interval as { lo: number; hi: number };
    expect(lo).toBeLessThanOrEqual(told.size as number);
    expect(hi).toBeGreaterThanOrEqual(told.size as number);
    if (lo <= truth(n / 25) && truth(n / 25) <= hi) held++;
  }
  expect(held).toBeGreaterThanOrEqual(17);
});

test('of fewer than ten people only that is said', async () => {
  const ninth = [...draws].sort((a, b) => a - b)[8] as number;
  expect(await estimate(warehouse, chance(ninth), scope)).toMatchObject({ size: null, belowMinimum: true, interval: null });
});
