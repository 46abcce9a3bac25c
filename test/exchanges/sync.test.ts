import type { Redis } from 'ioredis';
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import { startIntake } from '../../dmp/ad-events/intake.ts';
import { keyIdentifier } from '../../proto/identifier.ts';
import { AD_EVENT_STREAM, dayOf, namedRequestsKey, profileKey } from '../../proto/keys.ts';
import type { Match } from '../../proto/match.ts';
import { adEvents, eventually, PEPPER, publish, startBidder, type TestBidder } from '../bidder/support/bidder.ts';
import { exchange, lineItem, snapshot, wireRequest } from '../bidder/support/live.ts';
import { profileValue } from '../bidder/support/person.ts';
import { startApi, type TestApi } from '../support/api.ts';
import { startRedis, type TestRedis } from '../support/redis.ts';

const ALLOWED = 'gdpr=0';
const SYNC_URL = 'https://sync.exchange.example/match?dsp=walkin&id=${WALKIN_UID}&gdpr=${GDPR}&usp=${US_PRIVACY}';
const LIVE = snapshot({
  exchanges: [exchange('x', { syncUrl: SYNC_URL }), exchange('mute')],
  lineItems: [lineItem('a')],
});

let redis: TestRedis;
let client: Redis;
let bidder: TestBidder;

beforeAll(async () => {
  redis = await startRedis();
  client = redis.connect();
});
beforeEach(async () => {
  await client.flushall();
  await publish(client, LIVE);
  bidder = await startBidder(redis.path);
});
afterEach(() => bidder.close());
afterAll(() => redis?.stop());

const call = (url: string, headers: Record<string, string> = {}) => bidder.worker.app.inject({ url, headers });
const matches = async () => (await adEvents(client)) as unknown as Match[];
const cookieOf = (header: unknown) => /^wid=([A-Za-z0-9_-]{22});/.exec(String(header))?.[1] ?? '';
const keyOf = (kind: 'exchange' | 'cookie', value: string) => keyIdentifier({ kind, value }, PEPPER);

describe("the exchange's call of user sync", () => {
  it('sets our cookie and keeps the match, both ids as keys only', async () => {
    const reply = await call(`/sync/x?uid=their-user-1&${ALLOWED}`);
    expect([reply.statusCode, reply.headers['content-type']]).toEqual([200, 'image/gif']);
    expect(reply.headers['set-cookie']).toMatch(/^wid=[\w-]{22}; Max-Age=\d+; Path=\/; Secure; HttpOnly; SameSite=None$/);
    const own = cookieOf(reply.headers['set-cookie']);
    expect(await matches()).toEqual([
      {
        type: 'sync',
        exchange: 'x',
        at: expect.any(Number),
        user: keyOf('exchange', 'x:their-user-1'),
        cookie: keyOf('cookie', own),
      },
    ]);
    const stored = JSON.stringify(await client.xrange(AD_EVENT_STREAM, '-', '+'));
    for (const raw of ['their-user-1', own]) expect(stored).not.toContain(raw);
  });

  it('keeps the cookie that the browser has', async () => {
    const first = cookieOf((await call(`/sync/x?uid=u&${ALLOWED}`)).headers['set-cookie']);
    const again = await call(`/sync/x?uid=u&${ALLOWED}`, { cookie: `a=b; wid=${first}; c=d` });
    expect(cookieOf(again.headers['set-cookie'])).toBe(first);
    const made = await call(`/sync/x?uid=u&${ALLOWED}`, { cookie: 'wid=<script>' });
    expect(cookieOf(made.headers['set-cookie'])).toHaveLength(22);
  });

  it.each([
    ['without a word about GDPR', ''],
    ['under GDPR without a consent string', 'gdpr=1'],
    ['under GDPR with one that cannot be read', 'gdpr=1&gdpr_consent=xyz'],
    ['after an opt-out of sale', 'gdpr=0&us_privacy=1YYN'],
    ['for a child', 'gdpr=0&coppa=1'],
    ['under a section of GPP that cannot be read', 'gdpr=0&gpp=xyz&gpp_sid=7'],
  ])('%s sets, keeps and sends nothing', async (_, consent) => {
    const cookie = 'wid=AAAAAAAAAAAAAAAAAAAAAA';
    for (const url of [`/sync/x?uid=u&${consent}`, `/sync/x/out?${consent}`]) {
      const reply = await call(url, { cookie });
      expect([reply.statusCode, reply.headers['set-cookie'], reply.headers.location]).toEqual([200, undefined, undefined]);
    }
    expect(await matches()).toEqual([]);
    expect(await bidder.count('syncs', { exchange: 'x', result: 'refused' })).toBe(2);
  });

  it('with Global Privacy Control does nothing either', async () => {
    const reply = await call(`/sync/x?uid=u&${ALLOWED}`, { 'sec-gpc': '1' });
    expect(reply.headers['set-cookie']).toBeUndefined();
    expect(await matches()).toEqual([]);
  });

  it.each(['', 'uid=', 'uid=${UID}', 'uid=0', `uid=${'a'.repeat(600)}`])('with the id "%.20s" matches nobody', async (uid) => {
    const reply = await call(`/sync/x?${uid}&${ALLOWED}`);
    expect([reply.statusCode, reply.body, reply.headers['set-cookie']]).toEqual([400, '', undefined]);
    expect(await matches()).toEqual([]);
  });

  it('of an exchange that nobody configured is not there', async () => {
    expect((await call(`/sync/nobody?uid=u&${ALLOWED}`)).statusCode).toBe(404);
    expect((await call(`/sync/mute/out?${ALLOWED}`)).statusCode).toBe(404);
  });
});

