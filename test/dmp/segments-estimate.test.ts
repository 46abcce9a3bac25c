import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import type { Warehouse } from '../../dmp/clickhouse/warehouse.ts';
import { type Clusters, clusterInterval, designEffect } from '../../dmp/segments/cluster-interval.ts';
import { compileRule } from '../../dmp/segments/compile.ts';
import { estimate, estimateGroup } from '../../dmp/segments/estimate.ts';
import type { Rule } from '../../dmp/segments/rule.ts';
import { partOf, readShards } from '../../dmp/segments/shards.ts';
import { startWarehouse } from '../support/warehouse.ts';
import { seeded } from './segments-world.ts';

const HOUSEHOLDS = 4_000;
/** Attributes of which each is another draw: those below of a household, which has it or has it not; the others of each person. */
const DRAWS = 58;
const SHARED = 29;
const scope = { now: Date.now(), stores: null, storesOf: () => [] };
const draw = (n: number, share: number): Rule => ({ attribute: { name: `draw${n}`, max: share } });
const shareOf = (n: number): number => 0.1 + (0.8 * ((n * 7) % SHARED)) / SHARED;

let warehouse: Warehouse;
let stop: () => Promise<void>;
let total = 0;
beforeAll(async () => {
  ({ warehouse, stop } = await startWarehouse());
  // A household of one to four: people are numbered 4 × household + place.
  const everybody = `SELECT number AS h, h * 4 + 1 AS household, arrayJoin(range(1 + cityHash64(h) % 4)) AS place, household + place AS person
    FROM numbers(${HOUSEHOLDS})`;
  await warehouse.command({
    sql: `INSERT INTO facts (shard, profile, household, kind, value, id) SELECT household % 64, person, household, 'person', 'ifa', 0 FROM (${everybody})`,
  });
  await warehouse.command({
    sql: `INSERT INTO facts (shard, profile, household, kind, source, name, item, number, id)
      SELECT household % 64, person, household, 'attribute', 's', concat('draw', toString(n)), toString(u), u, n + 1 FROM (
        SELECT *, arrayJoin(range(${DRAWS})) AS n, cityHash64(n, household, if(n < ${SHARED}, 0, person), 'x') / 18446744073709551616. AS u FROM (${everybody}))`,
  });
  await warehouse.command({
    sql: `INSERT INTO facts (shard, profile, household, kind, at, amount, currency, once, id)
      SELECT household % 64, person, household, 'purchase', toDateTime(1700000000), 1000000 + cityHash64(person, 'spent') % 1000000, 'USD', 1, 9999 FROM (${everybody})`,
  });
  const [row] = await warehouse.query<{ n: string }>({ sql: 'SELECT count() AS n FROM facts' });
  total = Number(row?.n);
});
afterAll(() => stop());

async function truth(condition: string): Promise<number> {
  const [row] = await warehouse.query<{ n: string }>({
    sql: `SELECT uniqExact(profile) AS n FROM facts WHERE kind = 'attribute' AND ${condition}`,
  });
  return Number(row?.n);
}
const truthOf = (n: number, share: number) => truth(`name = 'draw${n}' AND number <= ${share}`);

