import { afterAll, beforeAll, describe, expect, onTestFinished, test, vi } from 'vitest';
import { createLookup } from '../../dmp/destinations/lookup.ts';
import { takeHanded } from '../../dmp/destinations/lookup-uses.ts';
import { type OfferSheet, type Offers, SHEET_CHANNEL, SHEET_KEY } from '../../dmp/destinations/offer-sheet.ts';
import { createOffers } from '../../dmp/destinations/offers.ts';
import { createKeyring } from '../../dmp/events/keyring.ts';
import { optOut } from '../../dmp/opt-out/opt-out.ts';
import { buildPagesApp, buildPagesHealth } from '../../dmp/pages/app.ts';
import { followOffers } from '../../dmp/pages/offers-told.ts';
import { segmentsNeeded } from '../../dmp/publication/needed.ts';
import { recordRun } from '../../dmp/segments/runs.ts';
import { profileKey } from '../../proto/keys.ts';
import { encodeProfile, hourOf } from '../../proto/profile.ts';
import { ADMIN_KEY, startApi, type TestApi } from '../support/api.ts';
import { startRedis } from '../support/redis.ts';

let api: TestApi;
let key: string;
let others: string;
const visitor = { kind: 'cookie', value: 'visitor-1' };
const URL = '/v1/memberships:lookup';
const origin = 'https://shop.example';
const keyOf = (value: string) => createKeyring(api.deps.pepper).keyOf('cookie', value) as string;
const ask = (identifiers: object[], options: { key?: string; headers?: Record<string, string> } = {}) =>
  api.call('POST', URL, { identifiers }, { key, ...options });

const MERGE = { headers: { 'if-match': '*', 'content-type': 'application/merge-patch+json' } };

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

/** A ClickHouse that answers when it is let. */
function busyWarehouse() {
  const gates: (() => void)[] = [];
  let isBusy = false;
  const { query } = api.deps.warehouse;
  return {
    warehouse: {
      ...api.deps.warehouse,
      query: async <Row>(...args: Parameters<typeof query>): Promise<Row[]> => {
        if (isBusy) await new Promise<void>((resolve) => void gates.push(resolve));
        return query<Row>(...args);
      },
    },
    keepBusy: () => {
      isBusy = true;
    },
    letGo: () => {
      isBusy = false;
      for (const open of gates) open();
    },
  };
}

const regulars = [{ segment: 'regulars', code: 'vip', destination: 'site' }];
const toldBy = async (offers: Offers) => [...(await offers.codesOf('shop')).values()];

test('a page does not wait for ClickHouse where it is busy, for as long as what is on offer may be told', async () => {
  const { warehouse, keepBusy, letGo } = busyWarehouse();
  const deps = { ...api.deps, warehouse };
  const [kept, strict] = [createOffers(deps, { keptMs: 600_000 }), createOffers(deps, { keptMs: 0 })] as const;
  expect([await toldBy(kept), await toldBy(strict)]).toEqual([regulars, regulars]);
  keepBusy();
  expect(await toldBy(kept)).toEqual(regulars);
  // What is over is not told, however busy it is.
  const waiting = toldBy(strict);
  const first = await Promise.race([waiting, new Promise((resolve) => setTimeout(() => resolve('waits'), 100))]);
  letGo();
  expect([first, await waiting]).toEqual(['waits', regulars]);
  for (const offers of [kept, strict]) offers.close();
});

test('a change counts at once where ClickHouse is busy, and no page waits for it', async () => {
  const { warehouse, keepBusy, letGo } = busyWarehouse();
  const offers = createOffers({ ...api.deps, warehouse }, { keptMs: 600_000 });
  expect(await toldBy(offers)).toEqual(regulars);
  keepBusy();
  for (const [status, told] of [
    ['paused', []],
    ['active', regulars],
  ] as const) {
    await api.ok('PATCH', '/v1/destinations/site', { status }, MERGE);
    const codes = offers.codesOf('shop');
    expect(codes).toBeInstanceOf(Map);
    expect(await toldBy(offers)).toEqual(told);
  }
  letGo();
  offers.close();
});

