import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { startApi, type TestApi } from '../support/api.ts';

let api: TestApi;
beforeAll(async () => {
  api = await startApi();
});
afterAll(() => api.stop());

const advertiser = { name: 'Shop', domains: ['shop.example'] };
const json = { 'content-type': 'application/json' };
const codes = (response: { json(): { errors: { pointer: string; code: string }[] } }) =>
  response.json().errors.map(({ pointer, code }) => `${pointer} ${code}`);

describe('a thing', () => {
  test('is created with an id, an address, a tag and its defaults', async () => {
    const response = await api.call('POST', '/v1/advertisers', advertiser);
    expect(response.statusCode).toBe(201);
    const body = response.json();
    expect(body).toMatchObject({ ...advertiser, currency: 'USD', revision: 1 });
    expect(body.id).toMatch(/^adv_[0-9a-f]{18}$/);
    expect(Date.parse(body.createdAt)).toBeGreaterThan(0);
    expect(response.headers).toMatchObject({ location: `/v1/advertisers/${body.id}`, etag: '"1"' });
    expect(response.headers['x-request-id']).toMatch(/^req_/);
    expect(await api.ok('GET', `/v1/advertisers/${body.id}`)).toEqual(body);
  });

  test('keeps the id that its maker gave it, once', async () => {
    await api.ok('POST', '/v1/advertisers', { id: 'adv_own', ...advertiser });
    const again = await api.call('POST', '/v1/advertisers', { id: 'adv_own', ...advertiser });
    expect([again.statusCode, again.json().code]).toEqual([409, 'exists']);
  });

  test('is changed only by one who has read it', async () => {
    await api.ok('POST', '/v1/advertisers', { id: 'adv_tag', ...advertiser });
    const patch = (ifMatch?: string) =>
      api.call(
        'PATCH',
        '/v1/advertisers/adv_tag',
        { name: 'New' },
        { headers: ifMatch === undefined ? {} : { 'if-match': ifMatch } },
      );
    const without = await patch();
    expect([without.statusCode, without.json().code]).toEqual([428, 'precondition_required']);
    expect((await patch('"1"')).json()).toMatchObject({ name: 'New', revision: 2 });
    const stale = await patch('"1"');
    expect([stale.statusCode, stale.json().code, stale.headers.etag]).toEqual([412, 'precondition_failed', '"2"']);
    expect((await patch('W/"2"')).statusCode).toBe(412);
    expect((await patch('*')).json()).toMatchObject({ revision: 3 });
  });

  test('is created or replaced by PUT, and may be sent back as it was read', async () => {
    const put = (body: object, headers: Record<string, string> = {}) =>
      api.call('PUT', '/v1/advertisers/adv_put', body, { headers });
    expect((await put(advertiser, { 'if-match': '"1"' })).statusCode).toBe(412);
    const created = await put(advertiser);
    expect([created.statusCode, created.headers.etag]).toEqual([201, '"1"']);
    expect((await put(advertiser)).statusCode).toBe(428);
    const replaced = await put({ ...created.json(), name: 'Other' }, { 'if-match': '"1"' });
    expect(replaced.json()).toMatchObject({ name: 'Other', revision: 2, createdAt: created.json().createdAt });
    expect(codes(await put({ ...advertiser, id: 'adv_else' }, { 'if-match': '"2"' }))).toEqual(['/id read_only']);
  });

  test('that many replace at once has one winner', async () => {
    await api.ok('POST', '/v1/advertisers', { id: 'adv_race', ...advertiser });
    const writes = Array.from({ length: 10 }, (_, n) =>
      api.call('PATCH', '/v1/advertisers/adv_race', { name: `n${n}` }, { headers: { 'if-match': '"1"' } }),
    );
    const statuses = (await Promise.all(writes)).map((response) => response.statusCode);
    expect(statuses.filter((status) => status === 200)).toHaveLength(1);
    expect(statuses.filter((status) => status === 412)).toHaveLength(9);
  });

  test('that many change whatever it is keeps all their changes', async () => {
    await api.ok('POST', '/v1/exchanges', { id: 'any', name: 'Any', billing: 'burl' });
    const changes = [{ name: 'New' }, { defaultTmax: 300 }, { seat: 'seat1' }];
    const any = { headers: { 'if-match': '*' } };
    const responses = await Promise.all(changes.map((change) => api.call('PATCH', '/v1/exchanges/any', change, any)));
    expect(responses.map((response) => response.statusCode)).toEqual([200, 200, 200]);
    expect(await api.ok('GET', '/v1/exchanges/any')).toMatchObject({ name: 'New', defaultTmax: 300, seat: 'seat1', revision: 4 });
  });

  test('is patched by RFC 7396: null deletes, which brings the default back; lists are replaced', async () => {
    await api.ok('POST', '/v1/exchanges', { id: 'merge', name: 'M', billing: 'nurl', seat: 's', defaultTmax: 250 });
    const response = await api.call('PATCH', '/v1/exchanges/merge', '{"seat":null,"defaultTmax":null}', {
      headers: { 'if-match': '"1"', 'content-type': 'application/merge-patch+json' },
    });
    expect(response.json()).toMatchObject({ seat: null, defaultTmax: 100, billing: 'nurl' });
  });

  test('is deleted, and then is not there', async () => {
    await api.ok('POST', '/v1/advertisers', { id: 'adv_gone', ...advertiser });
    const remove = (headers: Record<string, string>) => api.call('DELETE', '/v1/advertisers/adv_gone', undefined, { headers });
    expect((await remove({})).statusCode).toBe(428);
    expect((await remove({ 'if-match': '"9"' })).statusCode).toBe(412);
    expect((await remove({ 'if-match': '"1"' })).statusCode).toBe(204);
    expect((await remove({ 'if-match': '"1"' })).statusCode).toBe(404);
    expect((await api.call('GET', '/v1/advertisers/adv_gone')).json().code).toBe('not_found');
    expect((await api.call('POST', '/v1/advertisers', { id: 'adv_gone', ...advertiser })).headers.etag).toBe('"3"');
  });

  test('that others refer to is not deleted, and they are named', async () => {
    await api.ok('POST', '/v1/advertisers', { id: 'adv_used', ...advertiser });
    await api.ok('POST', '/v1/geofences', {
      id: 'gf_user',
      advertiser: 'adv_used',
      name: 'Park',
      fence: { type: 'circle', lat: 55.75, lon: 37.61, radius: 200 },
    });
    const response = await api.call('DELETE', '/v1/advertisers/adv_used', undefined, { headers: { 'if-match': '*' } });
    expect([response.statusCode, response.json().code]).toEqual([409, 'in_use']);
    expect(response.json().errors[0].message).toContain('geofence gf_user');
  });

  test('that is fresh at the reader is not sent again', async () => {
    await api.ok('POST', '/v1/advertisers', { id: 'adv_fresh', ...advertiser });
    const response = await api.call('GET', '/v1/advertisers/adv_fresh', undefined, { headers: { 'if-none-match': '"1"' } });
    expect([response.statusCode, response.body]).toEqual([304, '']);
  });
});

