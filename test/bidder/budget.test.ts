import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import { leasesKey } from '../../bidder/leases/keys.ts';
import { campaignBudgetKey, dayBudgetKey, dayOf, lineItemBudgetKey } from '../../proto/keys.ts';
import type { WireBid } from '../../proto/openrtb.ts';
import type { LiveLineItem } from '../../proto/snapshot.ts';
import { startRedis, type TestRedis } from '../support/redis.ts';
import { adEvents, bidsOf, eventually, publish, startBidder, type TestBidder } from './support/bidder.ts';
import { exchange, lineItem, NOON, snapshot, wireRequest } from './support/live.ts';

/** One bid of 2.00 CPM costs 2,000 micros. */
const COST = 2_000;
const DAY = 86_400_000;

let redis: TestRedis;
let client: ReturnType<TestRedis['connect']>;
let bidders: TestBidder[] = [];

beforeAll(async () => {
  redis = await startRedis();
  client = redis.connect();
});

beforeEach(() => client.flushall());
afterEach(async () => {
  await Promise.all(bidders.map((bidder) => bidder.close()));
  bidders = [];
});
afterAll(() => redis?.stop());

async function start(
  count: number,
  items: LiveLineItem[],
  options: Parameters<typeof startBidder>[1] = {},
): Promise<TestBidder[]> {
  await publish(client, snapshot({ exchanges: [exchange('x'), exchange('sim', { simulated: true })], lineItems: items }));
  bidders = await Promise.all(
    Array.from({ length: count }, () => startBidder(redis.path, { workers: count, warmLineItems: 0, ...options })),
  );
  return bidders;
}

async function book(key: string): Promise<{ spent: number; out: number }> {
  const [spent, out] = await client.hmget(key, 'spent', 'out');
  return { spent: Number(spent ?? 0), out: Number(out ?? 0) };
}

function withBudget(id: string, budget: Partial<LiveLineItem['budget']>): LiveLineItem {
  return lineItem(id, { campaign: 'cmp', budget: { campaign: null, total: null, daily: null, ...budget } });
}

/** Bids until nothing was bid for `idleMs`; each bid goes on to `fate`. */
async function drain(bidder: TestBidder, idleMs: number, fate: (bid: WireBid) => unknown, headers: Record<string, string> = {}) {
  let last = Date.now();
  let count = 0;
  while (Date.now() - last < idleMs) {
    const exchangeId = headers['x-walkin-time'] === undefined ? 'x' : 'sim';
    const reply = await bidder.bid(wireRequest({ id: `auction-${count}` }), headers, exchangeId);
    if (reply.statusCode !== 200) {
      await new Promise((resolve) => setTimeout(resolve, 2));
      continue;
    }
    last = Date.now();
    count++;
    await fate(bidsOf(reply)[0] as WireBid);
  }
  return count;
}

const PRICE = { AUCTION_PRICE: '2', AUCTION_CURRENCY: 'USD', AUCTION_LOSS: '102' };

