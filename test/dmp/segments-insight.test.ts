import { gridDisk, latLngToCell } from 'h3-js';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { startApi, type TestApi } from '../support/api.ts';
import { type FactRow, putFacts, putMembers } from './segments-facts.ts';
import { int, pick, seeded, uuid } from './segments-world.ts';

interface Trait {
  dimension: string;
  name: string;
  value: string;
}
interface Index extends Trait {
  people: number;
  base: number;
  index: number;
  significant: boolean;
}
interface Insight {
  people: number;
  base: number;
  method: string;
  traits: Index[];
  history: object[];
}
interface Reach {
  people: number;
  addressable: number;
  rate: number;
  kinds: object[];
  exchanges: object[];
  stores: object[];
  cells: { cell: string; resolution: number; people: number }[];
}

let api: TestApi;
let key: string;
const random = seeded(11);
const everybody = Array.from({ length: 3_000 }, (_, n) => n + 1);
/** Who is in `seg_tea` buys tea far more often, and coffee as often as others. */
const tea = new Set(everybody.filter((one) => one % 3 === 0));
const even = new Set(everybody.filter((one) => one % 2 === 0));
const bought = new Map<number, Set<string>>();
const facts: FactRow[] = [];
const kindsOf = (one: number): string => (one % 5 === 0 ? 'email' : one % 4 === 0 ? 'email,ifa' : 'ifa');
const DECIMAL = (cell: string): string => BigInt(`0x${cell}`).toString();
const STORE = { lat: 55.75, lon: 37.6 };
const home = latLngToCell(STORE.lat, STORE.lon, 9);
const away = latLngToCell(56.4, 38.9, 9);

beforeAll(async () => {
  api = await startApi();
  const { warehouse } = api.deps;
  for (const one of everybody) {
    const categories = new Set<string>();
    if (random() < (tea.has(one) ? 0.6 : 0.1)) categories.add('TEA');
    if (random() < 0.4) categories.add('COFFEE');
    if (one <= 8) categories.add('RARE');
    for (let n = 0; n < 12; n++) if (random() < 0.3) categories.add(`C${n}`);
    bought.set(one, categories);
    for (const category of categories)
      facts.push({
        profile: one,
        kind: 'purchase',
        source: 'till',
        category,
        brand: pick(random, ['X', 'Y']),
        hour: int(random, 8, 20),
        place: 'st_1',
      });
    // What another source says is not for everybody.
    if (even.has(one)) facts.push({ profile: one, kind: 'purchase', source: 'secret', category: 'SECRET', place: '' });
    if (one % 4 === 1)
      facts.push({ profile: one, kind: 'visit', name: 'store', place: 'st_1', hour: 9, source: 'till', sources: ['till'] });
    const cell = one % 10 === 0 ? home : one > 2_990 ? (gridDisk(away, 60)[one - 2_990] as string) : one % 10 < 3 ? away : null;
    if (cell !== null) facts.push({ profile: one, kind: 'home', source: 'till', cell: DECIMAL(cell) });
    facts.push({ profile: one, kind: 'attribute', source: 'till', name: 'band', item: one % 6 < 3 ? 'low' : 'high' });
  }
  const persons = everybody.map((profile): FactRow => ({ profile, kind: 'person', value: kindsOf(profile) }));
  await putFacts(warehouse, [...persons, ...facts]);
  for (const letter of ['1', '2']) await api.ok('PUT', `/v1/advertisers/adv_${letter}`, { name: letter, domains: ['a.example'] });
  await api.ok('PUT', '/v1/exchanges/ex', { name: 'Exchange' });
  await api.ok('PUT', '/v1/sources/till', { name: 'till', party: '1p' });
  await api.ok('PUT', '/v1/sources/secret', { name: 'secret', party: '1p', advertisers: ['adv_2'] });
  await api.ok('PUT', '/v1/stores/st_1', { advertiser: 'adv_1', name: 's', address: '', ...STORE, timeZone: 'UTC' });
  const rule = { purchases: { categories: ['TEA'] } };
  for (const id of ['seg_tea', 'seg_even', 'seg_new', 'seg_few']) await api.ok('PUT', `/v1/segments/${id}`, { name: id, rule });
  await putMembers(warehouse, 'seg_tea', [...tea]);
  await putMembers(warehouse, 'seg_even', [...even]);
  await putMembers(warehouse, 'seg_few', [1, 2, 3]);
  // 300 members have an identifier that the exchange's id is matched with.
  const matched = [...tea].slice(0, 300);
  await warehouse.insert(
    'identities',
    matched.map((profile) => ({ identifier: uuid(profile), kind: 'exchange', profile, anchor: uuid(profile), version: 1 })),
  );
  await warehouse.insert(
    'links',
    matched.map((profile) => ({ node: uuid(profile), neighbour: uuid(profile + 100_000), source: 'sync:ex' })),
  );
  const body = { id: 'key_1', name: 'one', advertiser: 'adv_1', scopes: ['segments:read'] };
  key = (await api.ok<{ key: string }>('POST', '/v1/api-keys', body)).key;
}, 60_000);
afterAll(() => api.stop());