test('validateOnly checks everything and changes nothing', async () => {
  const good = await api.call('POST', '/v1/advertisers?validateOnly=true', { id: 'adv_dry', ...advertiser });
  expect([good.statusCode, good.json().currency]).toEqual([200, 'USD']);
  expect((await api.call('GET', '/v1/advertisers/adv_dry')).statusCode).toBe(404);
  const bad = await api.call('POST', '/v1/advertisers?validateOnly=true', { name: '', domains: ['a b'] });
  expect(bad.statusCode).toBe(422);
  await api.ok('POST', '/v1/advertisers', { id: 'adv_dry', ...advertiser });
  const any = { headers: { 'if-match': '*' } };
  await api.ok('PATCH', '/v1/advertisers/adv_dry?validateOnly=true', { name: 'x' }, any);
  await api.ok('PUT', '/v1/advertisers/adv_dry?validateOnly=true', { ...advertiser, name: 'x' }, any);
  await api.ok('DELETE', '/v1/advertisers/adv_dry?validateOnly=true', undefined, any);
  expect(await api.ok('GET', '/v1/advertisers/adv_dry')).toMatchObject({ name: 'Shop', revision: 1 });
});

test('a list comes in pages that changes in between do not disturb', async () => {
  for (let n = 0; n < 7; n++) await api.ok('POST', '/v1/sources', { id: `src_${n}`, name: `Source ${n}`, party: '1p' });
  type Page = { data: { id: string }[]; page: { next: string | null; hasMore: boolean } };
  const first = await api.ok<Page>('GET', '/v1/sources?limit=3');
  expect(first.page.hasMore).toBe(true);
  await api.ok('DELETE', '/v1/sources/src_2', undefined, { headers: { 'if-match': '*' } });
  await api.ok('POST', '/v1/sources', { id: 'src_late', name: 'Late', party: '2p' });
  const second = await api.ok<Page>('GET', `/v1/sources?limit=3&cursor=${first.page.next}`);
  const third = await api.ok<Page>('GET', `/v1/sources?limit=3&cursor=${second.page.next}`);
  const ids = [first, second, third].flatMap(({ data }) => data.map(({ id }) => id));
  expect(ids).toEqual(['src_0', 'src_1', 'src_2', 'src_3', 'src_4', 'src_5', 'src_6', 'src_late']);
  expect(third.page).toEqual({ next: null, hasMore: false });
});

