import { afterAll, beforeAll, describe, expect, test, vi } from 'vitest';
import { type Publisher, startPublisher } from '../../dmp/snapshot/publish.ts';
import {
  campaignBudgetKey,
  dayBudgetKey,
  lineItemBudgetKey,
  SNAPSHOT_CHANNEL,
  SNAPSHOT_VERSION_KEY,
  STOPPED_CHANNEL,
  WORKERS_KEY,
} from '../../proto/keys.ts';
import { ANY, type Snapshot } from '../../proto/snapshot.ts';
import { decodeStop } from '../../proto/stop.ts';
import { startApi, type TestApi } from '../support/api.ts';
import { readSnapshot } from '../support/snapshot.ts';

let api: TestApi;
let publisher: Publisher;
const any = { headers: { 'if-match': '*' } };

beforeAll(async () => {
  api = await startApi();
  await api.ok('POST', '/v1/advertisers', { id: 'adv_a', name: 'A', domains: ['a.example'] });
  await api.ok('POST', '/v1/exchanges', { id: 'acme', name: 'Acme', billing: 'burl' });
  const store = { advertiser: 'adv_a', address: 'Street 1', lat: 55.75, lon: 37.6, timeZone: 'Europe/Moscow' };
  await api.ok('POST', '/v1/stores', { id: 'st_1', name: 'One', ...store, hours: { mon: [['09:00', '21:00']] } });
  await api.ok('POST', '/v1/stores', { id: 'st_2', name: 'Two', ...store });
  await api.ok('POST', '/v1/stores', { id: 'st_3', name: 'Not live', ...store });
  await api.ok('POST', '/v1/store-groups', { id: 'sg_1', advertiser: 'adv_a', name: 'All', stores: ['st_1', 'st_2'] });
  const flight = { start: '2026-01-01T00:00:00Z', end: '2099-01-01T00:00:00Z' };
  const holdout = { percent: 12.5, salt: 'salt' };
  await api.ok('POST', '/v1/campaigns', {
    id: 'cmp_1',
    advertiser: 'adv_a',
    name: 'C',
    ...flight,
    budgetMicros: 5_000_000,
    holdout,
  });
  const creative = {
    advertiser: 'adv_a',
    name: 'B',
    w: 300,
    h: 250,
    html: '<a href="${CLICK_URL}">x</a>',
    landing: 'https://a.example/',
  };
  await api.ok('POST', '/v1/creatives', { id: 'cr_1', ...creative, attributes: [1], categories: ['IAB1'] });
  await api.ok('POST', '/v1/line-items', {
    id: 'li_1',
    campaign: 'cmp_1',
    name: 'L',
    end: '2098-01-01T00:00:00Z',
    budget: { dailyMicros: 1_000_000 },
    bid: { maxCpmMicros: 2_000_000, distance: { halvesEveryMetres: 500, floorShare: 0.2 } },
    caps: [{ count: 3, hours: 24 }],
    targeting: { storeGroups: ['sg_1'], stores: ['st_1'], os: ['Android'], dayparts: { tue: [['10:00', '12:00']] } },
    creatives: ['cr_1'],
  });
  publisher = startPublisher(api.deps);
});
afterAll(async () => {
  await publisher.close();
  await api.stop();
});

const published = async (): Promise<Snapshot> => (await readSnapshot(api.deps.redis)) as Snapshot;
const lineItems = async () => (await published()).lineItems.map(({ id }) => id);

