import { afterAll, beforeAll, expect, test } from 'vitest';
import type { Warehouse } from '../../dmp/clickhouse/warehouse.ts';
import { compileRule } from '../../dmp/segments/compile.ts';
import type { Rule } from '../../dmp/segments/rule.ts';
import { startWarehouse } from '../support/warehouse.ts';
import { membersOf } from './segments-oracle.ts';
import { fillWarehouse, randomWorld, seeded, type World } from './segments-world.ts';

const NASTY = [
  "'",
  "''",
  "\\'",
  '\\',
  '\\\\',
  '"',
  '`',
  "') OR 1 = 1 --",
  "'; DROP TABLE identities; --",
  "x') UNION ALL SELECT profile FROM identities --",
  '{p0:String}',
  '${p0}',
  '/* */',
  '-- \n',
  '\n\t\r\0',
  '\u0000',
  '[]',
  "['a','b']",
  'NULL',
  '\\N',
  '%_%',
  '💥',
  '\ud800',
  ']',
  ',',
  "a','b",
];

/** A value in every place of a rule that takes text. */
const rulesWith = (text: string): Rule[] => [
  { purchases: { stores: [text] } },
  { purchases: { storeGroups: [text] } },
  { purchases: { departments: [text], categories: [text], brands: [text, 'b'] } },
  { purchases: { products: [text], sources: ['till', text] } },
  { visits: { stores: [text], storeGroups: [text], geofences: [text] } },
  { redemptions: { coupons: [text], promotions: [text] } },
  { pages: { urlContains: text } },
  { attribute: { name: text } },
  { attribute: { name: 'age', in: [text] } },
  { segment: text },
];

let warehouse: Warehouse;
let stop: () => Promise<void>;
let world: World;
beforeAll(async () => {
  ({ warehouse, stop } = await startWarehouse());
  world = randomWorld(seeded(11));
  await fillWarehouse(warehouse, world);
});
afterAll(() => stop());

const scope = () => ({ now: world.now, stores: null, storesOf: () => [] });

test('the text of the statement is the same whatever the values are', () => {
  const plain = rulesWith('x').map((rule) => compileRule(rule, scope()).sql);
  for (const text of NASTY) expect(rulesWith(text).map((rule) => compileRule(rule, scope()).sql)).toEqual(plain);
  for (const sql of plain) expect(sql).toMatch(/^[A-Za-z0-9_(),.=<>%:{}' ]*$/);
});

test('nasty values select whom plain ones would and break nothing', { timeout: 60_000 }, async () => {
  for (const text of NASTY) {
    for (const rule of rulesWith(text)) {
      const rows = await warehouse.query<{ profile: number }>(compileRule(rule, scope()));
      const found = rows.map((row) => row.profile).sort((a, b) => a - b);
      expect(found, JSON.stringify(rule)).toEqual(membersOf(rule, { ...world, groups: {} }));
    }
  }
  expect(await warehouse.query({ sql: 'SELECT uniqExact(profile) AS n FROM identities' })).toEqual([
    { n: String(new Set(world.people.map((person) => person.profile)).size) },
  ]);
});

test('a nasty value that is in the data is found by it', async () => {
  const texts = NASTY.filter((text) => text !== '\ud800');
  const nasty: World = {
    ...world,
    redemptions: texts.map((text, n) => ({
      source: 'till',
      id: `n${n}`,
      identifier: world.people[n % world.people.length]?.identifier as string,
      at: world.now - 1,
      coupon: text,
      promotion: '',
    })),
  };
  await fillWarehouse(warehouse, nasty);
  for (const text of texts) {
    const rule: Rule = { redemptions: { coupons: [text] } };
    const rows = await warehouse.query<{ profile: number }>(compileRule(rule, scope()));
    expect(
      rows.map((row) => row.profile),
      JSON.stringify(text),
    ).toEqual(membersOf(rule, nasty));
  }
});
