import { afterAll, beforeAll, expect, test } from 'vitest';
import { createIdentity } from '../../segmenter/identity.ts';
import { createRefresh } from '../../segmenter/refresh.ts';
import { createVisits } from '../../segmenter/visits.ts';
import { startApi, type TestApi } from '../support/api.ts';

let api: TestApi;
const at = '2026-11-20T10:00:00Z';
const send = (source: string, events: object[]) => api.ok('POST', `/v1/events?source=${source}`, { events });

beforeAll(async () => {
  api = await startApi();
  await api.ok('POST', '/v1/advertisers', { id: 'adv', name: 'A', domains: ['a.example'], currency: 'USD' });
  await api.ok('POST', '/v1/sources', { id: 'shop', name: 'Shop', party: '1p', namespace: 'shop' });
  await api.ok('POST', '/v1/sources', { id: 'app', name: 'App', party: '2p', namespace: 'shop' });
  await api.ok('POST', '/v1/sources', { id: 'tiny', name: 'Tiny', party: '3p' });
  await api.ok('PUT', '/v1/exchanges/x', { name: 'X', billing: 'burl' });
  const card = (n: number) => ({ kind: 'loyalty', value: `c${n}` });
  const people = Array.from({ length: 40 }, (_, n) => n);
  await send(
    'shop',
    people.map((n) => ({ type: 'identify', at, identifiers: [card(n)] })),
  );
  await send(
    'app',
    people.slice(0, 20).map((n) => ({ type: 'identify', at, identifiers: [card(n), { kind: 'cookie', value: `k${n}` }] })),
  );
  await send(
    'tiny',
    people.slice(0, 3).map((n) => ({ type: 'identify', at, identifiers: [{ kind: 'ifa', value: `tiny-device-${n}` }] })),
  );
  const cookies = await api.deps.warehouse.query<{ identifier: string }>({
    sql: "SELECT node AS identifier FROM links WHERE kind = 'cookie' ORDER BY node LIMIT 12",
  });
  const matches = cookies.map(({ identifier }, n) => ({
    a: `00000000-0000-8000-8000-${String(n).padStart(12, '0')}`,
    kind_a: 'exchange',
    b: identifier,
    kind_b: 'cookie',
    source: 'sync:x',
    first_seen: at,
    ingested: new Date().toISOString(),
  }));
  await api.deps.warehouse.insert('edges', matches);
  await createIdentity(api.deps).fold();
});
afterAll(() => api.stop());

interface Report {
  all: object;
  sources: { source: string }[];
  kinds: { kind: string }[];
  exchanges: object[];
}

test('tells by source, kind and exchange how many people bidding can meet', async () => {
  const report = await api.ok<Report>('GET', '/v1/reports/match-rate');
  expect(report.all).toEqual({ identifiers: 75, people: 43, addressable: 23, rate: 23 / 43 });
  expect(report.sources).toEqual([
    { source: 'app', identifiers: 40, people: 20, addressable: 20, rate: 1 },
    { source: 'shop', identifiers: 40, people: 40, addressable: 20, rate: 0.5 },
    { source: 'tiny', identifiers: null, people: null, addressable: null, rate: null },
  ]);
  expect(report.kinds).toEqual([
    { kind: 'cookie', identifiers: 20, people: 20, addressable: 20, rate: 1 },
    { kind: 'exchange', identifiers: 12, people: 12, addressable: 12, rate: 1 },
    { kind: 'ifa', identifiers: null, people: null, addressable: null, rate: null },
    { kind: 'loyalty', identifiers: 40, people: 40, addressable: 20, rate: 0.5 },
  ]);
  expect(report.exchanges).toEqual([{ exchange: 'x', people: 12, rate: 12 / 43 }]);
});

test('of one source it counts what that source named', async () => {
  const report = await api.ok<Report>('GET', '/v1/reports/match-rate?source=app');
  expect(report.all).toEqual({ identifiers: 40, people: 20, addressable: 20, rate: 1 });
  expect(report.kinds.map(({ kind }) => kind)).toEqual(['cookie', 'loyalty']);
  expect(report.exchanges).toEqual([{ exchange: 'x', people: 12, rate: 12 / 20 }]);
});

