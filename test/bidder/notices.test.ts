import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import { capField } from '../../bidder/core/person.ts';
import type { AdEvent } from '../../proto/ad-event.ts';
import { keyIdentifier } from '../../proto/identifier.ts';
import { AD_EVENT_STREAM, campaignBudgetKey, capsKey, dayBudgetKey, dayOf, lineItemBudgetKey } from '../../proto/keys.ts';
import type { WireBid } from '../../proto/openrtb.ts';
import { startRedis, type TestRedis } from '../support/redis.ts';
import { adEvents, clickOf, eventually, PEPPER, pixelOf, publish, startBidder, type TestBidder } from './support/bidder.ts';
import { creative, exchange, lineItem, NOON, snapshot, wireRequest } from './support/live.ts';

const HOUR = 3_600_000;
const ANCHOR = keyIdentifier({ kind: 'ifa', value: 'shopper' }, PEPPER) as string;
const REQUEST = wireRequest({ device: { ifa: 'shopper' } });
const budget = { campaign: null, total: 1_000_000, daily: 500_000 };
const caps = [
  { count: 100, windowMs: HOUR },
  { count: 100, windowMs: 24 * HOUR },
];

let redis: TestRedis;
let client: ReturnType<TestRedis['connect']>;
let bidder: TestBidder;

beforeAll(async () => {
  redis = await startRedis();
  client = redis.connect();
});

beforeEach(async () => {
  await client.flushall();
  await publish(
    client,
    snapshot({
      exchanges: [
        exchange('x'),
        exchange('pixel', { billing: 'pixel' }),
        exchange('nurl', { billing: 'nurl' }),
        exchange('sim', { simulated: true }),
      ],
      lineItems: [lineItem('a', { budget, caps })],
    }),
  );
  bidder = await startBidder(redis.path);
});

afterEach(() => bidder.close());
afterAll(() => redis?.stop());

/** The first request asks for the lease, so it may go without a bid. */
async function bidOf(request = REQUEST, exchangeId = 'x', headers: Record<string, string> = {}): Promise<WireBid> {
  const reply = await eventually(
    () => bidder.bid(request, headers, exchangeId),
    ({ statusCode }) => statusCode === 200,
  );
  return JSON.parse(reply.body).seatbid[0].bid[0] as WireBid;
}

/** Spent and out of campaign, line item and today. */
async function books(day = dayOf(Date.now())): Promise<{ spent: number[]; out: number[] }> {
  const keys = [campaignBudgetKey('cmp_a'), lineItemBudgetKey('cmp_a', 'a'), dayBudgetKey('cmp_a', 'a', day)];
  const hashes = await Promise.all(keys.map((key) => client.hmget(key, 'spent', 'out')));
  return { spent: hashes.map(([spent]) => Number(spent ?? 0)), out: hashes.map(([, out]) => Number(out ?? 0)) };
}

async function events(type: AdEvent['type']): Promise<AdEvent[]> {
  return (await adEvents(client)).filter((event) => event.type === type);
}

const WON = { AUCTION_PRICE: '1.5', AUCTION_CURRENCY: 'USD', AUCTION_MIN_TO_WIN: '1.4', AUCTION_LOSS: '102' };

