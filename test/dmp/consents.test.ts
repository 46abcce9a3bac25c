import { afterAll, beforeAll, expect, test } from 'vitest';
import { eventually } from '../bidder/support/bidder.ts';
import { startApi, type TestApi } from '../support/api.ts';

let api: TestApi;
let keyA: string;
beforeAll(async () => {
  api = await startApi();
  await api.ok('POST', '/v1/advertisers', { id: 'adv_a', name: 'A', domains: ['a.example'] });
  await api.ok('PUT', '/v1/sources/clinic', { name: 'Clinic', party: '1p' });
  keyA = (await api.ok<{ key: string }>('POST', '/v1/api-keys', { name: 'A', advertiser: 'adv_a', role: 'data_owner' })).key;
});
afterAll(() => api.stop());

const person = (value: string) => ({ identifiers: [{ kind: 'email', value }] });
const form = { proof: { document: 'form 7', version: '2026-01', channel: 'till' } };
const find = (value: string, options = {}) =>
  api.ok<{ purposes: Record<string, string>; history: Record<string, unknown>[] }>(
    'POST',
    '/v1/consents:find',
    { identifier: { kind: 'email', value } },
    options,
  );

test('a word is written down with its proof and found by the person, and no raw identifier is kept', async () => {
  const granted = { ...person('Ann@Example.org'), purposes: ['profiles', 'measurement'], status: 'granted', ...form };
  const taken = await api.ok<{ results: { id: string }[]; job: string | null }>('POST', '/v1/consents', {
    ...granted,
    at: '2026-01-02T00:00:00Z',
    expires: '2099-01-01T00:00:00Z',
  });
  expect(taken).toMatchObject({ results: [{ identifiers: 1, status: 'granted' }], job: null });
  expect(await find('ann@example.org')).toEqual({
    purposes: { profiles: 'granted', measurement: 'granted' },
    history: expect.arrayContaining([
      {
        ...{ id: taken.results[0]?.id, purpose: 'profiles', status: 'granted', at: '2026-01-02T00:00:00.000Z' },
        ...{ expires: '2099-01-01T00:00:00.000Z', source: null, ...form },
      },
    ]),
  });
  const withdrawn = await api.ok('POST', '/v1/consents', {
    consents: [{ ...person('ann@example.org'), purposes: ['profiles'], status: 'withdrawn' }],
  });
  expect(withdrawn['job']).toMatch(/^job_refresh_/);
  expect((await find('ann@example.org')).purposes).toEqual({ profiles: 'withdrawn', measurement: 'granted' });
  for (const table of ['consents', 'audit_log'])
    expect(JSON.stringify(await api.deps.warehouse.query({ sql: `SELECT * FROM ${table}` })).toLowerCase()).not.toContain('ann@');
});

test('the same word again changes nothing, and one that has run out is told so', async () => {
  const word = {
    ...person('bob@example.org'),
    purposes: ['profiles'],
    status: 'granted',
    ...form,
    at: '2026-01-02T00:00:00Z',
    expires: '2026-01-03T00:00:00Z',
  };
  for (let n = 0; n < 3; n++) await api.ok('POST', '/v1/consents', word);
  const { purposes, history } = await find('bob@example.org');
  expect([purposes, history.length]).toEqual([{ profiles: 'expired' }, 1]);
});

test('a word of a time that nobody can have spoken is refused, and an end that no table holds is none', async () => {
  const word = { ...person('dee@example.org'), purposes: ['profiles'], status: 'granted', ...form };
  for (const at of ['0001-01-01T00:00:00Z', '1899-12-31T23:59:59Z', '9999-12-31T23:59:59Z']) {
    const call = await api.call('POST', '/v1/consents', { ...word, at });
    expect([call.statusCode, call.json().errors[0]]).toMatchObject([422, { pointer: '/consents/0/at', code: 'bad_time' }]);
  }
  await api.ok('POST', '/v1/consents', { ...word, at: '1987-05-04T10:00:00+03:00', expires: '9999-12-31T23:59:59Z' });
  const { purposes, history } = await find('dee@example.org');
  expect(purposes).toEqual({ profiles: 'granted' });
  expect(history).toMatchObject([{ at: '1987-05-04T07:00:00.000Z', expires: null }]);
});

test('a network stands for a household, and nobody there has spoken for the others', async () => {
  const ip = { kind: 'ip', value: '93.184.216.34' };
  const word = { purposes: ['ads'], status: 'withdrawn' };
  const alone = await api.call('POST', '/v1/consents', { ...word, identifiers: [ip] });
  expect([alone.statusCode, alone.json().errors[0]]).toMatchObject([422, { code: 'no_identifier' }]);
  const { identifiers } = person('eve@example.org');
  await api.ok('POST', '/v1/consents', { ...word, identifiers: [...identifiers, ip] });
  expect((await find('eve@example.org')).purposes).toEqual({ ads: 'withdrawn' });
  const kinds = await api.deps.warehouse.query({ sql: "SELECT kind FROM consents WHERE kind = 'ip'" });
  expect(kinds).toEqual([]);
});