describe('of few people', () => {
  test('the reach is exact', async () => {
    const [row] = await warehouse.query<{ n: string }>({
      sql: "SELECT uniqExact(profile) AS n FROM facts WHERE kind = 'person'",
    });
    const told = await estimate(warehouse, draw(0, 0.3), scope);
    expect(told).toMatchObject({
      size: await truthOf(0, 0.3),
      method: 'exact',
      interval: null,
      sample: null,
      profiles: Number(row?.n),
    });
  });

  test('each part of the rule tells whom it selects and whom the rule would select without it, to the nearest ten', async () => {
    const rule: Rule = { all: [draw(0, 0.3), { not: { any: [draw(30, 0.5), draw(31, 0.1)] } }] };
    const { size, nodes } = await estimate(warehouse, rule, scope);
    const both = `profile IN (SELECT profile FROM facts WHERE name = 'draw0' AND number <= 0.3)`;
    const either = `profile IN (SELECT profile FROM facts WHERE name = 'draw30' AND number <= 0.5 OR name = 'draw31' AND number <= 0.1)`;
    const ten = (n: number): number => Math.round(n / 10) * 10;
    const whole = await truth(`${both} AND NOT ${either}`);
    expect(size).toBe(whole);
    const everybody = await truth('1');
    expect(nodes).toEqual([
      { pointer: '/rule', size: ten(whole), interval: null, without: null },
      { pointer: '/rule/all/0', size: ten(await truth(both)), interval: null, without: ten(await truth(`NOT ${either}`)) },
      { pointer: '/rule/all/1', size: ten(await truth(`NOT ${either}`)), interval: null, without: ten(await truth(both)) },
      { pointer: '/rule/all/1/not', size: ten(await truth(either)), interval: null, without: ten(await truth(both)) },
      {
        pointer: '/rule/all/1/not/any/0',
        size: ten(await truthOf(30, 0.5)),
        interval: null,
        without: ten(
          await truth(`${both} AND profile NOT IN (SELECT profile FROM facts WHERE name = 'draw31' AND number <= 0.1)`),
        ),
      },
      {
        pointer: '/rule/all/1/not/any/1',
        size: ten(await truthOf(31, 0.1)),
        interval: null,
        without: ten(
          await truth(`${both} AND profile NOT IN (SELECT profile FROM facts WHERE name = 'draw30' AND number <= 0.5)`),
        ),
      },
    ]);
    expect(everybody).toBeGreaterThan(whole);
  });

  test.each(['person', 'household'] as const)(
    'those who are asked more about are those of whom the rule holds, by %s',
    async (level) => {
      const rule: Rule = { all: [draw(0, 0.3), { not: { any: [draw(30, 0.5), draw(31, 0.1)] } }] };
      const asked = { ...scope, level };
      const { told, group } = await estimateGroup(warehouse, rule, asked);
      const members = async (sql: string, params: Readonly<Record<string, unknown>>) =>
        (
          await warehouse.query<{ profile: number }>({ sql: `SELECT DISTINCT profile FROM (${sql}) ORDER BY profile`, params })
        ).map(({ profile }) => profile);
      const { sql, params } = compileRule(rule, asked);
      const right = await members(sql, params);
      expect(await members(group.people, group.bound.values)).toEqual(right);
      expect([right.length, group.scale, group.range]).toEqual([told.size, 1, '']);
      const { seconds: _, ...alone } = await estimate(warehouse, rule, asked);
      expect(told).toMatchObject(alone);
    },
  );

  test('of fewer than ten only that is said', async () => {
    const [row] = await warehouse.query<{ u: number }>({
      sql: "SELECT number AS u FROM facts WHERE name = 'draw40' ORDER BY number LIMIT 1 OFFSET 8",
    });
    const told = await estimate(warehouse, draw(40, row?.u as number), scope);
    expect(told).toMatchObject({
      size: null,
      belowMinimum: true,
      interval: null,
      nodes: [{ size: null, interval: null, without: null }],
    });
  });
});

describe('of many people', () => {
  const some = { facts: 0, patienceS: 0 };

  test('a sample of whole households tells every part with an interval that holds the truth in about nineteen of twenty', async () => {
    some.facts = total / 8;
    const shares = Array.from({ length: DRAWS }, (_, n) => shareOf(n));
    const truths = await warehouse.query<{ name: string; n: string }>({
      sql: `SELECT name, uniqExact(profile) AS n FROM facts WHERE kind = 'attribute' AND number <= [${shares.join(', ')}][toUInt32(substring(name, 5)) + 1] GROUP BY name`,
    });
    let held = 0;
    for (const from of [0, SHARED]) {
      const rule: Rule = { any: shares.slice(from, from + SHARED).map((share, n) => draw(from + n, share)) };
      const { nodes, method, sample } = await estimate(warehouse, rule, scope, some);
      expect(method).toBe('sample');
      expect(sample?.households).toBeLessThan(HOUSEHOLDS / 7);
      for (let n = 0; n < SHARED; n++) {
        const { size, interval, without } = nodes[n + 1] as (typeof nodes)[number];
        const right = Number(truths.find(({ name }) => name === `draw${from + n}`)?.n);
        expect(interval?.lo).toBeLessThanOrEqual(size as number);
        expect(interval?.hi).toBeGreaterThanOrEqual(size as number);
        expect(without).toBeGreaterThan(size as number);
        if ((interval?.lo as number) <= right && right <= (interval?.hi as number)) held++;
      }
    }
    expect(held).toBeGreaterThanOrEqual(51);
  });

  test('those who are alike within a household make the sample worth less, and it says how much', async () => {
    some.facts = total / 8;
    const alike = await estimate(warehouse, draw(3, 0.5), scope, some);
    const apart = await estimate(warehouse, draw(33, 0.5), scope, some);
    expect(alike.sample?.designEffect).toBeGreaterThan(2);
    expect(apart.sample?.designEffect).toBeLessThan(1.3);
    const width = ({ interval }: typeof alike) => (interval?.hi as number) - (interval?.lo as number);
    expect(width(alike)).toBeGreaterThan(1.3 * width(apart));
  });

  test('a rule that few meet is counted in a larger part while there is time', async () => {
    const small = await estimate(warehouse, draw(3, 0.01), scope, { facts: total / 16, patienceS: 0 });
    const large = await estimate(warehouse, draw(3, 0.01), scope, { facts: total / 16, patienceS: 60 });
    expect(large.sample?.people ?? large.profiles).toBeGreaterThan(4 * (small.sample?.people as number));
  });

  test('who is among the best fifth is told by the best fifth of the sample', async () => {
    const best: Rule = { rfm: { monetary: { min: 5 } } };
    const { size } = await estimate(warehouse, best, scope);
    const told = await estimate(warehouse, best, scope, { facts: total / 8, patienceS: 0 });
    expect(told.method).toBe('sample');
    expect(Math.abs((told.size as number) / (size as number) - 1)).toBeLessThan(0.05);
  });

  test('of too few in the sample only the most that they can be is told', async () => {
    const told = await estimate(warehouse, draw(33, 0.0005), scope, { facts: total / 16, patienceS: 0 });
    expect(told).toMatchObject({ size: null, belowMinimum: false, interval: { lo: 0 } });
    expect(told.interval?.hi).toBeGreaterThanOrEqual(await truthOf(33, 0.0005));
  });
});