test('a query that is wrong is refused by its member', async () => {
  const bad = await api.call('GET', '/v1/sources?limit=0&cursor=x&nonsense=1');
  expect(bad.statusCode).toBe(400);
  expect(codes(bad).sort()).toEqual(['?limit minimum', '?nonsense unknown_property']);
  const cursor = await api.call('GET', '/v1/sources?cursor=nonsense');
  expect([cursor.statusCode, cursor.json().code]).toEqual([400, 'bad_cursor']);
});

describe('an Idempotency-Key', () => {
  const post = (key: string, body: object, url = '/v1/advertisers') =>
    api.call('POST', url, body, { headers: { 'idempotency-key': key } });

  test('makes a repeated call get the first answer', async () => {
    const first = await post('k1', advertiser);
    const again = await post('k1', advertiser);
    expect([again.statusCode, again.body]).toEqual([201, first.body]);
    expect(again.headers).toMatchObject({ etag: '"1"', location: first.headers.location, 'idempotency-replayed': 'true' });
    const count = api.deps.things.list('advertiser').filter((thing) => thing.id === first.json().id).length;
    expect(count).toBe(1);
  });

  test('belongs to one body and one route', async () => {
    await post('k2', advertiser);
    const other = await post('k2', { ...advertiser, name: 'Other' });
    expect([other.statusCode, other.json().code]).toEqual([422, 'idempotency_mismatch']);
    expect((await post('k2', { name: 'S', party: '1p' }, '/v1/sources')).statusCode).toBe(201);
  });

  test('lets one of many calls at once run', async () => {
    const responses = await Promise.all(Array.from({ length: 5 }, () => post('k3', advertiser)));
    const made = responses.filter((response) => response.statusCode === 201);
    const ids = new Set(made.map((response) => response.json().id));
    expect(ids.size).toBe(1);
    for (const response of responses.filter((each) => each.statusCode !== 201))
      expect([response.statusCode, response.json().code]).toEqual([409, 'idempotency_running']);
  });

  test('is free again after a call that failed', async () => {
    expect((await post('k4', { name: 'x', domains: ['not a domain'] })).statusCode).toBe(422);
    expect((await post('k4', advertiser)).statusCode).toBe(201);
  });

  test('finds what a call made that was cut off before its answer was kept', async () => {
    const first = await post('k5', advertiser);
    for (const key of await api.deps.redis.keys('walkin:idempotency:*')) await api.deps.redis.del(key);
    const again = await post('k5', advertiser);
    expect([again.statusCode, again.json()]).toEqual([201, first.json()]);
  });

  test('that cannot be a key is refused', async () => {
    expect((await post('k 6', advertiser)).json().code).toBe('bad_header');
  });
});