test('a segment’s members alone are asked about', async () => {
  await api.ok('POST', '/v1/segments', { id: 'none', name: 'None', advertiser: 'adv', rule: { attribute: { name: 'x' } } });
  expect(await api.ok<Report>('GET', '/v1/reports/match-rate?segment=none')).toMatchObject({
    all: { people: null, rate: null },
    sources: [],
  });
  expect((await api.call('GET', '/v1/reports/match-rate?segment=nosuch')).statusCode).toBe(404);
});

test('of a segment with a confidence those are met who are surely theirs, as its reach says', async () => {
  const people = Array.from({ length: 36 }, (_, n) => n);
  const card = (n: number) => ({ kind: 'loyalty', value: `sure-${n}` });
  await send(
    'app',
    people.flatMap((n) => [
      { type: 'identify', at, identifiers: [card(n), { kind: 'customer', value: `sure-${n}` }], attributes: { met: 1 } },
      // Of a third the browser is doubted: they are members all the same.
      {
        ...{ type: 'identify', at, identifiers: [card(n), { kind: 'cookie', value: `browser-${n}` }] },
        confidence: n % 3 === 0 ? 0.85 : 1,
      },
    ]),
  );
  const rule = { attribute: { name: 'met' } };
  const levels = ['person', 'household'];
  for (const [name, confidence] of Object.entries({ any: 0, sure: 0.9 }))
    for (const level of levels) {
      const segment = { advertiser: 'adv', name, rule, confidence, level, minimumSize: 1 };
      await api.ok('PUT', `/v1/segments/${name}-${level}`, segment);
    }
  const steps = { progress: async () => undefined, checkpoint: async () => undefined };
  await createRefresh(api.deps, createIdentity(api.deps), createVisits(api.deps)).all(steps);
  const told = (id: string) => api.ok<Report>('GET', `/v1/reports/match-rate?segment=${id}`);
  for (const level of levels) {
    expect((await told(`any-${level}`)).all).toEqual({ identifiers: 108, people: 36, addressable: 36, rate: 1 });
    const sure = await told(`sure-${level}`);
    expect(sure.all).toEqual({ identifiers: 96, people: 36, addressable: 24, rate: 24 / 36 });
    expect(sure.kinds).toEqual([
      { kind: 'cookie', identifiers: 24, people: 24, addressable: 24, rate: 1 },
      { kind: 'customer', identifiers: 36, people: 36, addressable: 24, rate: 24 / 36 },
      { kind: 'loyalty', identifiers: 36, people: 36, addressable: 24, rate: 24 / 36 },
    ]);
    const body = { rule, confidence: 0.9, level, include: ['reach'] };
    const { reach } = await api.ok<{ reach: object }>('POST', '/v1/segments:estimate', body);
    // Told in tens.
    expect(reach).toMatchObject({ people: 40, addressable: 20 });
  }
}, 120_000);

test('an advertiser’s key sees the sources that it may use', async () => {
  await api.ok('POST', '/v1/sources', { id: 'other', name: 'Other', party: '2p', advertisers: [] });
  const { key } = await api.ok<{ key: string }>('POST', '/v1/api-keys', {
    name: 'k',
    advertiser: 'adv',
    scopes: ['reports:read'],
  });
  const report = await api.ok<Report>('GET', '/v1/reports/match-rate', undefined, { key });
  expect(report.sources.map(({ source }) => source)).toEqual(['app', 'shop', 'tiny']);
  expect((await api.call('GET', '/v1/reports/match-rate?source=other', undefined, { key })).statusCode).toBe(404);
});

test('an edge is taken back by whom it names', async () => {
  const body = { a: { kind: 'loyalty', value: 'c5' }, b: { kind: 'cookie', value: 'k5' }, namespace: 'shop' };
  expect(await api.ok('POST', '/v1/identity-withdrawals', body)).toEqual({ sources: ['app'] });
  expect(await api.ok('POST', '/v1/identity-withdrawals', body)).toEqual({ sources: [] });
  expect(await createIdentity(api.deps).fold()).toMatchObject({ split: 1 });
  const invalid = await api.call('POST', '/v1/identity-withdrawals', { ...body, a: { kind: 'phone', value: '112' } });
  expect(invalid.json()).toMatchObject({ errors: [{ pointer: '/a', code: 'no_identifier' }] });
});
