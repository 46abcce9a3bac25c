import { afterAll, beforeAll, expect, test } from 'vitest';
import { saveExport } from '../../dmp/destinations/exports.ts';
import { recordUses } from '../../dmp/segments/uses.ts';
import { evaluate } from '../../segmenter/evaluate.ts';
import { startApi, type TestApi } from '../support/api.ts';
import { people, putFacts } from './segments-facts.ts';

let api: TestApi;
let key: string;
const uuid = (n: number): string => `00000000-0000-8000-8000-${String(n).padStart(12, '0')}`;
const above = (min: number) => ({ attribute: { name: 'n', min } });

beforeAll(async () => {
  api = await startApi();
  await api.ok('PUT', '/v1/advertisers/adv', { name: 'A', domains: ['a.example'] });
  const body = { id: 'k', name: 'K', advertiser: 'adv', role: 'marketer' };
  key = (await api.ok<{ key: string }>('POST', '/v1/api-keys', body)).key;
  const profiles = Array.from({ length: 137 }, (_, n) => n + 1);
  await putFacts(api.deps.warehouse, [
    ...people(profiles),
    ...profiles.map((profile) => ({
      profile,
      kind: 'attribute',
      source: 's',
      name: 'n',
      item: String(profile),
      number: profile,
    })),
  ]);
  await api.deps.warehouse.insert(
    'identities',
    profiles.map((profile) => ({ identifier: uuid(profile), kind: 'ifa', profile, anchor: uuid(profile), version: 1 })),
  );
  for (const [id, min] of [
    ['many', 1],
    ['some', 2],
    ['few', 131],
    ['none', 999],
  ] as const) {
    await api.ok('PUT', `/v1/segments/${id}`, { advertiser: 'adv', name: id, rule: above(min) });
    await evaluate(api.deps, id);
  }
  const flight = { start: '2026-01-01T00:00:00Z', end: '2099-01-01T00:00:00Z', status: 'active', budgetMicros: null };
  await api.ok('PUT', '/v1/campaigns/c', { advertiser: 'adv', name: 'C', ...flight, holdout: null });
  const html = '<a href="${CLICK_URL}">x</a>';
  await api.ok('PUT', '/v1/creatives/cr', { advertiser: 'adv', name: 'R', w: 300, h: 250, html, landing: 'https://a.example/' });
  for (const segment of ['few', 'none'])
    await api.ok('PUT', `/v1/line-items/of-${segment}`, {
      ...{ campaign: 'c', name: segment, status: 'active', budget: {}, bid: { maxCpmMicros: 1_000 }, creatives: ['cr'] },
      targeting: { segments: [[segment]] },
    });
}, 180_000);
afterAll(() => api.stop());

const seen = <T = Record<string, unknown>>(path: string, body?: object) =>
  api.ok<T>(body === undefined ? 'GET' : 'POST', path, body, { key });

interface Usable {
  size: number | null;
  usable: { state: string; reasons: { code: string; message: string; segment: string }[] };
}

test('sizes are exact to the operator and to the nearest ten to an advertiser, none below ten', async () => {
  const sizes = async (options: object) =>
    Promise.all(
      ['many', 'some', 'few', 'none'].map(
        async (id) => (await api.ok<Usable>('GET', `/v1/segments/${id}`, undefined, options)).size,
      ),
    );
  expect(await sizes({})).toEqual([137, 136, 7, 0]);
  expect(await sizes({ key })).toEqual([140, 140, null, null]);
  const list = await seen<{ data: Usable[] }>('/v1/segments');
  expect(list.data.map(({ size }) => size).sort()).toEqual([140, 140, null, null]);
});

test('the history of a segment tells nobody who came and went alone', async () => {
  await api.ok('PATCH', '/v1/segments/many', { rule: above(1.5) }, { headers: { 'if-match': '*' } });
  await evaluate(api.deps, 'many');
  const runs = async (options: object) =>
    (await api.ok<{ data: object[] }>('GET', '/v1/segments/many/runs', undefined, options)).data;
  expect(await runs({})).toMatchObject([
    { members: 136, entered: 0, left: 1, asked: 137, rows: 274 },
    { members: 137, entered: 137, left: 0 },
  ]);
  expect(await runs({ key })).toMatchObject([
    { members: 140, entered: null, left: null, asked: 140 },
    { members: 140, entered: 140, left: null },
  ]);
  // Of an evaluation of few people the facts that were read are their facts.
  await api.deps.warehouse.insert('segment_runs', [
    {
      segment: 'some',
      version: 1,
      revision: 1,
      started: '2026-01-01T00:00:00Z',
      mode: 'incremental',
      asked: 1,
      rows: 17,
      bytes: 900,
    },
  ]);
  const past = await api.ok<{ data: object[] }>('GET', '/v1/segments/some/runs', undefined, { key });
  expect(past.data.at(-1)).toMatchObject({ mode: 'incremental', asked: null, rows: null, bytes: null });
});

