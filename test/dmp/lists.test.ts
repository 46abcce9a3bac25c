import { gzipSync } from 'node:zlib';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { erase } from '../../dmp/erasures/erase.ts';
import { scopeOf } from '../../dmp/segments/advertiser-scope.ts';
import { compileScan } from '../../dmp/segments/scan.ts';
import { hashVariant } from '../../proto/identifier.ts';
import { createIdentity } from '../../segmenter/identity.ts';
import { startApi, type TestApi } from '../support/api.ts';

let api: TestApi;
let keyOfB: string;
const any = { 'if-match': '*' };
const at = '2026-01-02T00:00:00Z';

beforeAll(async () => {
  api = await startApi();
  for (const id of ['adv_a', 'adv_b'])
    await api.ok('POST', '/v1/advertisers', { id, name: id, domains: [`${id.slice(4)}.example`] });
  const key = { name: 'B', advertiser: 'adv_b', scopes: ['segments:read', 'segments:write'] };
  keyOfB = (await api.ok<{ key: string }>('POST', '/v1/api-keys', key)).key;
  const source = { advertiser: 'adv_a', party: '1p', owner: { name: 'Shop' } };
  await api.ok('POST', '/v1/sources', { ...source, id: 'crm', name: 'CRM' });
  await api.ok('POST', '/v1/sources', { ...source, id: 'phones', name: 'Phones', identifierKinds: ['phone'] });
  const identify = (value: string) => ({ type: 'identify', at, identifiers: [{ kind: 'email', value }] });
  const hashed = hashVariant('google', 'email', 'dora@example.org')?.hex as string;
  await api.ok('POST', '/v1/events?source=crm', [
    ...['ann@example.org', 'bob@example.org', 'cid@example.org'].map(identify),
    {
      type: 'identify',
      at,
      identifiers: [
        { kind: 'email_google', value: hashed },
        { kind: 'customer', value: '7' },
      ],
    },
  ]);
  await createIdentity(api.deps).fold();
  await api.ok('POST', '/v1/lists', { id: 'lst_1', advertiser: 'adv_a', name: 'Letter', kind: 'email', source: 'crm' });
});
afterAll(() => api.stop());

const send = (method: 'PUT' | 'POST', address: string, text: string | Buffer, options: { key?: string; headers?: object } = {}) =>
  api.call(method, `/v1/lists/${address}`, text, {
    ...(options.key === undefined ? {} : { key: options.key }),
    headers: { 'content-type': 'text/plain', ...options.headers },
  });

async function membersOf(list: string): Promise<number> {
  // People as the facts have them, without a fold of all that they did.
  await api.deps.warehouse.command({ sql: 'TRUNCATE TABLE facts' });
  await api.deps.warehouse.command({
    sql: "INSERT INTO facts (shard, profile, household, kind, id) SETTINGS insert_deduplicate = 0 SELECT DISTINCT household % 64, profile, household, 'person', profile FROM identities FINAL",
  });
  const scan = compileScan([{ list }], scopeOf(api.deps.things, 'adv_a', Date.now()));
  const sql = `SELECT count() AS n FROM (${scan.units('')}) WHERE ${scan.holds[0]}`;
  const [row] = await api.deps.warehouse.query<{ n: string }>({ sql, params: scan.bound.values });
  return Number(row?.n);
}

test('a text of e-mails names people, by the keys of events and by their hashes; what names nobody is told without its value', async () => {
  const text = 'email\r\nAnn@Example.org \n\nbob@example.org\nann@example.org\nnobody@example.org\ndora@example.org\n';
  const response = await send('PUT', 'lst_1/entries', text);
  expect(response.json()).toEqual({
    ...{ id: 'lst_1', accepted: 4, repeated: 1, withheld: 0, refused: 1, size: 4, matched: 3 },
    faults: [{ pointer: '', line: 1, code: 'no_identifier', message: 'is no email that names somebody' }],
  });
  expect(await api.ok('GET', '/v1/lists/lst_1')).toMatchObject({ size: 4, kind: 'email' });
  expect(await membersOf('lst_1')).toBe(3);
  const [row] = await api.deps.warehouse.query<{ text: string }>({
    sql: 'SELECT toString(groupArray(tuple(*))) AS text FROM list_entries',
  });
  expect(row?.text).not.toContain('example.org');
});

