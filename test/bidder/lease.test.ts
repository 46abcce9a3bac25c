import { pino } from 'pino';
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import { buildIndex, type Index } from '../../bidder/core/index.ts';
import { leasesKey } from '../../bidder/leases/keys.ts';
import { createLeases, type LeaseOptions, type Leases } from '../../bidder/leases/lease.ts';
import { spenderAt } from '../../bidder/leases/spender.ts';
import { createWheel, type Due } from '../../bidder/leases/wheel.ts';
import { createMetrics, type Metrics } from '../../bidder/metrics.ts';
import { connectRedis, whenReady } from '../../bidder/redis.ts';
import { campaignBudgetKey } from '../../proto/keys.ts';
import { startRedis, type TestRedis } from '../support/redis.ts';
import { eventually } from './support/bidder.ts';
import { lineItem, snapshot } from './support/live.ts';

/** One bid of 2.00 CPM costs 2,000 micros. */
const COST = 2_000;

let redis: TestRedis;
let client: ReturnType<TestRedis['connect']>;
const open: { leases: Leases; metrics: Metrics; connection: ReturnType<typeof connectRedis> }[] = [];

beforeAll(async () => {
  redis = await startRedis();
  client = redis.connect();
});
beforeEach(() => client.flushall());
afterEach(async () => {
  await Promise.all(open.map(({ leases }) => leases.close()));
  for (const { connection } of open.splice(0)) connection.disconnect();
});
afterAll(() => redis?.stop());

async function start(options: Partial<LeaseOptions> = {}) {
  const connection = connectRedis(redis.path, { connectionName: 'test' }, pino({ level: 'silent' }));
  await whenReady(connection, 2_000);
  const metrics = createMetrics();
  const leases = createLeases(connection, metrics, { worker: `w${open.length}`, workers: 1, ...options });
  const started = { leases, metrics, connection };
  open.push(started);
  return started;
}

/** So many line items, ten a campaign, each campaign with a budget. */
function indexOf(count: number, campaign: number, perCampaign = 10): Index {
  const lineItems = Array.from({ length: count }, (_, at) =>
    lineItem(`li_${at}`, {
      campaign: `cmp_${Math.floor(at / perCampaign)}`,
      start: 0,
      end: Date.UTC(2100, 0),
      budget: { campaign, total: null, daily: at % 2 === 0 ? campaign : null },
    }),
  );
  return buildIndex(snapshot({ lineItems }));
}

const all = (index: Index) => Array.from({ length: index.size }, (_, position) => index.lineItemAt(position));

async function held(campaigns: number): Promise<number[]> {
  return Promise.all(
    Array.from({ length: campaigns }, async (_, at) => Number((await client.hget(campaignBudgetKey(`cmp_${at}`), 'out')) ?? 0)),
  );
}

async function leaseCount(metrics: Metrics, result: string): Promise<number> {
  return (await metrics.leases.get()).values.find(({ labels }) => labels.result === result)?.value ?? 0;
}