describe('a budget', () => {
  it('is spent to the last bid and never passed by concurrent workers', async () => {
    const total = 150 * COST;
    const all = await start(3, [withBudget('a', { total })], { leaseMs: 300 });
    let billed = 0;
    let most = 0;
    const watch = setInterval(() => {
      void book(lineItemBudgetKey('cmp', 'a')).then(({ spent, out }) => {
        most = Math.max(most, spent + out);
      });
    }, 5);
    const counts = await Promise.all(
      all.map((bidder, at) =>
        drain(bidder, 1_500, async (bid) => {
          // One of three is lost; its money must come back and be spent by others.
          const lost = (at + billed) % 3 === 0;
          if (!lost) billed++;
          await bidder.call(lost ? bid.lurl : bid.burl, PRICE);
        }),
      ),
    );
    clearInterval(watch);
    expect(most).toBeLessThanOrEqual(total);
    expect(billed).toBe(150);
    expect(counts.every((count) => count > 0)).toBe(true);
    expect(await book(lineItemBudgetKey('cmp', 'a'))).toEqual({ spent: total, out: 0 });
    expect(await book(campaignBudgetKey('cmp'))).toEqual({ spent: total, out: 0 });
    expect(await client.exists(leasesKey('cmp'))).toBe(0);
  }, 20_000);

  it('counts what the data of an impression cost beside the media, from the bid to the bill', async () => {
    // 500 micros an impression, and a tenth of its 2,000.
    const data = { cpm: 500_000, share: 1_000 };
    const each = COST + 700;
    const [bidder] = (await start(1, [{ ...withBudget('a', { total: 10 * each }), data }], { leaseMs: 300 })) as [TestBidder];
    let turn = 0;
    const count = await drain(bidder, 1_000, (bid) => bidder.call(turn++ % 3 === 0 ? bid.lurl : bid.burl, PRICE));
    const billed = count - Math.ceil(count / 3);
    expect(billed).toBe(10);
    expect(await book(lineItemBudgetKey('cmp', 'a'))).toEqual({ spent: 10 * each, out: 0 });
    const events = (await adEvents(client)).filter(({ type }) => type === 'billing');
    expect(new Set(events.map(({ cost, data: beside }) => `${cost} ${beside}`))).toEqual(new Set([`${COST} 700`]));
  }, 20_000);

  it('of a campaign is shared by its line items', async () => {
    const campaign = 40 * COST;
    const [bidder] = (await start(1, [withBudget('a', { campaign }), withBudget('b', { campaign })], { leaseMs: 300 })) as [
      TestBidder,
    ];
    const count = await drain(bidder, 1_000, (bid) => bidder.call(bid.burl, PRICE));
    expect(count).toBe(40);
    expect(await book(campaignBudgetKey('cmp'))).toEqual({ spent: campaign, out: 0 });
    const parts = await Promise.all(['a', 'b'].map((id) => book(lineItemBudgetKey('cmp', id))));
    expect(parts.reduce((sum, { spent }) => sum + spent, 0)).toBe(campaign);
  });

  it('of a day begins anew on the next', async () => {
    const [bidder] = (await start(1, [withBudget('a', { daily: 20 * COST })], { leaseMs: 300 })) as [TestBidder];
    for (const at of [NOON, NOON + DAY]) {
      const count = await drain(bidder, 800, (bid) => bidder.call(bid.burl, PRICE), { 'x-walkin-time': String(at) });
      expect(count).toBe(20);
      expect(await book(dayBudgetKey('cmp', 'a', dayOf(at)))).toEqual({ spent: 20 * COST, out: 0 });
    }
    expect(await book(lineItemBudgetKey('cmp', 'a'))).toEqual({ spent: 40 * COST, out: 0 });
  });

  it('that is smaller than one bid is never bid', async () => {
    const [bidder] = (await start(1, [withBudget('a', { total: COST - 1 })])) as [TestBidder];
    expect(await drain(bidder, 700, () => undefined)).toBe(0);
    expect(await bidder.count('noBids', { reason: 'budget' })).toBeGreaterThan(0);
  });

  it('without limit needs no lease, and its spend is booked', async () => {
    const [bidder] = (await start(1, [withBudget('a', {})])) as [TestBidder];
    const bid = await bidder.onlyBid();
    await bidder.call(bid.burl, PRICE);
    expect(await book(campaignBudgetKey('cmp'))).toEqual({ spent: COST, out: 0 });
    expect(await bidder.count('leases')).toBe(0);
  });

  it('pays for all who see the play of a screen, as many as there were', async () => {
    const [bidder] = (await start(1, [withBudget('a', { total: 100 * 60 * COST })], { leaseMs: 30_000 })) as [TestBidder];
    const imp = [{ id: '1', banner: { w: 300, h: 250 }, qty: { multiplier: 60, sourcetype: 1 } }];
    const request = { ...wireRequest({ imp, dooh: { id: 'screen' } }), app: undefined };
    const reply = await eventually(
      () => bidder.bid(request),
      ({ statusCode }) => statusCode === 200,
    );
    const [bid] = bidsOf(reply);
    expect(bid?.price).toBe(2);
    await bidder.call(bid?.burl, { ...PRICE, AUCTION_MULTIPLIER: '45.5' });
    expect((await book(lineItemBudgetKey('cmp', 'a'))).spent).toBe(45.5 * COST);
    const billing = (await adEvents(client)).find(({ type }) => type === 'billing');
    expect(billing).toMatchObject({ multiplier: 60, exposures: 45.5, cost: 45.5 * COST });
  });

  it('comes back when the fate of its bids is never told', async () => {
    const options = { leaseMs: 200, reservationSeconds: 1 };
    const [bidder] = (await start(1, [withBudget('a', { total: 5 * COST })], options)) as [TestBidder];
    const untold: WireBid[] = [];
    expect(await drain(bidder, 500, (bid) => untold.push(bid))).toBe(5);
    await eventually(
      () => book(lineItemBudgetKey('cmp', 'a')),
      ({ out }) => out === 0,
    );
    // The books are given back in Redis before the worker hears of it and counts.
    await eventually(
      () => bidder.count('leases', { result: 'reaped' }),
      (count) => count > 0,
    );
    // Told late after all: it is booked, and nothing is released twice.
    await bidder.call(untold[0]?.burl, PRICE);
    await bidder.call(untold[1]?.lurl, PRICE);
    const { spent, out } = await book(lineItemBudgetKey('cmp', 'a'));
    expect(spent).toBe(COST);
    expect(out).toBeGreaterThanOrEqual(0);
  });

  it('that was leased but not used in time is leased again', async () => {
    const [bidder] = (await start(1, [withBudget('a', { total: COST })], { leaseMs: 300, warmLineItems: 10 })) as [TestBidder];
    await eventually(
      () => bidder.count('leases', { result: 'granted' }),
      (count) => count > 1,
    );
    await eventually(
      () => bidder.bid(),
      ({ statusCode }) => statusCode === 200,
    );
  });

  it('is at hand for the first bid after a quiet time', async () => {
    const [bidder] = (await start(1, [withBudget('a', { total: 100 * COST })], { leaseMs: 300, warmLineItems: 10 })) as [
      TestBidder,
    ];
    await eventually(
      () => bidder.bid(),
      ({ statusCode }) => statusCode === 200,
    );
    await new Promise((resolve) => setTimeout(resolve, 3_000));
    expect((await bidder.bid()).statusCode).toBe(200);
  });

  it('comes back at once from a worker that is stopped', async () => {
    const [bidder] = (await start(1, [withBudget('a', { total: 100 * COST })])) as [TestBidder];
    await eventually(
      () => bidder.bid(),
      ({ statusCode }) => statusCode === 200,
    );
    expect((await book(lineItemBudgetKey('cmp', 'a'))).out).toBeGreaterThan(COST);
    await bidder.worker.leases.close();
    expect((await book(lineItemBudgetKey('cmp', 'a'))).out).toBe(COST);
  });
});