const ten = (n: number): number | null => (n < 10 ? null : Math.round(n / 10) * 10);
const count = (group: Iterable<number>, category: string): number =>
  [...group].filter((one) => bought.get(one)?.has(category)).length;
/** No count of fewer than ten people anywhere. */
const counts = (text: string): number[] =>
  [...text.matchAll(/"(?:people|base|a|b|size|without|visited|home|near|entered|left)":(\d+)/g)].map(([, n]) => Number(n));

describe('reach', () => {
  test('says where members can be met: kinds of identifier, exchanges, stores, cells', async () => {
    const told = await api.ok<Reach>('GET', '/v1/segments/seg_tea/reach');
    const named = (kind: string) => [...tea].filter((one) => kindsOf(one).includes(kind)).length;
    expect(told).toMatchObject({ people: 1_000, addressable: ten(named('ifa')), rate: named('ifa') / 1_000 });
    expect(told.kinds).toEqual([
      { kind: 'ifa', people: ten(named('ifa')) },
      { kind: 'email', people: ten(named('email')) },
    ]);
    expect(told.exchanges).toEqual([{ exchange: 'ex', people: 300, rate: 0.3 }]);
    const visited = [...tea].filter((one) => one % 4 === 1).length;
    expect(told.stores).toEqual([{ store: 'st_1', visited: ten(visited), home: 100, near: null }]);
    const homes = [...tea].filter((one) => one % 10 < 3 || one > 2_990).length;
    expect(told.cells.reduce((sum, { people: n }) => sum + n, 0)).toBeGreaterThan(homes - 20);
    expect(told.cells.every(({ people: n }) => n >= 10)).toBe(true);
  });

  test('the same of a rule, before it is a segment', async () => {
    const rule = { purchases: { categories: ['TEA'] } };
    const told = await api.ok<{ size: number; reach: Reach; stores: object[]; cells: object[]; nodes?: object }>(
      'POST',
      '/v1/segments:estimate',
      {
        rule,
        include: ['reach', 'stores', 'cells'],
      },
    );
    const drinkers = everybody.filter((one) => bought.get(one)?.has('TEA'));
    expect(told.size).toBe(drinkers.length);
    expect(told.nodes).toBeUndefined();
    expect(told.reach).toMatchObject({
      people: ten(drinkers.length),
      addressable: ten(drinkers.filter((one) => kindsOf(one).includes('ifa')).length),
    });
    expect(told.stores).toEqual([
      {
        store: 'st_1',
        visited: ten(drinkers.filter((one) => one % 4 === 1).length),
        home: ten(drinkers.filter((one) => one % 10 === 0).length),
        near: null,
      },
    ]);
    expect(told.cells.length).toBeGreaterThan(1);
  });

  test('cells with fewer than ten people are told in larger ones', async () => {
    const { cells } = await api.ok<Reach>('GET', '/v1/segments/seg_even/reach');
    const spread = cells.filter(({ resolution }) => resolution < 7);
    expect(cells.filter(({ resolution }) => resolution === 7).length).toBeGreaterThanOrEqual(2);
    expect(spread.every(({ people: n }) => n >= 10)).toBe(true);
  });
});

describe('overlap', () => {
  test('tells of each two segments how many are in both, to the nearest ten', async () => {
    const told = await api.ok<{ segments: object[]; matrix: (number | null)[][] }>('POST', '/v1/segments:overlap', {
      segments: ['seg_tea', 'seg_even', 'seg_few'],
    });
    expect(told.segments).toMatchObject([{ id: 'seg_tea', version: 1, people: 1_000 }, { people: 1_500 }, { people: null }]);
    expect(told.matrix).toEqual([
      [1_000, 500, null],
      [500, 1_500, null],
      [null, null, null],
    ]);
    const { regions } = await api.ok<{ regions: object[] }>('POST', '/v1/segments:venn', { segments: ['seg_tea', 'seg_even'] });
    expect(regions).toEqual([
      { in: ['seg_tea'], people: 500 },
      { in: ['seg_even'], people: 1_000 },
      { in: ['seg_tea', 'seg_even'], people: 500 },
    ]);
  });

  test('a segment that was evaluated and has nobody yet is nobody', async () => {
    await api.ok('PUT', '/v1/segments/seg_nobody', { name: 'nobody', rule: { purchases: { categories: ['NONE'] } } });
    const run = { segment: 'seg_nobody', version: 0, revision: 1, started: new Date().toISOString(), seconds: 0, members: 0 };
    await api.deps.warehouse.insert('segment_runs', [{ ...run, entered: 0, left_count: 0, error: '' }]);
    const told = await api.ok<{ matrix: object }>('POST', '/v1/segments:overlap', { segments: ['seg_tea', 'seg_nobody'] });
    expect(told.matrix).toEqual([
      [1_000, null],
      [null, null],
    ]);
    expect(await api.ok('GET', '/v1/segments/seg_nobody/insight')).toMatchObject({ people: null, traits: [] });
    expect(await api.ok('GET', '/v1/segments/seg_nobody/reach')).toMatchObject({ people: null, kinds: [], cells: [] });
  });

  test('needs segments that there are and that were evaluated', async () => {
    const body = { segments: ['seg_tea', 'seg_gone'] };
    expect((await api.call('POST', '/v1/segments:overlap', body)).json().errors).toMatchObject([
      { pointer: '/segments/1', code: 'unknown_segment' },
    ]);
    expect((await api.call('POST', '/v1/segments:venn', { segments: ['seg_tea', 'seg_new'] })).statusCode).toBe(409);
    expect((await api.call('GET', '/v1/segments/seg_new/insight')).statusCode).toBe(409);
    expect((await api.call('GET', '/v1/segments/seg_new/reach')).statusCode).toBe(409);
  });
});