test('nobody and a few are the same to an advertiser, whatever it asks: a rule may name one person', async () => {
  const [few, none] = await Promise.all(['few', 'none'].map((id) => seen<Usable>(`/v1/segments/${id}`)));
  const plain = (text: unknown): unknown =>
    JSON.parse(JSON.stringify(text).replaceAll('"none"', '"few"').replaceAll('of-none', 'of-few'));
  expect(plain(none?.usable)).toEqual(few?.usable);
  expect(few?.usable).toMatchObject({ state: 'refused', reasons: [{ code: 'below_minimum' }] });
  const held = async (segment: string) => (await seen<{ heldBack: object[] }>(`/v1/line-items/of-${segment}`)).heldBack;
  expect(plain(await held('none'))).toEqual(await held('few'));
  expect(await held('few')).toHaveLength(1);
  const uses = async (segment: string) => (await seen<{ current: object[] }>(`/v1/segments/${segment}/uses`)).current;
  expect(plain(await uses('none'))).toEqual(await uses('few'));
  for (const rule of [above(131), above(999)])
    expect(await seen('/v1/segments:estimate', { rule })).toMatchObject({ size: null, belowMinimum: true, interval: null });
  // The operator sees what there is.
  expect((await api.ok<Usable>('GET', '/v1/segments/none')).usable).toMatchObject({
    state: 'pending',
    reasons: [{ code: 'empty' }],
  });
});

test('no minimum that an advertiser may set tells the size', async () => {
  const state = async (minimumSize: number) => {
    await api.ok('PATCH', '/v1/segments/some', { minimumSize }, { headers: { 'if-match': '*' }, key });
    return (await seen<Usable>('/v1/segments/some')).usable.state;
  };
  // There are 136.
  for (const minimum of [100, 121, 130]) expect(await state(minimum), String(minimum)).toBe('ready');
  for (const minimum of [131, 136, 137, 140]) expect(await state(minimum), String(minimum)).toBe('refused');
  await api.ok('PATCH', '/v1/segments/some', { minimumSize: null }, { headers: { 'if-match': '*' }, key });
});

test('match rates, uses and exports count people as sizes do', async () => {
  const { key: analyst } = await api.ok<{ key: string }>('POST', '/v1/api-keys', {
    id: 'a',
    name: 'A',
    advertiser: 'adv',
    role: 'analyst',
  });
  const rates = (options: object) =>
    api.ok<{ all: object; kinds: object[] }>('GET', '/v1/reports/match-rate?segment=many', undefined, options);
  // Of no source: nobody has named them to the advertiser.
  expect((await rates({ key: analyst })).all).toEqual({ identifiers: null, people: null, addressable: null, rate: null });
  expect((await rates({})).all).toEqual({ identifiers: 136, people: 136, addressable: 136, rate: 1 });
  await api.ok('PUT', '/v1/sources/crm', { name: 'C', party: '1p' });
  await api.deps.warehouse.insert(
    'edges',
    Array.from({ length: 137 }, (_, n) => ({
      ...{ a: uuid(n + 1), kind_a: 'ifa', b: uuid(n + 1), kind_b: 'ifa', source: 'crm', first_seen: '2026-01-01T00:00:00Z' },
      ingested: new Date().toISOString(),
    })),
  );
  const told = await rates({ key: analyst });
  expect(told.all).toEqual({ identifiers: 140, people: 140, addressable: 140, rate: 1 });
  expect(told.kinds).toEqual([{ kind: 'ifa', identifiers: 140, people: 140, addressable: 140, rate: 1 }]);

  const use = { segment: 'many', advertiser: 'adv', use: 'export', id: 'd', version: 1, people: 133, actor: 'x' } as const;
  await recordUses(api.deps, [use]);
  expect((await seen<{ data: object[] }>('/v1/segments/many/uses')).data).toMatchObject([{ people: 130 }]);
  expect((await api.ok<{ data: object[] }>('GET', '/v1/segments/many/uses')).data).toMatchObject([{ people: 133 }]);

  const part = {
    segment: 'many',
    version: 1,
    state: 'sent',
    reasons: [],
    members: 136,
    matched: 133,
    added: 5,
    removed: 1,
    held: 133,
  } as const;
  const none = {
    job: null,
    actor: 'x',
    deliveredAt: null,
    files: [],
    done: [],
    attempts: [],
    failures: 0,
    error: null,
    result: null,
  };
  const record = {
    id: 'exp_1',
    destination: 'd',
    advertiser: 'adv',
    number: 1,
    mode: 'delta',
    state: 'ready',
    prepared: true,
    ...none,
  } as const;
  await saveExport(api.deps.warehouse, { ...record, createdAt: new Date().toISOString(), segments: [part] }, Date.now());
  expect(await seen('/v1/exports/exp_1')).toMatchObject({ segments: [{ members: 140, matched: 130, added: 5 }] });
  expect(await api.ok('GET', '/v1/exports/exp_1')).toMatchObject({ segments: [{ members: 136, matched: 133 }] });
});
