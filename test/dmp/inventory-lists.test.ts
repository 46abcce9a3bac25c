import { gzipSync } from 'node:zlib';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { startApi, type TestApi } from '../support/api.ts';

let api: TestApi;
let keyOfB: string;
const any = { 'if-match': '*' };

beforeAll(async () => {
  api = await startApi();
  for (const id of ['adv_a', 'adv_b'])
    await api.ok('POST', '/v1/advertisers', { id, name: id, domains: [`${id.slice(4)}.example`] });
  const key = { name: 'B', advertiser: 'adv_b', scopes: ['campaigns:read', 'campaigns:write'] };
  keyOfB = (await api.ok<{ key: string }>('POST', '/v1/api-keys', key)).key;
  await api.ok('POST', '/v1/inventory-lists', { id: 'il_1', advertiser: 'adv_a', name: 'News', kind: 'domain' });
});
afterAll(() => api.stop());

const put = (id: string, text: string | Buffer, headers: Record<string, string> = {}, key?: string) =>
  api.call('PUT', `/v1/inventory-lists/${id}/entries`, text, {
    headers: { 'content-type': 'text/plain', ...any, ...headers },
    ...(key === undefined ? {} : { key }),
  });
const entriesOf = async (id: string) => (await api.call('GET', `/v1/inventory-lists/${id}/entries`)).body;

test('entries come with the list, and are shown by their number', async () => {
  const body = { advertiser: 'adv_a', name: 'Apps', kind: 'bundle', entries: ['com.A.one', 'com.a.one', '389801252'] };
  const made = await api.ok('POST', '/v1/inventory-lists', { id: 'il_apps', ...body });
  expect(made).toMatchObject({ kind: 'bundle', size: 2 });
  expect(made).not.toHaveProperty('entries');
  expect(made).not.toHaveProperty('lines');
  expect(await entriesOf('il_apps')).toBe('com.a.one\n389801252\n');
  // What is read can be sent back, and keeps its entries.
  const read = await api.ok('GET', '/v1/inventory-lists/il_apps');
  await api.ok('PUT', '/v1/inventory-lists/il_apps', read, { headers: any });
  await api.ok('PATCH', '/v1/inventory-lists/il_apps', { name: 'Games' }, { headers: any });
  expect(await api.ok('GET', '/v1/inventory-lists/il_apps')).toMatchObject({ name: 'Games', size: 2 });
  await api.ok('PATCH', '/v1/inventory-lists/il_apps', { entries: [] }, { headers: any });
  expect(await entriesOf('il_apps')).toBe('');
});

test('a text of one entry a line takes the place of what was there', async () => {
  const text = '# our list\r\nNews.example\r\n\r\n*.weather.example\nnews.example\n';
  const response = await put('il_1', text);
  expect(response.json()).toMatchObject({ id: 'il_1', size: 2, repeated: 1 });
  expect(response.headers['etag']).toBe(`"${response.json().revision}"`);
  expect(await entriesOf('il_1')).toBe('news.example\nweather.example\n');
  expect((await put('il_1', gzipSync('a.example'), { 'content-encoding': 'gzip' })).json()).toMatchObject({ size: 1 });
  expect((await put('il_1', '')).json()).toMatchObject({ size: 0 });
});

test('a hundred thousand entries fit, and not one more', async () => {
  const text = Array.from({ length: 100_000 }, (_, at) => `site-${at}.example`).join('\n');
  expect((await put('il_1', text)).json()).toMatchObject({ size: 100_000, repeated: 0 });
  const more = await put('il_1', `${text}\none.example\n`);
  expect(more.statusCode).toBe(422);
  expect(more.json().errors).toMatchObject([{ line: 100_001, code: 'too_long' }]);
  expect(await api.ok('GET', '/v1/inventory-lists/il_1')).toMatchObject({ size: 100_000 });
});