describe('the snapshot', () => {
  test('holds what is live, resolved for the bidders', async () => {
    await publisher.publish();
    const snapshot = await published();
    expect(snapshot.exchanges).toMatchObject([
      { id: 'acme', defaultTmax: 100, networkAllowance: 10, billing: 'burl', seat: null, simulated: false },
    ]);
    expect(snapshot.stores.map(({ id }) => id)).toEqual(['st_1', 'st_2']);
    expect(snapshot.stores[0]).toMatchObject({
      hours: [[540, 1260]],
      fence: { type: 'circle', lat: 55.75, lon: 37.6, radius: 75 },
    });
    expect(snapshot.stores[0]?.cover.boundary.length).toBeGreaterThan(0);
    expect(snapshot.stores[1]?.hours).toBeNull();
    expect(snapshot.lineItems).toEqual([
      {
        id: 'li_1',
        campaign: 'cmp_1',
        advertiser: 'adv_a',
        domains: ['a.example'],
        bundle: '',
        adLabel: null,
        childSafe: false,
        categories: ['IAB1'],
        currency: 'USD',
        start: Date.parse('2026-01-01T00:00:00Z'),
        end: Date.parse('2098-01-01T00:00:00Z'),
        budget: { campaign: 5_000_000, total: null, daily: 1_000_000 },
        bid: { maxCpm: 2_000_000, distance: { halvesEvery: 500, floorShare: 0.2 } },
        caps: [{ count: 3, windowMs: 86_400_000 }],
        targeting: { ...ANY, stores: ['st_1', 'st_2'], os: ['android'], dayparts: [[2040, 2160]] },
        holdout: { share: 1_250, salt: 'salt' },
        creatives: [
          {
            type: 'banner',
            id: 'cr_1',
            w: 300,
            h: 250,
            html: '<a href="${CLICK_URL}">x</a>',
            landing: 'https://a.example/',
            iurl: null,
            attributes: [1],
            language: null,
            blockedExchanges: [],
          },
        ],
      },
    ]);
  });

  test('holds creatives of every type, deals, and the exchange rates', async () => {
    const common = { advertiser: 'adv_a', name: 'C', landing: 'https://a.example/', title: 'Bread' };
    const file = { url: 'https://cdn.a.example/a', bitrate: 128 };
    const video = { ...file, mime: 'video/mp4', w: 640, h: 360 };
    await api.ok('POST', '/v1/creatives', { id: 'cr_v', ...common, type: 'video', duration: 15, media: [video] });
    const audio = { ...file, mime: 'audio/mpeg' };
    await api.ok('POST', '/v1/creatives', { id: 'cr_a', ...common, type: 'audio', duration: 30, media: [audio] });
    const native = { data: { 2: 'Fresh' }, images: [{ type: 3, url: file.url, w: 1200, h: 627 }] };
    await api.ok('POST', '/v1/creatives', { id: 'cr_n', ...common, type: 'native', language: 'en', ...native });
    const targeting = { deals: ['d-1'], supply: { completeOnly: true } };
    const label = { erid: 'Kra1', inn: '7700000000', name: 'A' };
    const more = { childSafe: true, bundle: 'com.a', adLabel: label, targeting };
    const lineItem = { campaign: 'cmp_1', name: 'All', bid: { maxCpmMicros: 1 }, creatives: ['cr_v', 'cr_a', 'cr_n'] };
    await api.ok('POST', '/v1/line-items', { id: 'li_2', ...lineItem, ...more });
    await api.ok('PUT', '/v1/rates', { at: '2026-01-02T00:00:00Z', perUsd: { EUR: 0.9 } });
    await publisher.publish();
    const { lineItems: live, rates } = await published();
    expect(rates).toEqual({ at: Date.parse('2026-01-02T00:00:00Z'), perUsd: { EUR: 0.9 } });
    expect(live[1]).toMatchObject({
      childSafe: true,
      bundle: 'com.a',
      adLabel: label,
      targeting: { deals: ['d-1'], supply: { completeOnly: true, maxHops: null, sellers: null } },
      creatives: [
        { type: 'video', duration: 15, skipAfter: null, title: 'Bread', media: [video] },
        { type: 'audio', duration: 30, title: 'Bread', media: [{ ...audio, w: 0, h: 0 }] },
        { type: 'native', language: 'en', title: 'Bread', ...native },
      ],
    });
    await api.ok('DELETE', '/v1/line-items/li_2', undefined, any);
    await publisher.publish();
  });

  test('follows a change by itself, with a later version that is announced', async () => {
    const before = (await published()).version;
    const subscriber = api.deps.redis.duplicate();
    const heard: string[] = [];
    subscriber.on('message', (_channel, message) => heard.push(message));
    await subscriber.subscribe(SNAPSHOT_CHANNEL);
    await api.ok('PATCH', '/v1/campaigns/cmp_1', { status: 'paused' }, any);
    await vi.waitFor(async () => expect(await lineItems()).toEqual([]), 5_000);
    expect((await published()).version).toBeGreaterThan(before);
    await api.ok('PATCH', '/v1/campaigns/cmp_1', { status: 'active' }, any);
    await vi.waitFor(async () => expect(await lineItems()).toEqual(['li_1']), 5_000);
    await vi.waitFor(() => expect(heard).toEqual([String(before + 1), String(before + 2)]));
    subscriber.disconnect();
  });

  test('is preceded by word of the line items that are paused, or whose campaign is', async () => {
    const stopped: string[] = [];
    const subscriber = api.deps.redis.duplicate();
    subscriber.on('message', (_channel: string, message: string) => stopped.push(...(decodeStop(message)?.lineItems ?? [])));
    await subscriber.subscribe(STOPPED_CHANNEL);
    await api.ok('PATCH', '/v1/line-items/li_1', { status: 'paused' }, any);
    await vi.waitFor(() => expect(stopped).toContain('li_1'));
    await api.ok('PATCH', '/v1/line-items/li_1', { status: 'active' }, any);
    stopped.length = 0;
    await api.ok('PATCH', '/v1/campaigns/cmp_1', { status: 'paused' }, any);
    await vi.waitFor(() => expect(stopped).toContain('li_1'));
    await api.ok('PATCH', '/v1/campaigns/cmp_1', { status: 'active' }, any);
    await vi.waitFor(async () => expect(await lineItems()).toContain('li_1'), 5_000);
    subscriber.disconnect();
  });

  test('is not published again where nothing that is live was changed', async () => {
    const version = await publisher.publish();
    await api.ok('PATCH', '/v1/stores/st_3', { name: 'Still not live' }, any);
    expect(await publisher.publish()).toBe(version);
  });

  test('leaves out a flight that is over, unless an exchange is simulated and brings its own clock', async () => {
    await api.ok('PATCH', '/v1/line-items/li_1', { end: '2026-02-01T00:00:00Z' }, any);
    await publisher.publish();
    expect(await lineItems()).toEqual([]);
    await api.ok('POST', '/v1/exchanges', { id: 'city', name: 'City', billing: 'burl', simulated: true });
    await publisher.publish();
    expect(await lineItems()).toEqual(['li_1']);
    await api.ok('DELETE', '/v1/exchanges/city', undefined, any);
    await api.ok('PATCH', '/v1/line-items/li_1', { end: '2098-01-01T00:00:00Z' }, any);
    await publisher.publish();
  });

  test('is right again soon after the clock was wrong, though nothing was changed', async () => {
    let ahead = 100 * 365 * 86_400_000;
    const wrong = startPublisher({ ...api.deps, now: () => Date.now() + ahead }, 200);
    // The other publisher may still be at the change before.
    await vi.waitFor(async () => {
      await wrong.publish();
      expect(await lineItems()).toEqual([]);
    }, 10_000);
    ahead = 0;
    await vi.waitFor(async () => expect(await lineItems()).toEqual(['li_1']), 10_000);
    await wrong.close();
  });

  test('of several publishers at once is the latest version', async () => {
    const others = Array.from({ length: 4 }, () => startPublisher(api.deps));
    await api.ok('PATCH', '/v1/line-items/li_1', { name: 'Renamed', bid: { maxCpmMicros: 3_000_000 } }, any);
    await Promise.all(others.map((each) => each.publish()));
    for (const each of others) await each.close();
    const snapshot = await published();
    expect(snapshot.version).toBe(Number(await api.deps.redis.get(SNAPSHOT_VERSION_KEY)));
    expect(snapshot.lineItems[0]?.bid.maxCpm).toBe(3_000_000);
  });

  test('is there again, under a later version, after Redis lost its data', async () => {
    const version = await publisher.publish();
    await api.deps.redis.flushall();
    expect(await publisher.publish()).toBe(version + 1);
    expect(await lineItems()).toEqual(['li_1']);
  });
});

