import { afterAll, beforeAll, expect, test } from 'vitest';
import { startPublisher } from '../../dmp/snapshot/publish.ts';
import { restoreSpend } from '../../dmp/snapshot/spend.ts';
import { readDataPrices } from '../../dmp/sources/data-prices.ts';
import { campaignBudgetKey } from '../../proto/keys.ts';
import { dataCost } from '../../proto/money.ts';
import type { Snapshot } from '../../proto/snapshot.ts';
import { eventually } from '../bidder/support/bidder.ts';
import { startApi, type TestApi } from '../support/api.ts';
import { readSnapshot } from '../support/snapshot.ts';

let api: TestApi;
beforeAll(async () => {
  api = await startApi();
  const source = (id: string, price: object | null) =>
    api.ok('PUT', `/v1/sources/${id}`, { name: id, party: '3p', legalBasis: 'consent', price });
  await source('cpm', { model: 'cpm', micros: 500_500 });
  await source('share', { model: 'share', percent: 12.5 });
  await source('flat', { model: 'flat', micros: 1_000_000 });
  await source('ended', { model: 'cpm', micros: 9_000_000 });
  for (const id of ['cpm', 'share', 'flat', 'ended']) {
    const who = [{ kind: 'loyalty', value: '7001' }];
    const receipt = { type: 'purchase', id: 'r', at: '2026-11-01T10:00:00Z', identifiers: who, lines: [{ amountMicros: 1 }] };
    await api.ok('POST', `/v1/events?source=${id}`, [receipt]);
    await api.ok('PUT', `/v1/segments/of-${id}`, { name: id, rule: { purchases: { sources: [id] } } });
  }
  await api.ok('POST', '/v1/sources/ended:revoke', { reason: 'the contract is over' });
});
afterAll(() => api.stop());

test('what the data of a line item cost by the impression goes to the bidders: by contract, flat prices are booked by the day', async () => {
  const priceOf = await readDataPrices(api.deps);
  const of = (...segments: string[][]) => priceOf({ targeting: { segments } } as never);
  expect(of(['of-cpm'])).toEqual({ cpm: 500_500, share: 0 });
  expect(of(['of-cpm', 'of-flat'], ['of-share'])).toEqual({ cpm: 500_500, share: 1_250 });
  expect(of(['of-flat'], ['of-ended'])).toBeNull();
  expect(priceOf({ targeting: {} } as never)).toBeNull();
  expect(dataCost(of(['of-cpm'], ['of-share']), 2_000)).toBe(751);
  expect(dataCost(null, 2_000)).toBe(0);
});

test('a segment’s own price counts beside its sources’, however the line item names it, once', async () => {
  const rule = { purchases: { sources: ['flat'] } };
  await api.ok('PUT', '/v1/segments/sold', { name: 'Sold', rule, price: { cpmMicros: 2_000_000 } });
  await api.ok('PUT', '/v1/segments/shared', { name: 'Shared', rule, price: { percent: 10 } });
  await api.ok('PUT', '/v1/segments/own', { name: 'Own', rule: { all: [{ segment: 'sold' }, { not: { segment: 'shared' } }] } });
  const priceOf = await readDataPrices(api.deps);
  const of = (targeting: object) => priceOf({ targeting } as never);
  expect(of({ segments: [['sold']] })).toEqual({ cpm: 2_000_000, share: 0 });
  expect(of({ segments: [['own'], ['sold', 'of-cpm']] })).toEqual({ cpm: 2_500_500, share: 1_000 });
  expect(of({ excludedSegments: ['shared'] })).toEqual({ cpm: 0, share: 1_000 });
  // A rule of segments names them as lists do, and their sources too.
  expect(of({ segmentRule: { any: [{ segment: 'sold', withinHours: 3 }, { not: { segment: 'of-share' } }] } })).toEqual({
    cpm: 2_000_000,
    share: 1_250,
  });
  expect(dataCost(of({ segments: [['own']] }), 5_000)).toBe(2_500);
  for (const price of [{}, { cpmMicros: 1, percent: 1 }]) {
    const call = await api.call('PUT', '/v1/segments/bad', { name: 'Bad', rule, price });
    expect(call.json()).toMatchObject({ errors: [{ pointer: '/price', code: 'shape' }] });
  }
});

test('a source that brings its first rows is priced in the bids of who stands on it, without any other change', async () => {
  await api.ok('PUT', '/v1/sources/coming', {
    name: 'coming',
    party: '3p',
    legalBasis: 'consent',
    price: { model: 'cpm', micros: 7_000 },
  });
  await api.ok('PUT', '/v1/advertisers/adv', { name: 'A', domains: ['a.example'] });
  const flight = { start: '2026-01-01T00:00:00Z', end: '2099-01-01T00:00:00Z' };
  await api.ok('PUT', '/v1/campaigns/cmp_live', {
    advertiser: 'adv',
    name: 'C',
    status: 'active',
    ...flight,
    budgetMicros: null,
  });
  const creative = { advertiser: 'adv', name: 'B', w: 300, h: 250, html: '<a href="${CLICK_URL}">x</a>' };
  await api.ok('PUT', '/v1/creatives/cr', { ...creative, landing: 'https://a.example/' });
  // A rule that names no source stands on all that hold such rows.
  await api.ok('PUT', '/v1/segments/viewers', { name: 'viewers', rule: { pages: {} } });
  await api.ok('PUT', '/v1/line-items/li_live', {
    ...{ campaign: 'cmp_live', name: 'L', status: 'active', budget: {}, bid: { maxCpmMicros: 1_000 }, creatives: ['cr'] },
    targeting: { excludedSegments: ['viewers'] },
  });
  const publisher = startPublisher(api.deps);
  try {
    const dataOf = async () => {
      const snapshot = await readSnapshot(api.deps.redis);
      return snapshot === null ? 'none' : snapshot.lineItems.map(({ id, data }) => ({ id, data }));
    };
    await publisher.publish();
    expect(await dataOf()).toEqual([{ id: 'li_live', data: undefined }]);
    const page = {
      type: 'page',
      at: '2026-11-01T10:00:00Z',
      identifiers: [{ kind: 'cookie', value: 'c' }],
      url: 'https://a.example/',
    };
    await api.ok('POST', '/v1/events?source=coming', page);
    const priced = await eventually(dataOf, (items) => JSON.stringify(items).includes('7000'), 30_000);
    expect(priced).toEqual([{ id: 'li_live', data: { cpm: 7_000, share: 0 } }]);
  } finally {
    await publisher.close();
  }
}, 60_000);

test('a Redis that lost its budgets is told media and data', async () => {
  const row = { bid_at: '2026-11-01T10:00:00Z', at: '2026-11-01T10:00:01Z', exchange: 'ex', campaign: 'cmp', line_item: 'li' };
  await api.deps.warehouse.insert('ad_events', [
    { ...row, type: 'billing', bid: 'b1', cost: 2_000, data: 751 },
    { ...row, type: 'billing', bid: 'b2', cost: 1_000 },
  ]);
  await restoreSpend(api.deps.warehouse, api.deps.redis, {
    at: Date.now(),
    lineItems: [{ id: 'li', campaign: 'cmp' }],
  } as unknown as Snapshot);
  expect(await api.deps.redis.hget(campaignBudgetKey('cmp'), 'spent')).toBe('3751');
});
