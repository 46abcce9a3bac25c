import { afterAll, beforeAll, expect, test } from 'vitest';
import { restoreSpend } from '../../dmp/snapshot/spend.ts';
import { readDataPrices } from '../../dmp/sources/data-prices.ts';
import { campaignBudgetKey } from '../../proto/keys.ts';
import { dataCost } from '../../proto/money.ts';
import type { Snapshot } from '../../proto/snapshot.ts';
import { startApi, type TestApi } from '../support/api.ts';

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