test('people are added, taken out, and replaced; what is taken out is gone from the table', async () => {
  expect(
    (await send('POST', 'lst_1/entries', gzipSync('cid@example.org'), { headers: { 'content-encoding': 'gzip' } })).json(),
  ).toMatchObject({ accepted: 1, size: 5, matched: 4 });
  expect((await send('POST', 'lst_1/entries/remove', 'ann@example.org\ncid@example.org\n')).json()).toMatchObject({
    accepted: 2,
    size: 3,
    matched: 2,
  });
  expect(await membersOf('lst_1')).toBe(2);
  expect((await send('POST', 'lst_1/entries', 'ann@example.org')).json()).toMatchObject({ size: 4 });
  expect((await send('PUT', 'lst_1/entries', 'bob@example.org')).json()).toMatchObject({ size: 1, matched: 1 });
  expect(await membersOf('lst_1')).toBe(1);
  const [row] = await api.deps.warehouse.query<{ n: string }>({ sql: 'SELECT uniqExact(entry) AS n FROM list_entries' });
  expect(row?.n).toBe('1');
});

test('of a source with recorded consents only who agreed counts, and of one that is withheld nobody', async () => {
  const patch = (body: object) => api.ok('PATCH', '/v1/sources/crm', body, { headers: any });
  await patch({ consent: 'recorded' });
  expect(await membersOf('lst_1')).toBe(0);
  const person = {
    identifiers: [{ kind: 'email', value: 'bob@example.org' }],
    proof: { document: 'form', version: '1', channel: 'till' },
  };
  await api.ok('POST', '/v1/consents', {
    ...person,
    purposes: ['profiles'],
    status: 'granted',
    at,
    expires: '2099-01-01T00:00:00Z',
  });
  expect(await membersOf('lst_1')).toBe(1);
  await patch({ consent: 'asserted', purposes: ['measurement'] });
  expect(await membersOf('lst_1')).toBe(0);
  await patch({ purposes: ['profiles', 'personalised_ads', 'measurement'] });
  expect(await membersOf('lst_1')).toBe(1);
});

test('a list needs a source that the advertiser may use and whose contract has such identifiers', async () => {
  const body = { advertiser: 'adv_a', name: 'x', kind: 'email', source: 'phones' };
  const refused = await api.call('POST', '/v1/lists', body);
  expect([refused.statusCode, refused.json().errors]).toMatchObject([422, [{ pointer: '/kind', code: 'kind_not_allowed' }]]);
  const others = await api.call('POST', '/v1/lists', { ...body, advertiser: 'adv_b', source: 'crm' });
  expect(others.json().errors).toMatchObject([{ pointer: '/source', code: 'unknown_source' }]);
  await api.ok('POST', '/v1/lists', { ...body, id: 'lst_phones', kind: 'phone' });
  expect((await send('PUT', 'lst_phones/entries', '+7 999 123-45-67\nno phone')).json()).toMatchObject({
    accepted: 1,
    refused: 1,
    matched: 0,
  });
});

test('another advertiser neither sees the list nor sends to it, nor has it in a rule', async () => {
  expect((await api.call('GET', '/v1/lists/lst_1', undefined, { key: keyOfB })).statusCode).toBe(404);
  expect((await send('PUT', 'lst_1/entries', 'x@example.org', { key: keyOfB })).statusCode).toBe(404);
  const segment = await api.call(
    'POST',
    '/v1/segments',
    { advertiser: 'adv_b', name: 'x', rule: { list: 'lst_1' } },
    { key: keyOfB },
  );
  expect(segment.json().errors).toMatchObject([{ pointer: '/rule/list', code: 'unknown_list' }]);
});

test('a list that a segment asks for, or that names people, is not deleted', async () => {
  await api.ok('POST', '/v1/segments', { id: 'seg_l', advertiser: 'adv_a', name: 'x', rule: { not: { list: 'lst_1' } } });
  expect((await api.call('DELETE', '/v1/lists/lst_1', undefined, { headers: any })).json()).toMatchObject({ code: 'in_use' });
  await api.ok('DELETE', '/v1/segments/seg_l', undefined, { headers: any });
  expect((await api.call('DELETE', '/v1/lists/lst_1', undefined, { headers: any })).json()).toMatchObject({ code: 'in_use' });
  await send('PUT', 'lst_phones/entries', '');
  await api.ok('DELETE', '/v1/lists/lst_phones', undefined, { headers: any });
});

test('who was erased is on no list, and does not come back with the next text', async () => {
  await send('PUT', 'lst_1/entries', 'ann@example.org\nbob@example.org');
  const asked = await api.ok<{ id: string }>('POST', '/v1/erasures', {
    identifiers: [{ kind: 'email', value: 'ann@example.org' }],
  });
  const steps = { progress: async () => undefined, checkpoint: async () => undefined };
  const receipt = await erase(api.deps, async () => undefined, asked.id, steps);
  expect(receipt.erased['list_entries']).toBeGreaterThan(0);
  expect((await send('PUT', 'lst_1/entries', 'ann@example.org\nbob@example.org')).json()).toMatchObject({
    accepted: 1,
    withheld: 1,
    size: 1,
  });
});
