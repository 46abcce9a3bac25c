import { afterAll, beforeAll, expect, test } from 'vitest';
import { startApi, type TestApi } from '../support/api.ts';

let api: TestApi;
let key: string;
interface Entry {
  at: string;
  actor: string;
  action: string;
  kind: string;
  id: string;
  revision: number | null;
  changed: string[];
  before: Record<string, unknown> | null;
  after: Record<string, unknown> | null;
}
interface Page {
  data: Entry[];
  page: { next: string | null; hasMore: boolean };
}

const any = { headers: { 'if-match': '*' } };
const log = (query = '', options = {}) => api.ok<Page>('GET', `/v1/audit-log${query}`, undefined, options);

beforeAll(async () => {
  api = await startApi();
  for (const id of ['adv_a', 'adv_b'])
    await api.ok('POST', '/v1/advertisers', { id, name: id, domains: [`${id.at(-1)}.example`] });
  const made = await api.ok<{ key: string }>('POST', '/v1/api-keys', {
    id: 'key_a',
    name: 'A',
    advertiser: 'adv_a',
    role: 'marketer',
    scopes: ['audit:read', 'jobs:write'],
  });
  key = made.key;
});
afterAll(() => api.stop());

test('a change tells who made it, what was before and what is after', async () => {
  await api.ok('PATCH', '/v1/advertisers/adv_a', { name: 'Alpha' }, any);
  const [change, create] = (await log('?kind=advertiser&id=adv_a')).data;
  expect(change).toMatchObject({ actor: 'admin', action: 'change', revision: 2, changed: ['name'] });
  expect([change?.before?.['name'], change?.after?.['name']]).toEqual(['adv_a', 'Alpha']);
  expect(create).toMatchObject({ action: 'create', revision: 1, before: null, after: { name: 'adv_a' } });
});

test('a deletion tells what was taken away', async () => {
  await api.ok('POST', '/v1/sources', { id: 'gone', name: 'Gone', party: '1p' });
  await api.ok('DELETE', '/v1/sources/gone', undefined, any);
  expect((await log('?id=gone')).data[0]).toMatchObject({ action: 'delete', after: null, before: { name: 'Gone' } });
});

test('secrets are masked', async () => {
  await api.ok('PUT', '/v1/exchanges/ex', { name: 'Ex', token: 'a-token-of-sixteen-letters' });
  const text = JSON.stringify((await log()).data);
  expect(text).not.toContain('a-token-of-sixteen-letters');
  for (const { after } of (await log('?kind=api-key')).data) expect(after?.['hash']).toBe('***');
  expect((await log('?id=ex')).data[0]?.after?.['tokenHash']).toBe('***');
});

test('what is no thing is recorded too, and what changes nothing is not', async () => {
  await api.ok('POST', '/v1/refresh', undefined, { key });
  await api.ok('POST', '/v1/segments:estimate', { rule: { purchases: {} } }, { key });
  await api.ok('POST', '/v1/imports', { type: 'identify', format: 'ndjson' });
  await expect.poll(async () => (await log('?actor=key_a')).data.map(({ action }) => action)).toEqual(['refresh']);
  await expect
    .poll(async () => (await log('?kind=imports')).data)
    .toMatchObject([{ action: 'createImport', id: expect.stringMatching(/^imp_/), revision: null, before: null, after: null }]);
});

test('a bound key sees its advertiser’s changes and its own acts, also of what is gone', async () => {
  const flight = { start: '2026-01-01T00:00:00Z', end: '2099-01-01T00:00:00Z' };
  for (const id of ['a', 'b'])
    await api.ok('PUT', `/v1/campaigns/cmp_${id}`, {
      advertiser: `adv_${id}`,
      name: id,
      status: 'paused',
      ...flight,
      budgetMicros: null,
      holdout: null,
    });
  await api.ok('DELETE', '/v1/campaigns/cmp_a', undefined, any);
  const { data } = await log('', { key });
  expect([...new Set(data.map((entry) => `${entry.kind} ${entry.id}`.replace(/job_.*/, 'job')))].sort()).toEqual([
    'advertiser adv_a',
    'api-key key_a',
    'campaign cmp_a',
    'refresh job',
  ]);
  const { key: other } = await api.ok<{ key: string }>('POST', '/v1/api-keys', { name: 'x', role: 'analyst' });
  expect((await api.call('GET', '/v1/audit-log', undefined, { key: other })).statusCode).toBe(403);
});

test('pages follow each other without a gap', async () => {
  const all = (await log('?limit=1000')).data;
  const seen: Entry[] = [];
  for (let cursor = ''; ; ) {
    const { data, page } = await log(`?limit=3${cursor}`);
    seen.push(...data);
    if (page.next === null) break;
    cursor = `&cursor=${page.next}`;
  }
  expect(seen).toEqual(all);
  expect((await api.call('GET', '/v1/audit-log?cursor=x')).statusCode).toBe(400);
});
