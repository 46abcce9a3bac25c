import { afterAll, beforeAll, expect, test } from 'vitest';
import type { Warehouse } from '../../dmp/clickhouse/warehouse.ts';
import { overlap, venn, versionsOf } from '../../dmp/segments/overlap.ts';
import { startWarehouse } from '../support/warehouse.ts';
import { people, putFacts, putMembers } from './segments-facts.ts';
import { seeded } from './segments-world.ts';

let warehouse: Warehouse;
let stop: () => Promise<void>;
const everybody = Array.from({ length: 3_000 }, (_, n) => n + 1);
const random = seeded(4);
const members = Array.from({ length: 12 }, (_, n) => new Set(everybody.filter(() => random() < 0.02 * n)));
const ids = members.map((_, n) => `seg_${n}`);
const both = (a: number, b: number): number => [...(members[a] as Set<number>)].filter((one) => members[b]?.has(one)).length;

beforeAll(async () => {
  ({ warehouse, stop } = await startWarehouse());
  await putFacts(
    warehouse,
    people(everybody, 'ifa', (profile) => Math.ceil(profile / 3)),
  );
  for (const [n, set] of members.entries()) {
    // An older version, of other people, does not count.
    await putMembers(warehouse, ids[n] as string, everybody.slice(0, 500), 1);
    await putMembers(warehouse, ids[n] as string, [...set], 2);
  }
});
afterAll(() => stop());

test('the matrix says of each two segments how many people are in both, by the last run of each', async () => {
  const matrix = await overlap(warehouse, await versionsOf(warehouse, ids));
  expect(matrix).toEqual(ids.map((_, a) => ids.map((_id, b) => both(a, b))));
});

test('a segment that was never evaluated has nobody in common with any', async () => {
  expect(await overlap(warehouse, await versionsOf(warehouse, ['seg_none', 'seg_11']))).toEqual([
    [0, 0],
    [0, members[11]?.size],
  ]);
});

test('three segments cut each other into seven parts, none told of fewer than ten people', async () => {
  const regions = await venn(warehouse, await versionsOf(warehouse, ['seg_11', 'seg_10', 'seg_2']));
  const of = (id: string): Set<number> => members[ids.indexOf(id)] as Set<number>;
  expect(regions.map((region) => region.in.length)).toEqual([1, 1, 1, 2, 2, 2, 3]);
  for (const region of regions) {
    const others = ['seg_11', 'seg_10', 'seg_2'].filter((id) => !region.in.includes(id));
    const truth = everybody.filter(
      (one) => region.in.every((id) => of(id).has(one)) && !others.some((id) => of(id).has(one)),
    ).length;
    expect(region.people).toBe(truth < 10 ? null : Math.round(truth / 10) * 10);
  }
  expect(regions.some(({ people }) => people === null)).toBe(true);
  expect(await venn(warehouse, await versionsOf(warehouse, ['seg_11', 'seg_10']))).toHaveLength(3);
});
