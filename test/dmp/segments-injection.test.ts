import { afterAll, beforeAll, expect, test } from 'vitest';
import type { Warehouse } from '../../dmp/clickhouse/warehouse.ts';
import { compileRule } from '../../dmp/segments/compile.ts';
import { type LeafName, NODES } from '../../dmp/segments/nodes/plan-of.ts';
import type { Rule } from '../../dmp/segments/rule.ts';
import { compileScan } from '../../dmp/segments/scan.ts';
import type { RuleScope } from '../../dmp/segments/scope.ts';
import { startWarehouse } from '../support/warehouse.ts';
import { membersOf } from './segments-oracle.ts';
import { type Fact, fillWarehouse, randomWorld, scopeIn, seeded, type World } from './segments-world.ts';

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

/** A text in every place of every node's examples that takes text, one rule each. */
const rulesWith = (text: string): Rule[] =>
  (Object.keys(NODES) as LeafName[]).flatMap((name) =>
    NODES[name].examples.flatMap((body) => textsIn(body).map((path) => ({ [name]: put(body, path, text) }) as unknown as Rule)),
  );

/** Members of which only some texts have the shape: the rest of a body cannot hold anything nasty. */
const SHAPED = ['from', 'to', 'since', 'before', 'channel', 'weekdays', 'currency'];

function textsIn(value: unknown): (string | number)[][] {
  if (typeof value === 'string') return [[]];
  if (typeof value !== 'object' || value === null) return [];
  return Object.entries(value)
    .filter(([member]) => !SHAPED.includes(member))
    .flatMap(([member, part]) => textsIn(part).map((path) => [Array.isArray(value) ? Number(member) : member, ...path]));
}

function put(value: unknown, [member, ...path]: readonly (string | number)[], text: string): unknown {
  if (member === undefined) return text;
  if (Array.isArray(value)) return value.map((part, n) => (n === member ? put(part, path, text) : part));
  const object = value as Record<string, unknown>;
  return { ...object, [member]: put(object[member], path, text) };
}

let warehouse: Warehouse;
let stop: () => Promise<void>;
let world: World;
beforeAll(async () => {
  ({ warehouse, stop } = await startWarehouse());
  world = randomWorld(seeded(11));
  await fillWarehouse(warehouse, world);
});
afterAll(() => stop());

const scope = (): RuleScope => scopeIn({ ...world, groups: {}, stores: {} });

test('the text of the statement is the same whatever the values are', () => {
  const plain = rulesWith('x').map((rule) => compileRule(rule, scope()).sql);
  expect(plain.length).toBeGreaterThan(20);
  for (const text of NASTY) expect(rulesWith(text).map((rule) => compileRule(rule, scope()).sql)).toEqual(plain);
});

test('nasty values select nobody wrongly and break nothing', { timeout: 300_000 }, async () => {
  for (const text of NASTY) {
    const rules = rulesWith(text);
    // A statement takes time that grows with the square of what it asks.
    for (let from = 0; from < rules.length; from += 12) {
      const asked = rules.slice(from, from + 12);
      const scan = compileScan(asked, scope());
      const held = scan.holds.map((condition) => `toUInt8(${condition})`).join(', ');
      const rows = await warehouse.query<{ unit: number; held: number[] }>({
        sql: `SELECT unit, [${held}] AS held FROM (${scan.units('')})`,
        params: scan.bound.values,
      });
      for (const [n, rule] of asked.entries()) {
        const found = rows.filter((row) => row.held[n] === 1).map((row) => row.unit);
        expect(
          found.sort((a, b) => a - b),
          JSON.stringify(rule),
        ).toEqual(membersOf(rule, { ...world, groups: {}, stores: {} }));
      }
    }
  }
  expect(await warehouse.query({ sql: 'SELECT count() AS n FROM facts' })).toEqual([{ n: String(world.facts.length) }]);
});

test('a nasty value that is in the data is found by it', async () => {
  const texts = NASTY.filter((text) => text !== '\ud800');
  const people = world.facts.filter(({ kind }) => kind === 'person');
  const nasty: World = {
    ...world,
    withheld: [],
    facts: [
      ...people,
      ...texts.map((item, n) => ({
        ...(people[n % people.length] as Fact),
        kind: 'redemption' as const,
        at: world.now - 1,
        source: 'till',
        item,
        id: 10_000 + n,
      })),
    ],
  };
  await fillWarehouse(warehouse, nasty);
  for (const text of texts) {
    const rule: Rule = { redemptions: { coupons: [text] } };
    const rows = await warehouse.query<{ profile: number }>(compileRule(rule, scopeIn(nasty)));
    expect(
      rows.map((row) => row.profile),
      JSON.stringify(text),
    ).toEqual(membersOf(rule, nasty));
  }
});
