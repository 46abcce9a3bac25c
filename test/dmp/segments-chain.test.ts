import { afterAll, beforeAll, expect, test } from 'vitest';
import type { Warehouse } from '../../dmp/clickhouse/warehouse.ts';
import { Binder } from '../../dmp/segments/binder.ts';
import { type Chain, MOST_STEPS, planOfChain } from '../../dmp/segments/chain.ts';
import { DAY_MS } from '../../dmp/segments/conditions.ts';
import type { FactsPlan } from '../../dmp/segments/plan.ts';
import { startWarehouse } from '../support/warehouse.ts';
import { hasChain } from './segments/oracle/chain.ts';
import { int, pick, type Random, seeded } from './segments-world.ts';

let warehouse: Warehouse;
let stop: () => Promise<void>;
beforeAll(async () => {
  ({ warehouse, stop } = await startWarehouse());
});
afterAll(() => stop());

const NOW = Date.UTC(2026, 5, 20, 12);
const HOUR = 3_600_000;
const KINDS = ['impression', 'click', 'visit', 'purchase'] as const;
type Kind = (typeof KINDS)[number];

interface Fact {
  readonly profile: number;
  readonly kind: Kind;
  readonly at: number;
}

async function fill(facts: readonly Fact[], people: number): Promise<void> {
  await warehouse.command({ sql: 'TRUNCATE TABLE facts' });
  const everybody = Array.from({ length: people }, (_, n) => ({
    profile: n + 1,
    kind: 'person',
    at: new Date(0).toISOString(),
    id: String(n),
  }));
  const rows = facts.map((fact, n) => ({ ...fact, at: new Date(fact.at).toISOString(), id: String(people + n) }));
  await warehouse.insert('facts', [...everybody, ...rows]);
}

async function selected(plan: FactsPlan, bound: Binder): Promise<number[]> {
  const columns = plan.measures.map((_, n) => `m${n}`);
  const measures = plan.measures.map((measure, n) => `, ${measure} AS m${n}`).join('');
  const sql = `SELECT profile FROM (SELECT profile${measures} FROM facts WHERE kind = 'person' OR (${plan.rows}) GROUP BY profile) WHERE ${plan.holds(columns, [])} ORDER BY profile`;
  return (await warehouse.query<{ profile: number }>({ sql, params: bound.values })).map(({ profile }) => profile);
}

interface Wish {
  readonly steps: readonly { readonly kind: Kind; readonly gap: number | null; readonly without: readonly Kind[] }[];
  readonly unless: { readonly kind: Kind; readonly gap: number | null } | null;
  readonly days: number | null;
}

const sql = (kinds: readonly Kind[]): string => `kind IN (${kinds.map((kind) => `'${kind}'`).join(', ')})`;

function chainOf({ steps, unless, days }: Wish): Chain {
  return {
    steps: steps.map(({ kind, gap, without }) => ({
      rows: sql([kind]),
      gap,
      without: without.length === 0 ? null : sql(without),
    })),
    unless: unless === null ? null : { rows: sql([unless.kind]), gap: unless.gap },
    window: days === null ? undefined : { days },
  };
}

function slowly({ steps, unless, days }: Wish, facts: readonly Fact[], people: number, now: number): number[] {
  const chain = {
    steps: steps.map(({ kind, gap, without }) => ({
      fits: (fact: Fact) => fact.kind === kind,
      gap,
      excluded: (fact: Fact) => without.includes(fact.kind),
    })),
    unless: unless === null ? null : { fits: (fact: Fact) => fact.kind === unless.kind, gap: unless.gap },
    inWindow: (at: number) => days === null || (at > now - days * DAY_MS && at <= now),
  };
  return Array.from({ length: people }, (_, n) => n + 1).filter((profile) =>
    hasChain(
      chain,
      facts.filter((fact) => fact.profile === profile),
      now,
    ),
  );
}

function randomWish(random: Random): Wish {
  const gap = (): number | null => (random() < 0.5 ? null : int(random, 1, 8) * HOUR);
  return {
    steps: Array.from({ length: int(random, 1, 4) }, (_, n) => ({
      kind: pick(random, KINDS),
      gap: n === 0 ? null : gap(),
      without: n === 0 || random() < 0.5 ? [] : KINDS.filter(() => random() < 0.35),
    })),
    unless: random() < 0.5 ? null : { kind: pick(random, KINDS), gap: gap() },
    days: random() < 0.6 ? null : 1,
  };
}

/** Many at the same time, some in days to come. */
function randomFacts(random: Random, people: number): Fact[] {
  return Array.from({ length: people }, (_, n) =>
    Array.from({ length: int(random, 0, 12) }, () => ({
      profile: n + 1,
      kind: pick(random, KINDS),
      at: NOW - int(random, -3, 36) * HOUR,
    })),
  ).flat();
}

