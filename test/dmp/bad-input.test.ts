import fc from 'fast-check';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { startApi, type TestApi } from '../support/api.ts';

let api: TestApi;
beforeAll(async () => {
  api = await startApi();
  await api.ok('POST', '/v1/advertisers', { id: 'adv_a', name: 'A', domains: ['a.example'] });
});
afterAll(() => api.stop());

const PATHS = [
  'advertisers',
  'stores',
  'store-groups',
  'geofences',
  'sources',
  'exchanges',
  'campaigns',
  'line-items',
  'creatives',
  'segments',
  'api-keys',
  'segments:estimate',
  'imports',
];
const RUNS = { numRuns: 150 };
const any = { 'if-match': '*' };

/** Bodies that are nearly right reach further than noise does. */
const MEMBERS = fc.constantFrom(
  'id',
  'advertiser',
  'name',
  'lat',
  'lon',
  'fence',
  'hours',
  'timeZone',
  'stores',
  'campaign',
  'targeting',
  'rule',
  'holdout',
  'start',
  'end',
  'budget',
  'bid',
  'caps',
  'creatives',
  'type',
  'rings',
  'radius',
  'html',
  'landing',
  'domains',
  'all',
  'segment',
  '__proto__',
  'constructor',
);
const VALUES = fc.oneof(
  fc.constantFrom(
    'adv_a',
    'circle',
    'polygon',
    'UTC',
    '2026-01-01T00:00:00Z',
    '',
    null,
    0,
    -1,
    1e308,
    [],
    {},
    true,
    '${STORE_NAME}',
    [[[0, 0]]],
  ),
  fc.jsonValue({ maxDepth: 3 }),
);
const BODIES = fc.oneof(fc.dictionary(MEMBERS, VALUES, { maxKeys: 12 }), fc.jsonValue({ maxDepth: 4 }));

const expectAnswer = (response: { statusCode: number; headers: object; body: string }) => {
  expect(response.statusCode, response.body).toBeLessThan(500);
  if (response.statusCode < 400) return;
  expect(response.headers).toMatchObject({ 'content-type': 'application/problem+json' });
  expect(JSON.parse(response.body)).toMatchObject({
    code: expect.any(String),
    requestId: expect.any(String),
    errors: expect.any(Array),
  });
};

test('any JSON on any noun gets a clear answer', async () => {
  const call = fc.tuple(fc.constantFrom(...PATHS), fc.constantFrom('POST', 'PUT', 'PATCH' as const), BODIES);
  await fc.assert(
    fc.asyncProperty(call, async ([path, method, body]) => {
      const url = method === 'POST' ? `/v1/${path}` : `/v1/${path}/adv_a`;
      const headers = { ...any, 'content-type': 'application/json' };
      expectAnswer(await api.call(method, url, JSON.stringify(body), { headers }));
    }),
    RUNS,
  );
});

test('any bytes on any noun get a clear answer', async () => {
  const type = fc.constantFrom('application/json', 'application/merge-patch+json', 'text/csv', 'nonsense');
  await fc.assert(
    fc.asyncProperty(fc.constantFrom(...PATHS), type, fc.uint8Array({ maxLength: 200 }), async (path, contentType, bytes) => {
      const headers = { ...any, 'content-type': contentType };
      expectAnswer(await api.call('POST', `/v1/${path}`, Buffer.from(bytes), { headers }));
    }),
    RUNS,
  );
});

test('any query and any id get a clear answer', async () => {
  const text = fc.string({ unit: 'binary', maxLength: 80 });
  await fc.assert(
    fc.asyncProperty(fc.constantFrom(...PATHS), text, text, async (path, id, cursor) => {
      const inUrl = encodeURIComponent;
      expectAnswer(await api.call('GET', `/v1/${path}/${inUrl(id)}`));
      expectAnswer(await api.call('GET', `/v1/${path}?cursor=${inUrl(cursor)}&limit=${inUrl(id)}`));
    }),
    RUNS,
  );
});