describe('a notice', () => {
  it('of billing books the clearing price once, however often it comes', async () => {
    const bid = await bidOf();
    for (let i = 0; i < 3; i++) expect((await bidder.call(bid.burl, WON)).statusCode).toBe(204);
    expect((await books()).spent).toEqual([1_500, 1_500, 1_500]);
    expect(await events('billing')).toMatchObject([
      { bid: bid.id, clearing: 1_500_000, cost: 1_500, minToWin: 1_400_000, auction: 'auction-1' },
    ]);
    expect(await bidder.count('notices', { event: 'billing', result: 'booked' })).toBe(1);
    expect(await bidder.count('notices', { event: 'billing', result: 'repeated' })).toBe(2);
  });

  it('of billing frees the whole reservation, also what the clearing price left of it', async () => {
    const bid = await bidOf();
    await bidder.worker.leases.close();
    expect((await books()).out).toEqual([2_000, 2_000, 2_000]);
    await bidder.call(bid.burl, WON);
    expect((await books()).out).toEqual([0, 0, 0]);
  });

  it('of loss frees the reservation and spends nothing', async () => {
    const bid = await bidOf();
    await bidder.worker.leases.close();
    for (let i = 0; i < 2; i++) expect((await bidder.call(bid.lurl, WON)).statusCode).toBe(204);
    expect(await books()).toEqual({ spent: [0, 0, 0], out: [0, 0, 0] });
    expect(await events('loss')).toMatchObject([{ lossReason: 102, minToWin: 1_400_000, cost: 0 }]);
  });

  it('of billing after a loss still books, and frees nothing twice', async () => {
    const bid = await bidOf();
    const other = await bidOf();
    await bidder.worker.leases.close();
    await bidder.call(bid.lurl, WON);
    await bidder.call(bid.burl, WON);
    expect(await books()).toEqual({ spent: [1_500, 1_500, 1_500], out: [2_000, 2_000, 2_000] });
    await bidder.call(other.lurl, WON);
    expect((await books()).out).toEqual([0, 0, 0]);
  });

  it('of a win is no billing where the exchange bills by burl', async () => {
    const bid = await bidOf();
    expect((await bidder.call(bid.nurl, WON)).statusCode).toBe(204);
    expect((await books()).spent).toEqual([0, 0, 0]);
    expect(await events('win')).toMatchObject([{ clearing: 1_500_000, cost: 0 }]);
  });

  it('is billed on the event on which its exchange bills', async () => {
    const byPixel = await bidOf(REQUEST, 'pixel');
    await bidder.call(byPixel.burl, WON);
    expect((await books()).spent[0]).toBe(0);
    await bidder.call(pixelOf(byPixel), WON);
    expect((await books()).spent[0]).toBe(1_500);
    const byWin = await bidOf(REQUEST, 'nurl');
    await bidder.call(byWin.nurl, WON);
    expect((await books()).spent[0]).toBe(3_000);
  });

  it('of an impression is answered with a pixel and moves all caps of the line item once', async () => {
    const bid = await bidOf();
    const reply = await bidder.call(pixelOf(bid), WON);
    await bidder.call(pixelOf(bid), WON);
    expect([reply.statusCode, reply.headers['content-type'], reply.rawPayload.subarray(0, 3).toString()]).toEqual([
      200,
      'image/gif',
      'GIF',
    ]);
    const counts = await client.hgetall(capsKey(ANCHOR));
    expect(counts).toEqual({ [capField('a', HOUR, Date.now())]: '1', [capField('a', 24 * HOUR, Date.now())]: '1' });
    expect(await client.ttl(capsKey(ANCHOR))).toBeGreaterThan(47 * 3_600);
    expect(await events('impression')).toHaveLength(1);
  });

  it('of an impression forgets the counters of windows long past', async () => {
    const past = capField('a', HOUR, Date.now() - 5 * HOUR);
    await client.hset(capsKey(ANCHOR), past, 9, capField('other', HOUR, Date.now() - 5 * HOUR), 4);
    await bidder.call(pixelOf(await bidOf()), WON);
    const fields = await client.hkeys(capsKey(ANCHOR));
    expect(fields).not.toContain(past);
    expect(fields).toContain(capField('other', HOUR, Date.now() - 5 * HOUR));
  });

  it('of a click leads to the landing address', async () => {
    const bid = await bidOf();
    const reply = await bidder.call(clickOf(bid));
    expect([reply.statusCode, reply.headers.location]).toEqual([302, 'https://shop.example/?s=']);
    expect(await events('click')).toMatchObject([{ bid: bid.id, cost: 0 }]);
  });

  it('of a click leads also to an address that is not ASCII', async () => {
    const landing = 'https://магазин.example/скидки?s=${STORE_ID}';
    const abroad = lineItem('a', { domains: ['xn--80aairftm.example'], creatives: [creative('cr_a', { landing })] });
    await publish(client, snapshot({ version: 2, lineItems: [abroad] }));
    await eventually(
      () => bidder.worker.feed.current()?.version,
      (version) => version === 2,
    );
    const reply = await bidder.call(clickOf(await bidder.onlyBid(REQUEST)));
    expect([reply.statusCode, reply.headers.location]).toEqual([302, new URL(landing.replace('${STORE_ID}', '')).href]);
  });

  it('of a click leads nowhere else', async () => {
    const address = clickOf(await bidOf()).replace(/u=.*/, `u=${encodeURIComponent('https://evil.example/')}`);
    const reply = await bidder.call(address);
    expect([reply.statusCode, reply.body]).toEqual([403, '']);
  });

  it('is refused without its signature, and under the signature of another event', async () => {
    const bid = await bidOf();
    const pixel = pixelOf(bid);
    const forged = [
      pixel.replace('/n/imp', '/n/bill'),
      bid.burl?.replace(/d=[^&]+/, 'd=W10'),
      bid.burl?.replace(/&s=[^&]+/, ''),
      '/n/bill',
      '/n/bill?d=%00&s=%ff&d=2',
    ];
    for (const address of forged) {
      const reply = await bidder.call(address, WON);
      expect([reply.statusCode, reply.body], address).toEqual([403, '']);
    }
    expect((await books()).spent).toEqual([0, 0, 0]);
    expect(await bidder.count('notices', { event: 'billing', result: 'bad_signature' })).toBeGreaterThan(0);
  });

  it.each([
    ['missing', { AUCTION_PRICE: '' }],
    ['literal', {}],
    ['undecodable', { AUCTION_PRICE: 'x7Gh_secret' }],
    ['above_bid', { AUCTION_PRICE: '2.1' }],
  ])('of billing with a price that is %s charges the bid price', async (fault, macros: Record<string, string>) => {
    const bid = await bidOf();
    expect((await bidder.call(bid.burl, macros)).statusCode).toBe(204);
    expect((await books()).spent).toEqual([2_000, 2_000, 2_000]);
    expect(await events('billing')).toMatchObject([{ clearing: null, cost: 2_000 }]);
    expect(await bidder.count('noticePrices', { fault })).toBe(1);
  });

  it('of a quality scan is no sale, and the sale after it is booked', async () => {
    const bid = await bidOf();
    expect((await bidder.call(bid.burl, { AUCTION_PRICE: 'AUDIT' })).statusCode).toBe(204);
    expect((await books()).spent).toEqual([0, 0, 0]);
    await bidder.call(bid.burl, WON);
    expect((await books()).spent).toEqual([1_500, 1_500, 1_500]);
  });

  it('of a test bid is logged but neither charged nor capped', async () => {
    const bid = await bidOf({ ...REQUEST, test: 1 });
    await bidder.call(bid.burl, WON);
    await bidder.call(pixelOf(bid), WON);
    expect((await books()).spent).toEqual([0, 0, 0]);
    expect(await client.exists(capsKey(ANCHOR))).toBe(0);
    expect(await events('billing')).toMatchObject([{ test: true, cost: 0 }]);
  });

  it('may be called by POST with any body, and by HEAD without anything happening', async () => {
    const bid = await bidOf();
    const url = (bid.burl ?? '').replace('https://bidder.example', '').replace('${AUCTION_PRICE}', '1');
    const { app } = bidder.worker;
    expect((await app.inject({ method: 'HEAD', url })).statusCode).toBe(204);
    expect(await events('billing')).toEqual([]);
    const headers = { 'content-type': 'application/x-www-form-urlencoded' };
    expect((await app.inject({ method: 'POST', url, payload: 'a=b', headers })).statusCode).toBe(204);
    expect(await events('billing')).toHaveLength(1);
  });

  it('may be called as the HTML escapes it', async () => {
    const bid = await bidOf();
    expect((await bidder.call((bid.burl ?? '').replaceAll('&', '&amp;'), WON)).statusCode).toBe(204);
    expect((await books()).spent[0]).toBe(1_500);
  });

  it('of a line item that is gone is booked without caps', async () => {
    const bid = await bidOf();
    await publish(client, snapshot({ version: 2 }));
    await eventually(
      () => bidder.worker.feed.current()?.version,
      (version) => version === 2,
    );
    expect((await bidder.call(pixelOf(bid), WON)).statusCode).toBe(200);
    expect((await bidder.call(bid.burl, WON)).statusCode).toBe(204);
    expect((await books()).spent).toEqual([1_500, 1_500, 1_500]);
    expect(await client.exists(capsKey(ANCHOR))).toBe(0);
  });

  it('of a simulated exchange happens at its stated time and on the day of its bid', async () => {
    const bid = await bidOf(REQUEST, 'sim', { 'x-walkin-time': String(NOON) });
    await bidder.call(pixelOf(bid), WON, { 'x-walkin-time': String(NOON + 1_000) });
    await bidder.call(bid.burl, WON, { 'x-walkin-time': String(NOON + 24 * HOUR) });
    expect(await events('billing')).toMatchObject([{ bidAt: NOON, at: NOON + 24 * HOUR }]);
    expect(await client.hget(capsKey(ANCHOR), capField('a', HOUR, NOON))).toBe('1');
    expect((await books(dayOf(NOON))).spent).toEqual([1_500, 1_500, 1_500]);
  });

  it('carries the bid, so that any worker can book it', async () => {
    const bid = await bidOf();
    const other = await startBidder(redis.path);
    expect((await other.call(bid.burl, WON)).statusCode).toBe(204);
    expect((await bidder.call(bid.burl, WON)).statusCode).toBe(204);
    await other.close();
    expect((await books()).spent).toEqual([1_500, 1_500, 1_500]);
  });

  it('called a hundred times at once is booked once', async () => {
    const bid = await bidOf();
    const addresses = [bid.burl, bid.nurl, pixelOf(bid), bid.lurl, clickOf(bid)];
    await Promise.all(Array.from({ length: 20 }, () => addresses.map((address) => bidder.call(address, WON))).flat());
    expect((await books()).spent).toEqual([1_500, 1_500, 1_500]);
    const booked = (await adEvents(client)).filter((event) => event.type !== 'bid');
    expect(booked.map(({ type }) => type).sort()).toEqual(['billing', 'click', 'impression', 'loss', 'win']);
    expect(await client.hvals(capsKey(ANCHOR))).toEqual(['1', '1']);
    expect(await client.xlen(AD_EVENT_STREAM)).toBeGreaterThanOrEqual(5);
  });
});

describe('a frequency cap', () => {
  it('stops the bids after its last impression', async () => {
    await publish(client, snapshot({ version: 2, lineItems: [lineItem('a', { caps: [{ count: 3, windowMs: 24 * HOUR }] })] }));
    await eventually(
      () => bidder.worker.feed.current()?.version,
      (version) => version === 2,
    );
    for (let shown = 0; shown < 3; shown++) await bidder.call(pixelOf(await bidder.onlyBid(REQUEST)), WON);
    expect((await bidder.bid(REQUEST)).statusCode).toBe(204);
    expect(await bidder.count('noBids', { reason: 'frequency_cap' })).toBe(1);
    expect((await bidder.bid(wireRequest({ device: { ifa: 'somebody-else' } }))).statusCode).toBe(200);
  });
});