describe('a text is refused', () => {
  test('whole, with the lines that are wrong', async () => {
    const before = await entriesOf('il_1');
    const response = await put('il_1', `good.example\nhttps://bad.example/\n\nno domain\n${'x'.repeat(3_000)}`);
    expect([response.statusCode, response.json().code]).toEqual([422, 'validation']);
    expect(response.json().errors.map(({ line, code }: { line: number; code: string }) => `${line} ${code}`)).toEqual([
      '2 bad_domain',
      '4 bad_domain',
      '5 line_too_large',
    ]);
    expect(await entriesOf('il_1')).toBe(before);
  });

  test('with a hundred faults at most', async () => {
    expect((await put('il_1', 'a b\n'.repeat(1_000))).json().errors).toHaveLength(100);
  });

  test('that is not UTF-8, not gzip, or of no known encoding', async () => {
    const codes = [
      await put('il_1', Buffer.from([0x61, 0xff, 0x0a])),
      await put('il_1', 'a.example', { 'content-encoding': 'gzip' }),
      await put('il_1', 'a.example', { 'content-encoding': 'br' }),
    ].map((response) => `${response.statusCode} ${response.json().code}`);
    expect(codes).toEqual(['400 bad_encoding', '400 bad_encoding', '415 unsupported_media_type']);
  });

  test('that is too large, without being read to its end', async () => {
    const bomb = gzipSync(Buffer.alloc(40 * 1024 * 1024, 10));
    expect((await put('il_1', bomb, { 'content-encoding': 'gzip' })).json().code).toBe('body_too_large');
  });

  test('for a revision that it is not made for, and only checked where that is asked', async () => {
    const headers = { 'content-type': 'text/plain' };
    const path = '/v1/inventory-lists/il_1/entries';
    expect((await api.call('PUT', path, 'a.example', { headers })).statusCode).toBe(428);
    expect((await api.call('PUT', path, 'a.example', { headers: { ...headers, 'if-match': '"1"' } })).statusCode).toBe(412);
    const before = await entriesOf('il_1');
    expect(
      (await api.call('PUT', `${path}?validateOnly=true`, 'a.example', { headers: { ...headers, ...any } })).statusCode,
    ).toBe(200);
    expect(await entriesOf('il_1')).toBe(before);
  });
});

test('faults of entries in JSON name their place', async () => {
  const body = { name: 'Sites', kind: 'site', entries: ['4711', 'a b', 'x,y'] };
  const response = await api.call('POST', '/v1/inventory-lists', body);
  expect(response.json().errors.map(({ pointer, code }: { pointer: string; code: string }) => `${pointer} ${code}`)).toEqual([
    '/entries/1 bad_entry',
    '/entries/2 bad_entry',
  ]);
});

test('another advertiser neither sees nor changes a list, and uses but does not change one of nobody’s', async () => {
  await api.ok('POST', '/v1/inventory-lists', { id: 'il_open', name: 'Scams', kind: 'domain', entries: ['scam.example'] });
  const status = async (method: 'GET' | 'DELETE', id: string, tail = '') =>
    (await api.call(method, `/v1/inventory-lists/${id}${tail}`, undefined, { key: keyOfB, headers: any })).statusCode;
  expect(await status('GET', 'il_1')).toBe(404);
  expect(await status('GET', 'il_1', '/entries')).toBe(404);
  expect((await put('il_1', 'a.example', {}, keyOfB)).statusCode).toBe(404);
  expect(await status('GET', 'il_open', '/entries')).toBe(200);
  expect((await put('il_open', 'a.example', {}, keyOfB)).statusCode).toBe(403);
  expect(await status('DELETE', 'il_open')).toBe(403);
});

test('a list that a line item names cannot be deleted', async () => {
  const flight = { start: '2026-01-01T00:00:00Z', end: '2099-01-01T00:00:00Z' };
  await api.ok('POST', '/v1/campaigns', { id: 'cmp_a', advertiser: 'adv_a', name: 'Spring', ...flight });
  const creative = { advertiser: 'adv_a', name: 'Banner', w: 300, h: 250, html: '<b>x</b>', landing: 'https://a.example/' };
  await api.ok('POST', '/v1/creatives', { id: 'cr_a', ...creative });
  const body = { campaign: 'cmp_a', name: 'Near', bid: { maxCpmMicros: 1 }, creatives: ['cr_a'] };
  await api.ok('POST', '/v1/line-items', { id: 'li_a', ...body, targeting: { lists: { exclude: ['il_1'] } } });
  const refused = await api.call('DELETE', '/v1/inventory-lists/il_1', undefined, { headers: any });
  expect([refused.statusCode, refused.json().code]).toEqual([409, 'in_use']);
  await api.ok('PATCH', '/v1/line-items/li_a', { targeting: { lists: null } }, { headers: any });
  await api.ok('DELETE', '/v1/inventory-lists/il_1', undefined, { headers: any });
});
