import { afterAll, beforeAll, expect, test } from 'vitest';
import { createLookup, type Lookup } from '../../dmp/destinations/lookup.ts';
import { createKeyring } from '../../dmp/events/keyring.ts';
import { optOut } from '../../dmp/opt-out/opt-out.ts';
import { segmentsNeeded } from '../../dmp/publication/needed.ts';
import { recordRun } from '../../dmp/segments/runs.ts';
import { profileKey } from '../../proto/keys.ts';
import { encodeProfile, hourOf } from '../../proto/profile.ts';
import { startApi, type TestApi } from '../support/api.ts';

let api: TestApi;
let key: string;
let others: string;
const visitor = { kind: 'cookie', value: 'visitor-1' };
const URL = '/v1/memberships:lookup';
const origin = 'https://shop.example';
const keyOf = (value: string) => createKeyring(api.deps.pepper).keyOf('cookie', value) as string;
const ask = (identifiers: object[], options: { key?: string; headers?: Record<string, string> } = {}) =>
  api.call('POST', URL, { identifiers }, { key, ...options });

/** What the segmenter publishes of a person. */
async function publish(value: string, segments: readonly string[]): Promise<void> {
  const hour = hourOf(Date.now());
  const numbers = segments.map((id) => api.deps.things.get('segment', id)?.body.number as number).sort((a, b) => a - b);
  const memberships = numbers.map((segment) => ({ segment, since: hour, until: hour + 100 }));
  const anchor = keyOf(value);
  await api.deps.redis.set(profileKey(anchor), encodeProfile({ profile: 7, anchor, consent: 0, hour, memberships }));
}

beforeAll(async () => {
  api = await startApi();
  await api.app.ready();
  for (const id of ['shop', 'other']) await api.ok('PUT', `/v1/advertisers/${id}`, { name: id, domains: [`${id}.example`] });
  for (const id of ['regulars', 'small', 'unlisted'])
    await api.ok('PUT', `/v1/segments/${id}`, { advertiser: 'shop', name: id, rule: { purchases: {} } });
  for (const [segment, members] of [
    ['regulars', 100],
    ['small', 99],
    ['unlisted', 500],
  ] as const)
    await recordRun(api.deps.warehouse, {
      ...{
        segment,
        version: 1,
        revision: 1,
        started: Date.now(),
        seconds: 0.1,
        members,
        entered: members,
        left: 0,
        error: '' as const,
      },
    });
  const segments = [{ segment: 'regulars', code: 'vip' }, { segment: 'small' }];
  await api.ok('PUT', '/v1/destinations/site', { advertiser: 'shop', name: 'Site', kind: 'lookup', segments, origins: [origin] });
  const issue = async (id: string, advertiser: string) =>
    (await api.ok<{ key: string }>('POST', '/v1/api-keys', { id, name: id, advertiser, role: 'publishable' })).key;
  [key, others] = [await issue('pages', 'shop'), await issue('pages2', 'other')];
  await publish('visitor-1', ['regulars', 'small', 'unlisted']);
});
afterAll(() => api.stop());

test('tells the segments on offer that the visitor is in, and no small or unlisted one', async () => {
  expect((await ask([visitor])).json()).toEqual({ segments: ['vip'] });
  expect((await ask([{ kind: 'cookie', value: 'nobody' }, visitor])).json()).toEqual({ segments: ['vip'] });
  expect((await ask([{ kind: 'cookie', value: 'nobody' }])).json()).toEqual({ segments: [] });
});

test('a page does not wait for ClickHouse where it is busy, for as long as what is on offer may be told', async () => {
  const gates: (() => void)[] = [];
  let isBusy = false;
  const { query } = api.deps.warehouse;
  const warehouse = {
    ...api.deps.warehouse,
    query: async <Row>(...args: Parameters<typeof query>): Promise<Row[]> => {
      if (isBusy) await new Promise<void>((resolve) => void gates.push(resolve));
      return query<Row>(...args);
    },
  };
  const things = { ...api.deps.things, onChange: () => undefined };
  const deps = { ...api.deps, warehouse, things };
  const lookups = [createLookup(deps, { freshMs: 0, keptMs: 600_000 }), createLookup(deps, { freshMs: 0, keptMs: 0 })] as const;
  const [kept, strict] = lookups;
  const told = (lookup: Lookup) => lookup.of('shop', [{ kind: 'cookie', value: 'visitor-1' }]);
  const regulars = [{ segment: 'regulars', code: 'vip', destination: 'site' }];
  expect([await told(kept), await told(strict)]).toEqual([regulars, regulars]);
  isBusy = true;
  expect(await told(kept)).toEqual(regulars);
  // What is over is not told, however busy it is.
  const waiting = told(strict);
  const first = await Promise.race([waiting, new Promise((resolve) => setTimeout(() => resolve('waits'), 100))]);
  isBusy = false;
  for (const open of gates) open();
  expect([first, await waiting]).toEqual(['waits', regulars]);
  for (const lookup of lookups) lookup.close();
});