describe('our call of user sync', () => {
  it("leads to the exchange's address with our id and the consent that came", async () => {
    const reply = await call(`/sync/x/out?${ALLOWED}&us_privacy=1YNN`);
    const own = cookieOf(reply.headers['set-cookie']);
    expect(own).toHaveLength(22);
    expect([reply.statusCode, reply.headers.location]).toEqual([
      302,
      `https://sync.exchange.example/match?dsp=walkin&id=${own}&gdpr=0&usp=1YNN`,
    ]);
  });

  it('cannot be made to lead elsewhere', async () => {
    const reply = await call(`/sync/x/out?${ALLOWED}&us_privacy=${encodeURIComponent('1---')}&url=https://evil.example`);
    expect(new URL(String(reply.headers.location)).host).toBe('sync.exchange.example');
  });
});

describe('the match rate', () => {
  it('of requests is the share of those whom we know, and does not need a bid', async () => {
    const asked = (given: Record<string, unknown>) =>
      bidder.bid(wireRequest({ ...given, imp: [{ id: '1', banner: { w: 1, h: 1 } }] }));
    await client.set(profileKey(keyOf('exchange', 'x:known') ?? ''), profileValue([7], Date.now()));
    for (const user of [{ id: 'known' }, { id: 'stranger' }, { id: 'third' }, { buyeruid: 'ours', id: 'sent-with-ours' }, {}])
      expect((await asked({ device: {}, user })).statusCode).toBe(204);
    await asked({ device: {}, user: { id: 'known' }, test: 1 });
    await asked({ device: {}, user: { id: 'known' }, regs: { gdpr: 1 } });
    expect(await bidder.count('namedRequests', { exchange: 'x', matched: 'yes' })).toBe(2);
    await bidder.close();
    const key = namedRequestsKey(dayOf(Date.now()));
    const api: TestApi = await startApi();
    try {
      await api.ok('POST', '/v1/exchanges', { id: 'x', name: 'X' });
      await api.deps.redis.hset(key, await client.hgetall(key));
      expect(await api.ok('GET', '/v1/exchanges/x/match-rate?days=1')).toMatchObject({
        namedRequests: 4,
        matchedRequests: 2,
        requestRate: 0.5,
        namedBids: 0,
      });
    } finally {
      await api.stop();
    }
  });

  it('is the share of named bids whose person is matched', async () => {
    const api: TestApi = await startApi();
    try {
      await api.ok('POST', '/v1/exchanges', { id: 'x', name: 'X' });
      expect(await api.ok('GET', '/v1/exchanges/x/match-rate')).toMatchObject({
        users: 0,
        namedBids: 0,
        matchedBids: 0,
        rate: null,
      });
      for (const uid of ['u1', 'u1', 'u2']) await call(`/sync/x?uid=${uid}&${ALLOWED}`);
      for (const id of ['u1', 'u2', 'stranger', 'u1'])
        expect((await bidder.bid(wireRequest({ id: `r-${id}`, device: {}, user: { id } }))).statusCode).toBe(200);
      const intake = startIntake({ ...api.deps, redis: client });
      await eventually(
        async () => (await adEvents(client)).length,
        (waiting) => waiting === 0,
      );
      await intake.drained();
      await intake.close();
      expect(await api.ok('GET', '/v1/exchanges/x/match-rate?days=1')).toMatchObject({
        exchange: 'x',
        users: 2,
        namedBids: 4,
        matchedBids: 3,
        rate: 0.75,
      });
      expect((await api.call('GET', '/v1/exchanges/none/match-rate')).statusCode).toBe(404);
    } finally {
      await api.stop();
    }
  });
});
