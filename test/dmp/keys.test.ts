import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { ADMIN_KEY, startApi, type TestApi } from '../support/api.ts';

let api: TestApi;
let keyA: string;
let keyB: string;
let reader: string;

const circle = { type: 'circle', lat: 55.75, lon: 37.6, radius: 500 };
const store = { name: 'S', address: '', lat: 55.75, lon: 37.6, timeZone: 'UTC' };
const flight = { start: '2026-01-01T00:00:00Z', end: '2099-01-01T00:00:00Z' };
const SCOPES = ['stores', 'geofences', 'campaigns', 'advertisers', 'segments'].flatMap((noun) => [
  `${noun}:read`,
  `${noun}:write`,
]);

const issue = async (body: object): Promise<string> => (await api.ok<{ key: string }>('POST', '/v1/api-keys', body)).key;

beforeAll(async () => {
  api = await startApi();
  for (const id of ['adv_a', 'adv_b'])
    await api.ok('POST', '/v1/advertisers', { id, name: id, domains: [`${id.at(-1)}.example`] });
  keyA = await issue({ name: 'A', advertiser: 'adv_a', scopes: SCOPES });
  keyB = await issue({ name: 'B', advertiser: 'adv_b', scopes: SCOPES });
  reader = await issue({ name: 'R', scopes: ['stores:read'] });
});
afterAll(() => api.stop());

describe('a call', () => {
  test('without a key, or with one that is not known, is 401 before its body is read', async () => {
    const keys = [
      null,
      'nonsense',
      `wk_admin_${'b'.repeat(64)}`,
      `wk_key_none_${'0'.repeat(64)}`,
      `${keyA.slice(0, -1)}x`,
      ADMIN_KEY.slice(1),
    ];
    for (const key of keys) {
      const response = await api.call('POST', '/v1/stores', '{', { key, headers: { 'content-type': 'application/json' } });
      expect([response.statusCode, response.json().code]).toEqual([401, 'unauthorized']);
      expect(response.headers['www-authenticate']).toBe('Bearer');
    }
  });

  test('to an unknown address tells nothing without a key', async () => {
    expect((await api.call('GET', '/v1/nothing', undefined, { key: null })).statusCode).toBe(401);
  });

  test('beyond the scopes of its key is 403', async () => {
    expect((await api.call('GET', '/v1/stores', undefined, { key: reader })).statusCode).toBe(200);
    const write = await api.call('POST', '/v1/stores', { advertiser: 'adv_a', ...store }, { key: reader });
    expect([write.statusCode, write.json().code]).toEqual([403, 'forbidden']);
    for (const path of ['api-keys', 'exchanges', 'sources'])
      expect((await api.call('GET', `/v1/${path}`, undefined, { key: keyA })).statusCode).toBe(403);
  });

  test.each(['/livez', '/readyz', '/openapi.json', '/docs/', '/docs/errors'])('to %s needs no key', async (path) => {
    expect((await api.call('GET', path, undefined, { key: null })).statusCode).toBe(200);
  });
});

describe('a key', () => {
  test('is shown once, and only its hash is kept', async () => {
    const made = await api.ok<{ id: string; key: string }>('POST', '/v1/api-keys', { name: 'once', scopes: ['admin'] });
    expect(made.key).toMatch(new RegExp(`^wk_${made.id}_[0-9a-f]{64}$`));
    expect(made).not.toHaveProperty('hash');
    expect(await api.ok('GET', `/v1/api-keys/${made.id}`)).not.toHaveProperty('key');
    const rows = await api.deps.warehouse.query<{ body: string }>({ sql: "SELECT body FROM revisions WHERE kind = 'api-key'" });
    const secret = made.key.split('_').at(-1) as string;
    expect(rows.map((row) => row.body).join()).not.toContain(secret);
    expect((await api.call('GET', '/v1/sources', undefined, { key: made.key })).statusCode).toBe(200);
  });

  test('is never kept for an Idempotency-Key', async () => {
    const headers = { 'idempotency-key': 'secret' };
    await api.ok('POST', '/v1/api-keys', { name: 'x', scopes: ['admin'] }, { headers });
    expect(await api.deps.redis.keys('walkin:idempotency:*')).toEqual([]);
  });

  test('stays valid when it is renamed, and ends when it is deleted', async () => {
    const made = await api.ok<{ id: string; key: string }>('POST', '/v1/api-keys', { name: 'k', scopes: ['stores:read'] });
    const any = { headers: { 'if-match': '*' } };
    await api.ok('PATCH', `/v1/api-keys/${made.id}`, { name: 'renamed' }, any);
    expect((await api.call('GET', '/v1/stores', undefined, { key: made.key })).statusCode).toBe(200);
    await api.ok('DELETE', `/v1/api-keys/${made.id}`, undefined, any);
    expect((await api.call('GET', '/v1/stores', undefined, { key: made.key })).statusCode).toBe(401);
  });

  test('that is bound to an advertiser cannot be admin, nor have a scope that does not exist', async () => {
    const bound = await api.call('POST', '/v1/api-keys', { name: 'x', advertiser: 'adv_a', scopes: ['admin'] });
    expect(bound.json().errors[0]).toMatchObject({ pointer: '/scopes/0', code: 'scope_not_allowed' });
    const unknown = await api.call('POST', '/v1/api-keys', { name: 'x', scopes: ['stores:burn'] });
    expect(unknown.json().errors[0]).toMatchObject({ pointer: '/scopes/0', code: 'enum' });
  });
});