describe('insight', () => {
  test('tells how much more often members have a trait than everybody, and marks what is no chance', async () => {
    const told = await api.ok<Insight>('GET', '/v1/segments/seg_tea/insight?limit=50');
    expect(told).toMatchObject({ people: 1_000, base: 3_000, method: 'exact' });
    const of = (value: string) => told.traits.find((trait) => trait.value === value);
    const [members, all] = [count(tea, 'TEA'), count(everybody, 'TEA')];
    expect(of('TEA')).toMatchObject({ dimension: 'category', people: ten(members), base: ten(all), significant: true });
    expect(Math.abs((of('TEA')?.index as number) - (100 * members) / 1_000 / (all / 3_000))).toBeLessThan(4);
    expect(of('COFFEE')?.significant).toBe(false);
    expect(of('RARE')).toBeUndefined();
    expect(of('low')).toMatchObject({ dimension: 'attribute', name: 'band', index: 100, significant: false });
    const chance = told.traits.filter(({ dimension, value }) => dimension === 'category' && /^C\d/.test(value));
    expect(chance).toHaveLength(12);
    expect(chance.filter(({ significant }) => significant).length).toBeLessThanOrEqual(1);
    expect(told.history).toEqual([{ day: expect.any(String), members: 1_000, entered: 1_000, left: null }]);
    expect(counts(JSON.stringify(told)).every((n) => n >= 10 && n % 10 === 0)).toBe(true);
    const brands = await api.ok<Insight>('GET', '/v1/segments/seg_tea/insight?by=brand');
    expect(new Set(brands.traits.map(({ dimension }) => dimension))).toEqual(new Set(['brand']));
  });

  test('an advertiser is told nothing of sources that are not for it', async () => {
    const values = async (options: object) =>
      (await api.ok<Insight>('GET', '/v1/segments/seg_even/insight?limit=50', undefined, options)).traits.map(
        ({ value }) => value,
      );
    expect(await values({ key })).not.toContain('SECRET');
    const { key: other } = await api.ok<{ key: string }>('POST', '/v1/api-keys', {
      name: 'two',
      advertiser: 'adv_2',
      scopes: ['segments:read'],
    });
    expect(await values({ key: other })).toContain('SECRET');
  });

  test('a comparison ranks what distinguishes the people of two segments, who are in both left out', async () => {
    const told = await api.ok<{
      a: object;
      b: object;
      differences: (Trait & { a: number; b: number; logOdds: number; interval: { lo: number; hi: number } })[];
    }>('POST', '/v1/segments:compare', { a: 'seg_tea', b: 'seg_even', by: ['category'] }, { key });
    expect(told.a).toEqual({ id: 'seg_tea', people: 500 });
    expect(told.b).toEqual({ id: 'seg_even', people: 1_000 });
    const [first] = told.differences;
    expect(first).toMatchObject({ dimension: 'category', value: 'TEA' });
    const only = [...tea].filter((one) => !even.has(one));
    const others = [...even].filter((one) => !tea.has(one));
    expect(first?.a).toBe(ten(count(only, 'TEA')));
    expect(first?.b).toBe(ten(count(others, 'TEA')));
    // Shrunk a little towards none.
    const plain =
      Math.log(count(only, 'TEA') / (500 - count(only, 'TEA'))) - Math.log(count(others, 'TEA') / (1_000 - count(others, 'TEA')));
    expect(first?.logOdds).toBeLessThan(plain);
    expect(first?.logOdds).toBeGreaterThan(0.7 * plain);
    expect(told.differences.filter(({ interval, value }) => interval.lo > 0 && value !== 'TEA').length).toBeLessThanOrEqual(1);
  });
});

test('what a key of an advertiser gets is to the nearest ten, so that no difference of two rules is one person', async () => {
  const rule = { purchases: { categories: ['TEA'] } };
  const told = await api.ok<{ size: number; profiles: number }>('POST', '/v1/segments:estimate', { rule }, { key });
  expect(told).toMatchObject({ size: ten(count(everybody, 'TEA')), profiles: 3_000 });
});
