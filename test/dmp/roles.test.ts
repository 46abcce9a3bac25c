import { setTimeout as sleep } from 'node:timers/promises';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { startApi, type TestApi } from '../support/api.ts';

let api: TestApi;
beforeAll(async () => {
  api = await startApi();
  await api.ok('POST', '/v1/advertisers', { id: 'adv', name: 'adv', domains: ['a.example'] });
  for (const id of ['ex_1', 'ex_2']) await api.ok('PUT', `/v1/exchanges/${id}`, { name: id });
});
afterAll(() => api.stop());

const issue = async (body: object): Promise<string> =>
  (await api.ok<{ key: string }>('POST', '/v1/api-keys', { name: 'k', ...body })).key;
const status = async (key: string, method: 'GET' | 'POST', path: string, body?: object) =>
  (await api.call(method, path, body, { key })).statusCode;

describe('a role', () => {
  test.each([
    ['admin', 200, 200, 200, 201],
    ['marketer', 200, 200, 403, 403],
    ['analyst', 200, 200, 403, 403],
    ['data_owner', 200, 200, 200, 403],
  ] as const)('%s may do what it is for', async (role, segments, sources, audit, write) => {
    const key = await issue({ role });
    expect([
      await status(key, 'GET', '/v1/segments'),
      await status(key, 'GET', '/v1/sources'),
      await status(key, 'GET', '/v1/audit-log'),
      await status(key, 'POST', '/v1/advertisers', { name: 'x', domains: ['x.example'] }),
    ]).toEqual([segments, sources, audit, write]);
  });

  test('may be widened by scopes', async () => {
    const key = await issue({ role: 'analyst', scopes: ['audit:read'] });
    expect(await status(key, 'GET', '/v1/audit-log')).toBe(200);
  });

  test('exchange sees its own exchange and nothing else', async () => {
    const key = await issue({ role: 'exchange', exchange: 'ex_1' });
    const seen = await api.ok<{ data: { id: string }[] }>('GET', '/v1/exchanges', undefined, { key });
    expect(seen.data.map(({ id }) => id)).toEqual(['ex_1']);
    expect(await status(key, 'GET', '/v1/exchanges/ex_1/match-rate')).toBe(200);
    for (const path of ['/v1/exchanges/ex_2', '/v1/exchanges/ex_2/match-rate']) expect(await status(key, 'GET', path)).toBe(404);
    for (const path of ['/v1/advertisers', '/v1/sources', '/v1/segments', '/v1/snapshot', '/v1/quarantine'])
      expect(await status(key, 'GET', path)).toBe(403);
  });

  test('must fit what the key is bound to', async () => {
    const faults = async (body: object) =>
      (await api.call('POST', '/v1/api-keys', { name: 'k', ...body }))
        .json()
        .errors.map((fault: { pointer: string; code: string }) => `${fault.pointer} ${fault.code}`);
    expect(await faults({ role: 'admin', advertiser: 'adv' })).toEqual(['/role scope_not_allowed']);
    expect(await faults({ role: 'exchange' })).toEqual(['/exchange required']);
    expect(await faults({ exchange: 'ex_1', scopes: ['stores:read'] })).toEqual(['/scopes/0 scope_not_allowed']);
    expect(await faults({ exchange: 'none', role: 'exchange' })).toEqual(['/exchange unknown_exchange']);
    expect(await faults({})).toEqual(['/scopes required']);
    expect(await faults({ role: 'king' })).toEqual(['/role enum']);
  });
});

describe('a key that calls too often', () => {
  test('gets 429 with Retry-After before its body is read, and is let in again when it has waited', async () => {
    const key = await issue({ role: 'analyst', rateLimit: { perSecond: 2, burst: 3 } });
    const answers = [];
    for (let n = 0; n < 5; n++) answers.push(await api.call('GET', '/v1/segments', undefined, { key }));
    expect(answers.map(({ statusCode }) => statusCode)).toEqual([200, 200, 200, 429, 429]);
    expect(answers[0]?.headers).toMatchObject({ 'ratelimit-limit': '3', 'ratelimit-remaining': '2' });
    const refused = answers[4];
    expect([refused?.json().code, refused?.headers['retry-after'], refused?.headers['ratelimit-remaining']]).toEqual([
      'rate_limited',
      '1',
      '0',
    ]);
    const unread = await api.call('POST', '/v1/events', '{broken', { key, headers: { 'content-type': 'application/json' } });
    expect(unread.statusCode).toBe(429);
    await sleep(600);
    expect(await status(key, 'GET', '/v1/segments')).toBe(200);
  });

  test('does not slow the others', async () => {
    const [slow, other] = [
      await issue({ role: 'analyst', rateLimit: { perSecond: 0.001, burst: 1 } }),
      await issue({ role: 'analyst' }),
    ];
    expect([await status(slow, 'GET', '/v1/segments'), await status(slow, 'GET', '/v1/segments')]).toEqual([200, 429]);
    expect(await status(other, 'GET', '/v1/segments')).toBe(200);
  });

  test('many calls at once take no more than the burst', async () => {
    const key = await issue({ role: 'analyst', rateLimit: { perSecond: 0.001, burst: 20 } });
    const statuses = await Promise.all(Array.from({ length: 60 }, () => status(key, 'GET', '/v1/segments')));
    expect(statuses.filter((code) => code === 200).length).toBe(20);
  });
});