test('all that is wrong is told at once, and nothing is written', async () => {
  const call = await api.call('POST', '/v1/consents', {
    consents: [
      { ...person('not an address'), purposes: ['profiles'], status: 'granted' },
      {
        ...person('cy@example.org'),
        purposes: ['profiles'],
        status: 'withdrawn',
        expires: '2099-01-01T00:00:00Z',
        source: 'nowhere',
      },
      {
        ...person('cy@example.org'),
        purposes: ['profiles'],
        status: 'granted',
        ...form,
        at: '2026-02-01T00:00:00Z',
        expires: '2026-01-01T00:00:00Z',
      },
    ],
  });
  expect(call.json().errors.map((fault: { pointer: string; code: string }) => `${fault.pointer} ${fault.code}`)).toEqual([
    '/consents/0/identifiers no_identifier',
    '/consents/0/proof required',
    '/consents/1/source unknown_source',
    '/consents/2/expires end_before_start',
  ]);
  expect((await find('cy@example.org')).history).toEqual([]);
});

test('a bound key writes for its advertiser, and reads what was said to it or to all', async () => {
  const word = { ...person('dan@example.org'), purposes: ['profiles'], status: 'withdrawn' };
  await api.ok('POST', '/v1/consents', word, { key: keyA });
  await api.ok('POST', '/v1/advertisers', { id: 'adv_b', name: 'B', domains: ['b.example'] });
  const { key: keyB } = await api.ok<{ key: string }>('POST', '/v1/api-keys', {
    name: 'B',
    advertiser: 'adv_b',
    role: 'data_owner',
  });
  expect((await find('dan@example.org', { key: keyA })).purposes).toEqual({ profiles: 'withdrawn' });
  expect((await find('dan@example.org', { key: keyB })).purposes).toEqual({});
  expect((await find('dan@example.org')).purposes).toEqual({ profiles: 'withdrawn' });
});

test('nothing of who refused storage is taken, from streams or by replay, and quarantine keeps nothing of it either', async () => {
  const event = (value: string, more: object[] = []) => ({
    ...{ type: 'page', at: '2026-01-02T00:00:00Z', url: `https://clinic.example/${value}` },
    identifiers: [{ kind: 'email', value }, ...more],
  });
  const send = (...events: object[]) => api.ok('POST', '/v1/events?source=clinic', events);
  expect(await send(event('eve@example.org'))).toMatchObject({ accepted: 1 });
  await api.ok('POST', '/v1/consents', { ...person('eve@example.org'), purposes: ['storage'], status: 'withdrawn' });
  expect(
    await send(
      event('eve@example.org'),
      event('fay@example.org'),
      event('fay@example.org', [{ kind: 'email', value: 'eve@example.org' }]),
    ),
  ).toMatchObject({
    accepted: 1,
    quarantined: 2,
    errors: [
      { line: 1, pointer: '/identifiers', code: 'consent_missing' },
      { line: 3, code: 'consent_missing' },
    ],
  });
  const kept = await api.deps.warehouse.query<{ value: string; original: string }>({
    sql: 'SELECT value, original FROM quarantine FINAL',
  });
  expect(kept).toEqual([
    { value: '', original: '' },
    { value: '', original: '' },
  ]);
  await api.ok('POST', '/v1/consents', { ...person('eve@example.org'), purposes: ['storage'], status: 'granted', ...form });
  expect(await send(event('eve@example.org'))).toMatchObject({ accepted: 1 });
});

test('no place of who withdrew their location is taken, what else they do is', async () => {
  const who = { identifiers: [{ kind: 'ifa', value: '11111111-2222-4333-8444-000000000777' }] };
  const ping = (at: string, more: object = {}) => ({ type: 'ping', at, ...who, lat: 55.75, lon: 37.6, ...more });
  const send = (...events: object[]) => api.ok<{ errors: object[] }>('POST', '/v1/events?source=clinic', events);
  expect(await send(ping('2026-01-02T00:00:00Z'))).toMatchObject({ accepted: 1 });
  await api.ok('POST', '/v1/consents', { ...who, purposes: ['location'], status: 'withdrawn' });
  // Words on the place are read again every two seconds.
  const { errors } = await eventually(
    () =>
      send(ping('2026-01-02T00:01:00Z'), { type: 'page', at: '2026-01-02T00:01:00Z', ...who, url: 'https://clinic.example/' }),
    ({ errors }) => errors.length === 1,
    30_000,
  );
  expect(errors).toMatchObject([{ line: 1, pointer: '/identifiers', code: 'consent_missing' }]);
  await api.ok('POST', '/v1/consents', { ...who, purposes: ['location'], status: 'granted', ...form });
  await eventually(
    () => send(ping('2026-01-02T00:02:00Z')),
    ({ errors }) => errors.length === 0,
    30_000,
  );
});
