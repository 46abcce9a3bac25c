import fc from 'fast-check';
import type { Redis } from 'ioredis';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { noticeAddresses } from '../../bidder/notices/address.ts';
import { decodeRecord } from '../../proto/notice.ts';
import { adEvents, PUBLIC_URL, publish, SECRET, startBidder, type TestBidder } from '../bidder/support/bidder.ts';
import { exchange, lineItem, snapshot } from '../bidder/support/live.ts';
import { startRedis, type TestRedis } from '../support/redis.ts';

let redis: TestRedis;
let client: Redis;
let bidder: TestBidder;

beforeAll(async () => {
  redis = await startRedis();
  client = redis.connect();
  const exchanges = [exchange('x', { syncUrl: 'https://s.example/?u=${WALKIN_UID}&c=${GDPR_CONSENT}' })];
  await publish(client, snapshot({ exchanges, lineItems: [lineItem('a')] }));
  bidder = await startBidder(redis.path);
});
afterAll(async () => {
  await bidder?.close();
  await redis?.stop();
});

const TEXT = fc.oneof(
  fc.string({ unit: 'binary', maxLength: 60 }).map((text) => Buffer.from(text).toString()),
  fc.constantFrom(
    '${AUCTION_PRICE}',
    '%24%7BAUCTION_PRICE%7D',
    '%%WINNING_PRICE%%',
    'NaN',
    '1e999',
    '-1',
    '__proto__',
    '0x10',
    '\u0000',
  ),
  fc.double().map(String),
);

it('whatever a stranger asks of notices and user sync, nothing breaks and nothing is booked', async () => {
  const path = fc.constantFrom(
    '/n/win',
    '/n/bill',
    '/n/loss',
    '/n/imp',
    '/n/click',
    '/n/event',
    '/n/%00',
    '/sync/x',
    '/sync/x/out',
    '/sync/%ff',
  );
  const query = fc.array(
    fc.tuple(fc.constantFrom('d', 's', 'u', 'p', 'c', 'e', 'm', 'l', 'x', 't', 'gdpr_consent', 'gpp', '__proto__'), TEXT),
    {
      maxLength: 6,
    },
  );
  await fc.assert(
    fc.asyncProperty(path, query, async (at, pairs) => {
      const asked = pairs.map(([name, text]) => `${name}=${encodeURIComponent(text)}`).join('&');
      const { statusCode } = await bidder.worker.app.inject({ url: `${at}?${asked}` });
      expect([200, 400, 403, 404]).toContain(statusCode);
    }),
    { numRuns: 1_500, seed: 42 },
  );
  expect(await adEvents(client)).toEqual([]);
  expect(await bidder.count('errors')).toBe(0);
});

it('whatever an exchange puts for its macros, a bid costs at most what was bid', async () => {
  const bid = await bidder.onlyBid();
  const base = decodeRecord(/[?&]d=([^&]+)/.exec(bid.burl ?? '')?.[1] ?? '');
  if (base === null) throw new Error('no record');
  let at = 0;
  await fc.assert(
    fc.asyncProperty(fc.record({ p: TEXT, c: TEXT, m: TEXT, x: TEXT, t: TEXT }), async (macros) => {
      const { billing } = noticeAddresses({ ...base, bid: `fuzz-${at++}` }, PUBLIC_URL, SECRET);
      const url = new URL(billing);
      for (const [name, text] of Object.entries(macros)) url.searchParams.set(name, text);
      const reply = await bidder.worker.app.inject({ url: `${url.pathname}${url.search}` });
      expect(reply.statusCode).toBe(204);
    }),
    { numRuns: 800, seed: 42 },
  );
  const billed = (await adEvents(client)).filter(({ type }) => type === 'billing');
  expect(billed.length).toBe(at);
  for (const { cost, clearing } of billed) {
    expect(cost).toBeGreaterThanOrEqual(0);
    expect(cost).toBeLessThanOrEqual(2_000);
    expect(clearing === null || (clearing >= 0 && clearing <= 2_000_000)).toBe(true);
  }
});