test('a page does not wait for a Redis that hangs', async () => {
  const redis = Object.create(api.deps.redis, { mgetBuffer: { value: () => new Promise(() => undefined) } });
  const offers = createOffers(api.deps);
  const lookup = createLookup({ ...api.deps, redis, offers }, 1);
  await expect(lookup.of('shop', [{ kind: 'cookie', value: 'visitor-1' }])).rejects.toMatchObject({ status: 503 });
  offers.close();
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
  await api.ok('PATCH', '/v1/destinations/site', { status: 'paused' }, MERGE);
  expect((await ask([visitor])).json()).toEqual({ segments: [] });
  await api.ok('PATCH', '/v1/destinations/site', { status: 'active' }, MERGE);
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

test('of a key that may call often every call is counted, though tokens are taken some at once', async () => {
  const body = { id: 'often', name: 'Often', advertiser: 'shop', role: 'publishable', rateLimit: { perSecond: 20, burst: 60 } };
  const often = (await api.ok<{ key: string }>('POST', '/v1/api-keys', body)).key;
  const began = performance.now();
  const answers = await Promise.all(Array.from({ length: 300 }, () => ask([visitor], { key: often })));
  const seconds = (performance.now() - began) / 1000;
  // Where Redis was slow a call is not counted, and says so by not telling how many are left.
  const counted = answers.filter(({ headers }) => headers['ratelimit-limit'] !== undefined);
  const taken = counted.filter(({ statusCode }) => statusCode === 200).length;
  expect(taken).toBeGreaterThanOrEqual(60);
  expect(taken).toBeLessThanOrEqual(61 + 20 * seconds);
  const left = counted.map(({ headers }) => Number(headers['ratelimit-remaining']));
  expect([Math.max(...left), Math.min(...left)]).toEqual([59, 0]);
  expect(counted.filter(({ statusCode }) => statusCode === 429).length).toBe(counted.length - taken);
});

describe('a process apart', () => {
  const pagesOn = async (redis = api.deps.redis) => {
    const offers = await followOffers(redis, api.deps.log);
    const deps = { ...api.deps, redis, offers };
    const [app, health] = [buildPagesApp(deps), buildPagesHealth(deps)];
    const close = async (): Promise<void> => {
      offers.close();
      await app.close();
      await health.close();
    };
    onTestFinished(close);
    const call = (payload: object, headers: Record<string, string> = { authorization: `Bearer ${key}` }) =>
      app.inject({ method: 'POST', url: URL, payload, headers });
    return { app, health, call, close };
  };

  test('answers as the dmp does, refuses what it refuses, and knows no other address', async () => {
    const { app, health, call } = await pagesOn();
    await vi.waitFor(async () => expect((await call({ identifiers: [visitor] })).json()).toEqual({ segments: ['vip'] }), 20_000);
    const stranger = 'https://evil.example';
    const calls: readonly [body: object, key: string | null, more?: Record<string, string>][] = [
      [{ identifiers: [visitor] }, key, { origin }],
      [{ identifiers: [visitor] }, key, { origin: stranger }],
      [{ identifiers: [visitor] }, others],
      [{ identifiers: [visitor], advertiser: 'shop' }, others],
      [{ identifiers: [visitor] }, null],
      [{ identifiers: [] }, key],
      [{ identifiers: [{ kind: 'email', value: 'a@b.example' }] }, key],
      [{ identifiers: [{ kind: 'cookie', value: 'nobody' }] }, key],
    ];
    for (const [body, by, more = {}] of calls) {
      const there = await api.call('POST', URL, body, { key: by, headers: more });
      const here = await call(body, { ...(by === null ? {} : { authorization: `Bearer ${by}` }), ...more });
      expect(here.statusCode, here.body).toBe(there.statusCode);
      const { requestId: _, ...answer } = here.json();
      expect(there.json()).toMatchObject(answer);
      expect(here.headers['access-control-allow-origin']).toBe(there.headers['access-control-allow-origin']);
    }
    const asked = await app.inject({ method: 'OPTIONS', url: URL, headers: { origin } });
    expect([asked.statusCode, asked.headers['access-control-allow-origin']]).toEqual([204, origin]);
    expect((await app.inject({ url: '/v1/segments', headers: { authorization: `Bearer ${key}` } })).statusCode).toBe(404);
    // The operator's first key is the dmp's alone.
    expect((await call({ identifiers: [visitor] }, { authorization: `Bearer ${ADMIN_KEY}` })).statusCode).toBe(401);
    expect((await health.inject('/readyz')).json()).toEqual({ ready: true, reasons: [] });
    expect((await health.inject('/metrics')).body).toContain('walkin_api_request_seconds');
  });

  test('hears of a pause and of a key that is taken back', async () => {
    const { call } = await pagesOn();
    const issued = await api.ok<{ key: string }>('POST', '/v1/api-keys', {
      ...{ id: 'brief', name: 'Brief', advertiser: 'shop', role: 'publishable' },
    });
    const brief = { authorization: `Bearer ${issued.key}` };
    const told = async () => {
      const answer = await call({ identifiers: [visitor] }, brief);
      return answer.statusCode === 200 ? answer.json().segments : answer.statusCode;
    };
    await vi.waitFor(async () => expect(await told()).toEqual(['vip']), 20_000);
    await api.ok('PATCH', '/v1/destinations/site', { status: 'paused' }, MERGE);
    await vi.waitFor(async () => expect(await told()).toEqual([]), 20_000);
    await api.ok('PATCH', '/v1/destinations/site', { status: 'active' }, MERGE);
    await vi.waitFor(async () => expect(await told()).toEqual(['vip']), 20_000);
    await api.ok('DELETE', '/v1/api-keys/brief', undefined, { headers: { 'if-match': '*' } });
    await vi.waitFor(async () => expect(await told()).toBe(401), 20_000);
  });

  test('needs Redis alone, and hands over what it told, to be written down as uses of the segment', async () => {
    const server = await startRedis();
    onTestFinished(() => server.stop());
    const redis = server.connect();
    const visitors = profileKey(keyOf('visitor-1'));
    const sheet = await vi.waitFor(async () => {
      const text = (await api.deps.redis.get(SHEET_KEY)) ?? '';
      expect(text).toContain('regulars');
      return text;
    }, 20_000);
    await redis.set(SHEET_KEY, sheet);
    await redis.pexpire(SHEET_KEY, 600_000);
    await redis.set(visitors, (await api.deps.redis.getBuffer(visitors)) as Buffer);
    const { call, close } = await pagesOn(redis);
    for (let n = 0; n < 3; n++) expect((await call({ identifiers: [visitor] })).json()).toEqual({ segments: ['vip'] });
    await close();
    const count = { advertiser: 'shop', destination: 'site', segment: 'regulars', people: 3 };
    expect([await takeHanded(redis), await takeHanded(redis)]).toEqual([[count], []]);
  });

  test('tells nothing where no dmp says what is on offer, or none has for a minute', async () => {
    const server = await startRedis();
    onTestFinished(() => server.stop());
    const redis = server.connect();
    const { call, health } = await pagesOn(redis);
    const status = async () => (await call({ identifiers: [visitor] })).statusCode;
    expect([await status(), (await health.inject('/readyz')).statusCode]).toEqual([503, 503]);
    const sheet: OfferSheet = { keys: [], offers: [] };
    const say = async (lastsMs: number): Promise<void> => {
      await redis.set(SHEET_KEY, JSON.stringify(sheet), 'PX', lastsMs);
      await redis.publish(SHEET_CHANNEL, '');
    };
    await say(600_000);
    await vi.waitFor(async () => expect(await status()).toBe(401), 20_000);
    await say(20);
    await vi.waitFor(async () => expect(await status()).toBe(503), 20_000);
  });
});

test('what is wrong is told', async () => {
  expect((await ask([{ kind: 'email', value: 'a@b.example' }])).statusCode).toBe(422);
  expect((await ask([])).statusCode).toBe(422);
});