describe('nothing of one advertiser', () => {
  const KINDS = [
    ['advertisers', 'adv_b'],
    ['stores', 'st_b'],
    ['store-groups', 'sg_b'],
    ['geofences', 'gf_b'],
    ['campaigns', 'cmp_b'],
    ['creatives', 'cr_b'],
    ['line-items', 'li_b'],
  ] as const;

  beforeAll(async () => {
    for (const [letter, key] of [
      ['a', keyA],
      ['b', keyB],
    ] as const) {
      // The advertiser of a bound key need not be named.
      await api.ok('POST', '/v1/stores', { id: `st_${letter}`, ...store }, { key });
      await api.ok('POST', '/v1/store-groups', { id: `sg_${letter}`, name: 'G', stores: [`st_${letter}`] }, { key });
      await api.ok('POST', '/v1/geofences', { id: `gf_${letter}`, name: 'F', fence: circle }, { key });
      await api.ok('POST', '/v1/campaigns', { id: `cmp_${letter}`, name: 'C', ...flight }, { key });
      const creative = { id: `cr_${letter}`, name: 'C', w: 300, h: 250, html: '<b>x</b>', landing: `https://${letter}.example/` };
      await api.ok('POST', '/v1/creatives', creative, { key });
      const lineItem = {
        id: `li_${letter}`,
        campaign: `cmp_${letter}`,
        name: 'L',
        bid: { maxCpmMicros: 1 },
        creatives: [`cr_${letter}`],
      };
      await api.ok('POST', '/v1/line-items', lineItem, { key });
    }
  });

  test.each(KINDS)('is seen or touched by another: %s', async (path, id) => {
    const own = await api.ok<{ data: { id: string }[] }>('GET', `/v1/${path}`, undefined, { key: keyA });
    expect(own.data).toHaveLength(1);
    expect(own.data[0]?.id).not.toBe(id);
    const read = await api.ok('GET', `/v1/${path}/${id}`, undefined, { key: keyB });
    const headers = { 'if-match': '*' };
    const asA = (method: 'GET' | 'PATCH' | 'DELETE' | 'PUT', body?: object) =>
      api.call(method, `/v1/${path}/${id}`, body, { key: keyA, headers });
    expect((await asA('GET')).statusCode).toBe(404);
    expect((await asA('PATCH', { name: 'stolen' })).statusCode).toBe(404);
    expect((await asA('PUT', read)).statusCode).toBe(404);
    expect((await asA('DELETE')).statusCode).toBe(404);
    expect(await api.ok('GET', `/v1/${path}/${id}`)).toEqual(read);
  });

  test('is made by another, who is told that there is no such advertiser', async () => {
    const response = await api.call('POST', '/v1/stores', { ...store, advertiser: 'adv_b' }, { key: keyA });
    expect([response.statusCode, response.json().errors]).toEqual([
      422,
      [{ pointer: '/advertiser', code: 'unknown_advertiser', message: expect.any(String) }],
    ]);
  });

  test('is referred to by another, who is told that there is no such thing', async () => {
    const faults = async (path: string, body: object) =>
      (await api.call('POST', `/v1/${path}`, body, { key: keyA })).json().errors.map((fault: { code: string }) => fault.code);
    expect(await faults('store-groups', { name: 'G', stores: ['st_b'] })).toEqual(['unknown_store']);
    const lineItem = { name: 'L', bid: { maxCpmMicros: 1 }, creatives: ['cr_a'] };
    expect(await faults('line-items', { ...lineItem, campaign: 'cmp_b' })).toEqual(['unknown_campaign']);
    const targeting = { stores: ['st_b'], storeGroups: ['sg_b'], geofences: ['gf_b'], promotedStores: ['st_b'] };
    expect(await faults('line-items', { ...lineItem, campaign: 'cmp_a', creatives: ['cr_b'], targeting })).toEqual([
      'unknown_store',
      'unknown_store',
      'unknown_store_group',
      'unknown_geofence',
      'unknown_creative',
    ]);
  });

  test('lets a bound key make another advertiser, though it may change its own', async () => {
    const body = { name: 'New', domains: ['new.example'] };
    const made = await api.call('POST', '/v1/advertisers', body, { key: keyA });
    expect([made.statusCode, made.json().code]).toEqual([403, 'forbidden']);
    const own = await api.call('PATCH', '/v1/advertisers/adv_a', { name: 'Mine' }, { key: keyA, headers: { 'if-match': '*' } });
    expect(own.statusCode).toBe(200);
  });
});