describe('allowances of many line items', () => {
  const MANY = 3_000;

  it('are all at hand soon after the swap, and cost next to nothing while nobody bids', async () => {
    const { leases, metrics } = await start({ usableMs: 300 });
    const index = indexOf(MANY, 1e12);
    leases.keepWarm(index.size, (position) => spenderAt(index, position));
    await eventually(
      () => leaseCount(metrics, 'granted'),
      (granted) => granted >= MANY,
      20_000,
    );
    const before = Number(/cmdstat_evalsha:calls=(\d+)/.exec(await client.info('commandstats'))?.[1]);
    const since = performance.now();
    await new Promise((resolve) => setTimeout(resolve, 4_000));
    const calls = Number(/cmdstat_evalsha:calls=(\d+)/.exec(await client.info('commandstats'))?.[1]) - before;
    const seconds = (performance.now() - since) / 1000;
    // One by one and every 300 ms it would be 10,000 a second.
    expect(calls / seconds).toBeLessThan(800);
    for (const item of all(index)) expect(leases.reserve(item, COST, Date.now())).not.toBeNull();
    await leases.close();
    // What is reserved stays out, all else is back.
    expect(await held(MANY / 10)).toEqual(Array.from({ length: MANY / 10 }, () => 10 * COST));
  }, 60_000);

  it('do not keep a small budget from the one that can spend it', async () => {
    const { leases } = await start({ usableMs: 300, workers: 2 });
    const index = indexOf(50, 300 * COST, 50);
    leases.keepWarm(index.size, (position) => spenderAt(index, position));
    const spender = index.lineItem('li_1');
    if (spender === undefined) throw new Error('no line item');
    let reserved = 0;
    let most = 0;
    const end = performance.now() + 12_000;
    while (reserved < 300 && performance.now() < end) {
      const enough = leases.free(spender, COST, Date.now()) >= COST;
      if (enough && leases.reserve(spender, COST, Date.now()) !== null) reserved++;
      else {
        most = Math.max(most, (await held(1))[0] as number);
        await new Promise((resolve) => setTimeout(resolve, 5));
      }
    }
    expect(reserved).toBe(300);
    expect(most).toBeLessThanOrEqual(300 * COST);
  }, 30_000);

  it('come back from a worker that is killed, each once', async () => {
    const { leases, connection } = await start({ usableMs: 200, reservationMs: 300 });
    const index = indexOf(200, 1e9);
    leases.keepWarm(index.size, (position) => spenderAt(index, position));
    for (const item of all(index)) leases.free(item, COST, Date.now());
    await eventually(
      () => held(20),
      (out) => out.every((micros) => micros === 100 * COST),
    );
    connection.disconnect();
    await start();
    await eventually(
      () => held(20),
      (out) => out.every((micros) => micros === 0),
      15_000,
    );
    expect(await client.exists(...Array.from({ length: 20 }, (_, at) => leasesKey(`cmp_${at}`)))).toBe(0);
  }, 30_000);

  it('are not touched by a wall clock that jumps', async () => {
    const { leases } = await start();
    const index = indexOf(1, 1e9);
    const [item] = all(index) as [ReturnType<Index['lineItemAt']>];
    const now = Date.now();
    const real = Date.now;
    try {
      await eventually(
        () => leases.free(item, COST, now),
        (micros) => micros >= COST,
      );
      for (const hours of [-5, 30, -30, 5]) {
        Date.now = () => real() + hours * 3_600_000;
        await new Promise((resolve) => setTimeout(resolve, 120));
        await eventually(
          () => leases.free(item, COST, Date.now()),
          (micros) => micros >= COST,
        );
        expect(leases.reserve(item, COST, Date.now())).not.toBeNull();
      }
    } finally {
      Date.now = real;
    }
  });
});

describe('a timing wheel', () => {
  it('gives each thing once, at its latest time, however far that is', () => {
    const wheel = createWheel<Due & { id: string }>(10);
    const at = performance.now();
    const [a, b, c, far] = ['a', 'b', 'c', 'far'].map((id) => ({ id, dueAt: 0 })) as [
      Due & { id: string },
      Due & { id: string },
      Due & { id: string },
      Due & { id: string },
    ];
    wheel.put(a, at + 100);
    wheel.put(b, at + 100);
    wheel.put(b, at + 300);
    wheel.put(c, at + 200);
    wheel.put(c, at + 50);
    wheel.put(far, at + 1e9);
    const ids = (when: number, most = 9) => wheel.take(at + when, most).map(({ id }) => id);
    expect(ids(20)).toEqual([]);
    expect(ids(150, 1)).toEqual(['c']);
    expect(ids(150)).toEqual(['a']);
    expect(ids(250)).toEqual([]);
    wheel.drop(b);
    expect(ids(400)).toEqual([]);
    expect(ids(30_000)).toEqual(['far']);
  });
});