test('a page does not wait for a Redis that hangs', async () => {
  const redis = Object.create(api.deps.redis, { mgetBuffer: { value: () => new Promise(() => undefined) } });
  const lookup = createLookup(
    { ...api.deps, redis, things: { ...api.deps.things, onChange: () => undefined } },
    { patienceMs: 1 },
  );
  await expect(lookup.of('shop', [{ kind: 'cookie', value: 'visitor-1' }])).rejects.toMatchObject({ status: 503 });
  lookup.close();
});

test('bidders are told of the segments too, so that there is something to ask', () => {
  expect([...segmentsNeeded(api.deps.things, Date.now())].sort()).toEqual(['regulars', 'small']);
});

test('another advertiser’s key learns nothing, and a publishable key can do nothing else', async () => {
  expect((await ask([visitor], { key: others })).json()).toEqual({ segments: [] });
  const named = await api.call('POST', URL, { identifiers: [visitor], advertiser: 'shop' }, { key: others });
  expect(named.statusCode).toBe(422);
  for (const path of ['/v1/segments', '/v1/destinations', '/v1/campaigns'])
    expect((await api.call('GET', path, undefined, { key })).statusCode, path).toBe(403);
  expect((await api.call('POST', URL, { identifiers: [visitor] }, { key: null })).statusCode).toBe(401);
});

test('pages of the sites that the destination names may ask, others may not', async () => {
  const asked = await api.call('OPTIONS', URL, undefined, { key: null, headers: { origin } });
  expect([asked.statusCode, asked.headers['access-control-allow-origin']]).toEqual([204, origin]);
  const stranger = 'https://evil.example';
  const refused = await api.call('OPTIONS', URL, undefined, { key: null, headers: { origin: stranger } });
  expect(refused.headers['access-control-allow-origin']).toBeUndefined();
  const answer = await ask([visitor], { headers: { origin } });
  expect([answer.statusCode, answer.headers['access-control-allow-origin']]).toEqual([200, origin]);
  expect((await ask([visitor], { headers: { origin: stranger } })).statusCode).toBe(403);
});

test('of who opted out nothing is told, at once', async () => {
  await publish('visitor-2', ['regulars']);
  expect((await ask([{ kind: 'cookie', value: 'visitor-2' }])).json()).toEqual({ segments: ['vip'] });
  await optOut(api.deps, [keyOf('visitor-2')]);
  expect((await ask([{ kind: 'cookie', value: 'visitor-2' }])).json()).toEqual({ segments: [] });
});

test('a destination that is paused answers no more', async () => {
  const merge = { headers: { 'if-match': '*', 'content-type': 'application/merge-patch+json' } };
  await api.ok('PATCH', '/v1/destinations/site', { status: 'paused' }, merge);
  expect((await ask([visitor])).json()).toEqual({ segments: [] });
  await api.ok('PATCH', '/v1/destinations/site', { status: 'active' }, merge);
  expect((await ask([visitor])).json()).toEqual({ segments: ['vip'] });
});

test('a key that asks more often than it may is told to wait', async () => {
  const body = { id: 'slow', name: 'Slow', advertiser: 'shop', role: 'publishable', rateLimit: { perSecond: 0.01, burst: 2 } };
  const slow = (await api.ok<{ key: string }>('POST', '/v1/api-keys', body)).key;
  const told = [];
  for (let n = 0; n < 3; n++) {
    const { statusCode, headers } = await ask([visitor], { key: slow });
    told.push([statusCode, headers['ratelimit-remaining']]);
  }
  expect(told).toEqual([
    [200, '1'],
    [200, '0'],
    [429, '0'],
  ]);
  const last = await ask([visitor], { key: slow });
  expect([last.json().segments, last.headers['retry-after']]).toEqual([undefined, expect.stringMatching(/^\d+$/)]);
});

test('what is wrong is told', async () => {
  expect((await ask([{ kind: 'email', value: 'a@b.example' }])).statusCode).toBe(422);
  expect((await ask([])).statusCode).toBe(422);
});
