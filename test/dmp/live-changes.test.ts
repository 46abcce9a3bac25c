import { afterAll, beforeAll, expect, test } from 'vitest';
import { type Publisher, startPublisher } from '../../dmp/snapshot/publish.ts';
import { announceStops } from '../../dmp/snapshot/stops.ts';
import { SNAPSHOT_KEY, SNAPSHOT_VERSION_KEY } from '../../proto/keys.ts';
import { bidsOf, eventually, startBidder, type TestBidder } from '../bidder/support/bidder.ts';
import { startApi, type TestApi } from '../support/api.ts';

/** What a marketer changes over the API, as an exchange sees it: how long it takes is printed. */

let api: TestApi;
let bidder: TestBidder;
let publisher: Publisher | null = null;
const PATIENCE = 30_000;

const REQUEST = {
  id: 'auction-1',
  at: 1,
  tmax: 5_000,
  imp: [{ id: '1', banner: { w: 300, h: 250 } }],
  site: { id: 's1', domain: 'news.example', page: 'https://news.example/a' },
};

beforeAll(async () => {
  api = await startApi();
  await api.ok('POST', '/v1/advertisers', { id: 'adv', name: 'A', domains: ['a.example'] });
  await api.ok('POST', '/v1/exchanges', { id: 'acme', name: 'Acme' });
  const flight = { start: '2026-01-01T00:00:00Z', end: '2099-01-01T00:00:00Z' };
  await api.ok('POST', '/v1/campaigns', { id: 'cmp', advertiser: 'adv', name: 'C', ...flight });
  const creative = { w: 300, h: 250, html: '<a href="${CLICK_URL}">x</a>', landing: 'https://a.example/' };
  await api.ok('POST', '/v1/creatives', { id: 'cr', advertiser: 'adv', name: 'B', ...creative });
  const lineItem = { campaign: 'cmp', name: 'L', bid: { maxCpmMicros: 1_000_000 }, creatives: ['cr'] };
  await api.ok('POST', '/v1/line-items', { id: 'li', ...lineItem });
  const first = startPublisher(api.deps);
  await first.publish();
  await first.close();
  bidder = await startBidder(api.deps.redis.options.path as string, { pepper: api.deps.pepper });
});
afterAll(async () => {
  await bidder.close();
  await publisher?.close();
  await api.stop();
});

const change = (body: object) => api.ok('PATCH', '/v1/line-items/li', body, { headers: { 'if-match': '*' } });

/** What is bid, null: nothing. */
async function price(): Promise<number | null> {
  const reply = await bidder.bid(REQUEST, {}, 'acme');
  return reply.statusCode === 200 ? (bidsOf(reply)[0]?.price ?? null) : null;
}

async function until(what: string, expected: number | null): Promise<void> {
  const since = performance.now();
  await eventually(price, (now) => now === expected, PATIENCE);
  console.log(`${what}: seen in a bid ${Math.round(performance.now() - since)} ms after the API answered`);
}

test('a paused line item bids no more, without any snapshot', { timeout: PATIENCE }, async () => {
  await until('first', 1);
  const served = await api.deps.redis.get(SNAPSHOT_VERSION_KEY);
  const head = await api.deps.redis.getBuffer(SNAPSHOT_KEY);
  announceStops(api.deps);
  await change({ status: 'paused' });
  await until('paused', null);
  expect(await api.deps.redis.get(SNAPSHOT_VERSION_KEY)).toBe(served);
  expect(await api.deps.redis.getBuffer(SNAPSHOT_KEY)).toEqual(head);
});

test('a line item that is active again bids again, and at its new price', { timeout: PATIENCE }, async () => {
  publisher = startPublisher(api.deps);
  await publisher.publish();
  await change({ status: 'active' });
  await until('active again', 1);
  await change({ bid: { maxCpmMicros: 2_500_000 } });
  await until('a new price', 2.5);
});