test('2,000 random chains of random people are there where a trial of every fact for every step finds them', {
  timeout: 300_000,
}, async () => {
  const random = seeded(20);
  const people = 40;
  let found = 0;
  let cases = 0;
  for (let world = 0; world < 2; world++) {
    const facts = randomFacts(random, people);
    await fill(facts, people);
    for (let n = 0; n < 60; n++) {
      const wish = randomWish(random);
      const bound = new Binder();
      const plan = planOfChain(chainOf(wish), { scope: { now: NOW, storesOf: () => [], stores: null }, bound });
      const expected = slowly(wish, facts, people, NOW);
      expect(await selected(plan, bound), JSON.stringify(wish)).toEqual(expected);
      found += expected.length;
      cases += people;
    }
  }
  expect(cases).toBeGreaterThan(2_000);
  expect(found).toBeGreaterThan(cases / 10);
  expect(found).toBeLessThan(cases / 1.5);
});

test('a first fit is no trap: the chain that holds may begin later and pass over what a hasty walk would take', async () => {
  const at = (hour: number) => NOW - 48 * HOUR + hour * HOUR;
  const facts: Fact[] = [
    // 1: the first ad is too long ago, the second is followed by a purchase before the visit, the third fits.
    { profile: 1, kind: 'impression', at: at(0) },
    { profile: 1, kind: 'impression', at: at(10) },
    { profile: 1, kind: 'purchase', at: at(11) },
    { profile: 1, kind: 'impression', at: at(12) },
    { profile: 1, kind: 'visit', at: at(13) },
    // 2: the same without the third.
    { profile: 2, kind: 'impression', at: at(0) },
    { profile: 2, kind: 'impression', at: at(10) },
    { profile: 2, kind: 'purchase', at: at(11) },
    { profile: 2, kind: 'visit', at: at(13) },
    // 3: at the same time is not later.
    { profile: 3, kind: 'impression', at: at(13) },
    { profile: 3, kind: 'visit', at: at(13) },
    // 4: a purchase at the time of the visit is not between.
    { profile: 4, kind: 'impression', at: at(12) },
    { profile: 4, kind: 'purchase', at: at(12) },
    { profile: 4, kind: 'purchase', at: at(13) },
    { profile: 4, kind: 'visit', at: at(13) },
  ];
  await fill(facts, 4);
  const wish: Wish = {
    steps: [
      { kind: 'impression', gap: null, without: [] },
      { kind: 'visit', gap: 5 * HOUR, without: ['purchase'] },
    ],
    unless: null,
    days: null,
  };
  const bound = new Binder();
  expect(
    await selected(planOfChain(chainOf(wish), { scope: { now: NOW, storesOf: () => [], stores: null }, bound }), bound),
  ).toEqual([1, 4]);
});

test('the answer changes exactly when a fact passes an edge: the end of the window, the rest after the last step, now itself', async () => {
  const facts: Fact[] = [
    { profile: 1, kind: 'visit', at: NOW },
    { profile: 2, kind: 'visit', at: NOW },
    { profile: 2, kind: 'purchase', at: NOW + 3 * HOUR },
  ];
  await fill(facts, 2);
  const wish: Wish = { steps: [{ kind: 'visit', gap: null, without: [] }], unless: { kind: 'purchase', gap: 3 * HOUR }, days: 1 };
  const at = async (now: number): Promise<number[]> => {
    const bound = new Binder();
    const plan = planOfChain(chainOf(wish), { scope: { now, storesOf: () => [], stores: null }, bound });
    expect(plan.edges).toEqual([0, DAY_MS, 3 * HOUR]);
    const members = await selected(plan, bound);
    expect(members).toEqual(slowly(wish, facts, 2, now));
    return members;
  };
  expect(await at(NOW + 3 * HOUR - 1)).toEqual([]);
  expect(await at(NOW + 3 * HOUR)).toEqual([1]);
  expect(await at(NOW + DAY_MS - 1)).toEqual([1]);
  expect(await at(NOW + DAY_MS)).toEqual([]);
});

test('the longest chain with all that it may have compiles and runs', async () => {
  const random = seeded(3);
  const facts = randomFacts(random, 20);
  await fill(facts, 20);
  const steps = Array.from({ length: MOST_STEPS }, (_, n) => ({
    kind: pick(random, KINDS),
    gap: n === 0 ? null : 30 * HOUR,
    without: n === 0 ? [] : [pick(random, KINDS)],
  }));
  const wish: Wish = { steps, unless: { kind: 'click', gap: HOUR }, days: 1 };
  const bound = new Binder();
  const plan = planOfChain(chainOf(wish), { scope: { now: NOW, storesOf: () => [], stores: null }, bound });
  expect(await selected(plan, bound)).toEqual(slowly(wish, facts, 20, NOW));
});