test('the part that is read begins with the first shard that somebody is in', async () => {
  const shards = await readShards(warehouse);
  expect(shards.facts.reduce((sum, n) => sum + n)).toBe(total);
  expect(partOf(shards, 1).shards).toBe(2);
  expect(partOf(shards, total)).toMatchObject({ shards: 64, range: '' });
  const empty = { people: new Array(64).fill(0), facts: new Array(64).fill(0) };
  expect(partOf(empty, 10)).toMatchObject({ range: '', everybody: 0 });
});

describe('the interval', () => {
  /** A sample of households out of many; in each, people are alike to the degree `alike`. */
  function sample(random: () => number, households: number, p: number, alike: number): Clusters {
    const sums = { people: 0, peopleSquared: 0, hits: 0, hitsSquared: 0, hitsTimesPeople: 0 };
    for (let n = 0; n < households; n++) {
      const m = 1 + Math.floor(random() * 4);
      const common = random() < p ? 1 : 0;
      let y = 0;
      for (let k = 0; k < m; k++) y += random() < alike ? common : random() < p ? 1 : 0;
      sums.people += m;
      sums.peopleSquared += m * m;
      sums.hits += y;
      sums.hitsSquared += y * y;
      sums.hitsTimesPeople += y * m;
    }
    return { households, ...sums };
  }

  test.each([
    [400, 0.3, 0],
    [400, 0.3, 1],
    [2_000, 0.02, 0.7],
    [300, 0.9, 0.5],
    [1_000, 0.01, 0],
  ])('of %i households holds a share of %f that is alike to %f in about 95 of 100 draws', (households, p, alike) => {
    const random = seeded(households + p * 1e6 + alike);
    let held = 0;
    for (let draws = 0; draws < 2_000; draws++) {
      const { lo, hi } = clusterInterval(sample(random, households, p, alike), Number.MAX_SAFE_INTEGER);
      if (lo <= p && p <= hi) held++;
    }
    expect(held / 2_000).toBeGreaterThan(0.93);
    expect(held / 2_000).toBeLessThan(0.98);
  });

  test('would hold it far more rarely if households were taken for strangers', () => {
    const random = seeded(5);
    let held = 0;
    for (let draws = 0; draws < 1_000; draws++) {
      const drawn = sample(random, 400, 0.3, 1);
      const strangers = {
        ...drawn,
        households: drawn.people,
        peopleSquared: drawn.people,
        hitsSquared: drawn.hits,
        hitsTimesPeople: drawn.hits,
      };
      expect(designEffect(strangers)).toBeCloseTo(1, 1);
      const { lo, hi } = clusterInterval(strangers, Number.MAX_SAFE_INTEGER);
      if (lo <= 0.3 && 0.3 <= hi) held++;
    }
    expect(held / 1_000).toBeLessThan(0.85);
  });

  test('is a point where the sample is everybody, and all of it where it is nobody', () => {
    const drawn = sample(seeded(1), 100, 0.3, 0);
    const p = drawn.hits / drawn.people;
    expect(clusterInterval(drawn, drawn.people)).toEqual({ lo: p, hi: p });
    expect(clusterInterval({ ...drawn, people: 0, households: 0 }, 50)).toEqual({ lo: 0, hi: 1 });
  });
});
