import { createHash } from 'node:crypto';
import type { Redis } from 'ioredis';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { isTokenOf } from '../../bidder/exchange-token.ts';
import { isSampled } from '../../bidder/sampling.ts';
import { publish, startBidder, type TestBidder } from '../bidder/support/bidder.ts';
import { exchange, lineItem, snapshot, wireRequest } from '../bidder/support/live.ts';
import { startRedis, type TestRedis } from '../support/redis.ts';

const TOKEN = 'a-token-of-the-exchange';
const tokenHash = createHash('sha256').update(TOKEN).digest('hex');

let redis: TestRedis;
let client: Redis;
let bidder: TestBidder;

beforeAll(async () => {
  redis = await startRedis();
  client = redis.connect();
  const exchanges = [
    exchange('open'),
    exchange('locked', { tokenHash }),
    exchange('none', { sampling: 0 }),
    exchange('half', { sampling: 0.5 }),
  ];
  await publish(client, snapshot({ exchanges, lineItems: [lineItem('a')] }));
  bidder = await startBidder(redis.path);
});
afterAll(async () => {
  await bidder?.close();
  await redis?.stop();
});

describe('the address of an exchange', () => {
  it('with a token opens to it alone, and looks to all others as if it were not there', async () => {
    const post = (url: string) => bidder.worker.app.inject({ method: 'POST', url, payload: JSON.stringify(wireRequest()) });
    expect((await post(`/openrtb2/locked?token=${TOKEN}`)).statusCode).toBe(200);
    const refused = [
      'locked',
      'locked?token=',
      'locked?token=wrong',
      `locked?token=${TOKEN}&token=${TOKEN}`,
      `locked?token[]=${TOKEN}`,
      'nobody',
    ];
    for (const path of refused) {
      const reply = await post(`/openrtb2/${path}`);
      expect([reply.statusCode, reply.body], path).toEqual([404, '']);
    }
    expect((await post('/openrtb2/open?token=whatever')).statusCode).toBe(200);
  });

  it('takes no token for another, whatever its type', () => {
    for (const token of [undefined, null, 1, [TOKEN], {}, tokenHash, `${TOKEN} `])
      expect(isTokenOf({ tokenHash }, token)).toBe(false);
    expect(isTokenOf({ tokenHash }, TOKEN)).toBe(true);
    expect(isTokenOf({ tokenHash: null }, undefined)).toBe(true);
  });
});

describe('the sampled share of an exchange', () => {
  it('is chosen by auction, always the same, and about as large as was said', () => {
    const half = { id: 'half', sampling: 0.5 };
    const taken = Array.from({ length: 4_000 }, (_, at) => isSampled(half, `auction-${at}`));
    expect(taken).toEqual(Array.from({ length: 4_000 }, (_, at) => isSampled(half, `auction-${at}`)));
    const share = taken.filter(Boolean).length / taken.length;
    expect(share).toBeGreaterThan(0.46);
    expect(share).toBeLessThan(0.54);
  });

  it('of nothing is no bid, and says why', async () => {
    expect((await bidder.bid(wireRequest(), {}, 'none')).statusCode).toBe(204);
    expect(await bidder.count('noBids', { reason: 'shed' })).toBe(1);
  });
});