describe('a bad call', () => {
  test('gets every fault of its body at once', async () => {
    const response = await api.call('POST', '/v1/exchanges', {
      defaultTmax: 'x',
      billing: 'free',
      extra: 1,
      networkAllowance: -1,
    });
    expect(response.statusCode).toBe(422);
    expect(response.headers['content-type']).toContain('application/problem+json');
    expect(codes(response).sort()).toEqual([
      '/billing enum',
      '/defaultTmax type',
      '/extra unknown_property',
      '/id required',
      '/name required',
      '/networkAllowance minimum',
    ]);
    expect(response.json()).toMatchObject({
      type: '/docs/errors#validation',
      status: 422,
      code: 'validation',
      instance: '/v1/exchanges',
      requestId: response.headers['x-request-id'],
    });
  });

  test.each([
    ['a body that is no JSON', 'POST', '/v1/advertisers', '{"name":', json, 400, 'malformed'],
    ['a body with a poisoned prototype', 'POST', '/v1/advertisers', '{"__proto__":{"a":1}}', json, 400, 'malformed'],
    ['an empty body', 'POST', '/v1/advertisers', '', json, 400, 'empty_body'],
    ['no body at all', 'POST', '/v1/advertisers', undefined, {}, 422, 'validation'],
    ['a body that is a list', 'POST', '/v1/advertisers', '[]', json, 422, 'validation'],
    ['a body that is null', 'PATCH', '/v1/sources/src_0', 'null', { ...json, 'if-match': '*' }, 422, 'validation'],
    [
      'another content type',
      'POST',
      '/v1/advertisers',
      'name=x',
      { 'content-type': 'text/plain' },
      415,
      'unsupported_media_type',
    ],
    ['a body over the limit', 'POST', '/v1/advertisers', `"${'x'.repeat(1_100_000)}"`, json, 413, 'body_too_large'],
    ['an unknown address', 'GET', '/v1/nothing', undefined, {}, 404, 'not_found'],
    ['an unknown thing', 'GET', '/v1/sources/none', undefined, {}, 404, 'not_found'],
    ['an id that no thing can have', 'PUT', '/v1/sources/a%20b', '{"name":"x","party":"1p"}', json, 400, 'validation'],
    ['an address that cannot be decoded', 'GET', '/v1/sources/%zz', undefined, {}, 400, 'malformed'],
  ] as const)('with %s', async (_, method, url, body, headers, status, code) => {
    const response = await api.call(method, url, body, { headers });
    expect([response.statusCode, response.json().code]).toEqual([status, code]);
    expect(response.headers['content-type']).toContain('application/problem+json');
    expect(response.json().requestId).toMatch(/^req_/);
  });

  test('with a method that the address does not take says which ones it takes', async () => {
    const response = await api.call('DELETE', '/v1/advertisers');
    expect([response.statusCode, response.json().code, response.headers.allow]).toEqual([
      405,
      'method_not_allowed',
      'GET, HEAD, POST',
    ]);
  });

  test('never shows what went wrong inside', async () => {
    const { warehouse } = api.deps;
    const insert = warehouse.insert;
    Object.assign(warehouse, { insert: () => Promise.reject(new Error('secret detail')) });
    const response = await api.call('POST', '/v1/advertisers', advertiser);
    Object.assign(warehouse, { insert });
    expect([response.statusCode, response.json().code]).toEqual([500, 'internal']);
    expect(response.body).not.toContain('secret detail');
  });
});