describe('spend', () => {
  const at = Date.parse('2026-03-01T10:00:00Z');
  const billing = (bid: string, cost: number, more: object = {}) => ({
    type: 'billing',
    bid,
    bid_at: new Date(at).toISOString(),
    at: new Date(at).toISOString(),
    exchange: 'acme',
    campaign: 'cmp_1',
    line_item: 'li_1',
    cost,
    test: 0,
    ...more,
  });
  const spentOf = (key: string) => api.deps.redis.hget(key, 'spent');

  test('that Redis forgot is known again before anything is published', async () => {
    const rows = [billing('b1', 700), billing('b2', 300), billing('b2', 300), billing('b3', 999, { test: 1 })];
    await api.deps.warehouse.insert('ad_events', rows);
    await api.deps.redis.flushall();
    await publisher.publish();
    expect(await spentOf(campaignBudgetKey('cmp_1'))).toBe('1000');
    expect(await spentOf(lineItemBudgetKey('cmp_1', 'li_1'))).toBe('1000');
    expect(await spentOf(dayBudgetKey('cmp_1', 'li_1', '20260301'))).toBe('1000');
  });

  test('that Redis knows is never touched', async () => {
    await api.deps.redis.hset(campaignBudgetKey('cmp_1'), 'spent', 5_000, 'out', 40);
    await api.deps.redis.del(lineItemBudgetKey('cmp_1', 'li_1'));
    await publisher.publish();
    expect(await api.deps.redis.hgetall(campaignBudgetKey('cmp_1'))).toEqual({ spent: '5000', out: '40' });
    expect(await spentOf(lineItemBudgetKey('cmp_1', 'li_1'))).toBe('1000');
  });
});

test('GET /v1/snapshot tells the version and who serves it', async () => {
  const version = await publisher.publish();
  await api.deps.redis.hset(WORKERS_KEY, 'w1', JSON.stringify({ version, at: 1 }));
  const view = await api.ok('GET', '/v1/snapshot');
  expect(view).toEqual({ version, at: expect.any(String), lineItems: 1, workers: [{ id: 'w1', version }] });
});
