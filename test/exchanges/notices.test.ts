import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Redis } from 'ioredis';
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import { noticeAddresses } from '../../bidder/notices/address.ts';
import { EVENT_DETAILS, type EventDetail } from '../../bidder/notices/paths.ts';
import { encrypt } from '../../bidder/notices/price-cipher.ts';
import type { AdEvent, BidRecord } from '../../proto/ad-event.ts';
import { campaignBudgetKey } from '../../proto/keys.ts';
import { decodeRecord } from '../../proto/notice.ts';
import type { WireBid } from '../../proto/openrtb.ts';
import { findRedisBinary } from '../../supervisor/setup/redis-binary.mjs';
import {
  adEvents,
  clickOf,
  eventually,
  PUBLIC_URL,
  pixelOf,
  publish,
  SECRET,
  startBidder,
  type TestBidder,
} from '../bidder/support/bidder.ts';
import { exchange, lineItem, snapshot, wireRequest } from '../bidder/support/live.ts';
import { startRedis, type TestRedis } from '../support/redis.ts';

const KEYS = {
  encryptionKey: 'sIxwz7yw62yrfoLGt12lIHKuYrK/S5kLuApI2BQe7Ac=',
  integrityKey: 'v3fsVcMBMMHYzRhi7SpM0sdqwzvAxM6KPTu9OtVod5I=',
};
const WON = { AUCTION_PRICE: '1.5', AUCTION_CURRENCY: 'USD', AUCTION_MIN_TO_WIN: '1.4', AUCTION_LOSS: '102' };
const REQUEST = wireRequest({ tmax: 1_000 });

let redis: TestRedis;
let client: Redis;
let bidder: TestBidder;

const LIVE = snapshot({
  exchanges: [
    exchange('x'),
    exchange('google', { price: { kind: 'google', ...KEYS } }),
    exchange('vast', { billing: 'vast' }),
    exchange('pixel', { billing: 'pixel' }),
  ],
  lineItems: [lineItem('a')],
});

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

async function bidAt(exchangeId = 'x'): Promise<WireBid> {
  const reply = await eventually(
    () => bidder.bid(REQUEST, {}, exchangeId).then(({ statusCode, body }) => ({ statusCode, body })),
    ({ statusCode }) => statusCode === 200,
  );
  return JSON.parse(reply.body).seatbid[0].bid[0] as WireBid;
}

function recordOf(bid: WireBid): BidRecord {
  const payload = /[?&]d=([^&]+)/.exec(bid.burl ?? '')?.[1] ?? '';
  const record = decodeRecord(payload);
  if (record === null) throw new Error('no record');
  return record;
}

const addressesOf = (record: BidRecord) => noticeAddresses(record, PUBLIC_URL, SECRET, record.multiplier !== 1);
const events = async (type: AdEvent['type']) => (await adEvents(client)).filter((event) => event.type === type);
const spent = async (): Promise<number> => Number((await client.hget(campaignBudgetKey('cmp_a'), 'spent')) ?? 0);

describe('what a shown ad reports', () => {
  it('is booked once for each of the closed list, as viewability or as media', async () => {
    const { event } = addressesOf(recordOf(await bidAt()));
    for (const detail of Object.keys(EVENT_DETAILS) as EventDetail[])
      for (let time = 0; time < 2; time++) {
        const reply = await bidder.call(event(detail));
        expect([reply.statusCode, reply.headers['content-type']], detail).toEqual([200, 'image/gif']);
      }
    const media = await events('media');
    expect(media.map(({ detail }) => detail)).toContain('thirdQuartile');
    expect((await events('view')).map(({ detail }) => detail).sort()).toEqual(['notViewable', 'viewUndetermined', 'viewable']);
    expect(media.length + 3).toBe(Object.keys(EVENT_DETAILS).length);
    expect(await spent()).toBe(0);
  });

  it('is nothing else: neither an event that nobody knows nor one that was signed as another', async () => {
    const { event } = addressesOf(recordOf(await bidAt()));
    const statuses = [
      event('start').replace('e=start', 'e=complete'),
      event('start').replace('e=start', 'e=__proto__'),
      event('start').replace('&e=start', ''),
      event('start').replace('/n/event', '/n/imp'),
    ].map(async (address) => (await bidder.call(address)).statusCode);
    expect(await Promise.all(statuses)).toEqual([403, 404, 404, 403]);
    expect((await events('media')).length + (await events('impression')).length).toBe(0);
  });
});

describe('a click', () => {
  it('leads nowhere once the address is no longer on a declared domain', async () => {
    const bid = await bidAt();
    const moved = snapshot({ ...LIVE, version: 2, lineItems: [lineItem('a', { domains: ['other.example'] })] });
    await publish(client, moved);
    await eventually(
      () => bidder.worker.feed.current()?.version,
      (version) => version === 2,
    );
    const reply = await bidder.call(clickOf(bid));
    expect([reply.statusCode, reply.body, reply.headers.location]).toEqual([403, '', undefined]);
    expect(await events('click')).toEqual([]);
    expect(await bidder.count('notices', { event: 'click', result: 'foreign_landing' })).toBe(1);
  });

  it.each([
    'javascript:alert(1)',
    'https://evil.example/',
    'https://shop.example@evil.example/',
    'https://shop.example.evil.example/',
    'data:text/html,x',
  ])('does not lead to %s, though it was signed', async (landing) => {
    const address = addressesOf(recordOf(await bidAt())).click(landing);
    expect((await bidder.call(address)).statusCode).toBe(403);
  });

  it('of a line item that is over goes on to where its signature says', async () => {
    const bid = await bidAt();
    await publish(client, snapshot({ ...LIVE, version: 2, lineItems: [] }));
    await eventually(
      () => bidder.worker.feed.current()?.version,
      (version) => version === 2,
    );
    expect((await bidder.call(clickOf(bid))).headers.location).toBe('https://shop.example/?s=');
  });
});

describe('money', () => {
  it('of an exchange with keys is what its encrypted price says', async () => {
    const bid = await bidAt('google');
    const [payload, iv] = [Buffer.alloc(8), Buffer.alloc(16, 7)];
    payload.writeBigInt64BE(1_250_000n);
    iv.writeUInt32BE(Math.floor(Date.now() / 1_000), 0);
    iv.writeUInt32BE(0, 4);
    const price = encrypt(payload, iv, KEYS).toString('base64url');
    for (const address of [bid.nurl, bid.burl, pixelOf(bid)])
      await bidder.call(address, { AUCTION_PRICE: price, AUCTION_CURRENCY: 'USD' });
    expect(await spent()).toBe(1_250);
    expect(await events('billing')).toMatchObject([{ clearing: 1_250_000, cost: 1_250 }]);
    const other = await bidAt('google');
    await bidder.call(other.burl, { AUCTION_PRICE: price, AUCTION_CURRENCY: 'USD' });
    expect(await spent()).toBe(3_250);
    expect(await bidder.count('noticePrices', { fault: 'replayed' })).toBe(1);
  });

  it('of a screen is counted by the people who saw the play, at the time of the play', async () => {
    const record = { ...recordOf(await bidAt()), multiplier: 12, bidAt: Date.now() - 7_200_000 };
    const shown = record.bidAt + 3_600_000;
    const { billing } = addressesOf(record);
    await bidder.call(billing, { ...WON, AUCTION_MULTIPLIER: '8.5', AUCTION_IMP_TS: String(shown) });
    expect(await events('billing')).toMatchObject([{ at: shown, cost: 12_750 }]);
    expect(await spent()).toBe(12_750);
  });

  it('of a screen is never more than its request promised', async () => {
    const record = { ...recordOf(await bidAt()), multiplier: 12 };
    await bidder.call(addressesOf(record).billing, { ...WON, AUCTION_MULTIPLIER: '1000000' });
    expect(await spent()).toBe(18_000);
  });

  it('of video is booked on the VAST impression where the exchange says so, of a banner on its burl', async () => {
    const banner = recordOf(await bidAt('vast'));
    const video = addressesOf({ ...banner, bid: 'v', mtype: 2 });
    await bidder.call(video.billing, WON);
    expect(await spent()).toBe(0);
    await bidder.call(video.impression, WON);
    expect(await spent()).toBe(1_500);
    await bidder.call(addressesOf(banner).impression, WON);
    await bidder.call(addressesOf(banner).billing, WON);
    expect(await spent()).toBe(3_000);
  });

  it('is booked once on the event that was agreed when the bid was made, also where another is since, or the exchange is gone', async () => {
    const [first, second] = [await bidAt('x'), await bidAt('pixel')];
    const others = [exchange('x', { billing: 'pixel' })];
    await publish(client, snapshot({ ...LIVE, version: 2, exchanges: others }));
    await eventually(
      () => bidder.worker.feed.current()?.version,
      (version) => version === 2,
    );
    for (const bid of [first, second]) for (const address of [bid.nurl, pixelOf(bid), bid.burl]) await bidder.call(address, WON);
    expect(await spent()).toBe(3_000);
    expect((await events('billing')).map(({ cost }) => cost)).toEqual([1_500, 0]);
    expect((await events('impression')).map(({ cost }) => cost)).toEqual([0, 1_500]);
  });

  it('is booked for a win that was called lost before', async () => {
    const bid = await bidAt();
    for (const address of [bid.lurl, bid.nurl, bid.burl, bid.lurl, bid.burl])
      expect((await bidder.call(address, WON)).statusCode).toBe(204);
    expect(await spent()).toBe(1_500);
    expect((await adEvents(client)).map(({ type }) => type).filter((type) => type !== 'bid')).toEqual(['loss', 'win', 'billing']);
  });
});

describe('what a notice teaches', () => {
  it('is counted by exchange: why it was lost, and what would have won', async () => {
    await bidder.call((await bidAt()).lurl, WON);
    await bidder.call((await bidAt()).lurl, { AUCTION_LOSS: '1007' });
    await bidder.call((await bidAt()).lurl, {});
    await bidder.call((await bidAt()).nurl, WON);
    const reasons = ['outbid', 'exchange_specific', 'unknown'].map((reason) => bidder.count('losses', { exchange: 'x', reason }));
    expect(await Promise.all(reasons)).toEqual([1, 1, 1]);
    expect(await bidder.count('minToWin', { exchange: 'x', event: 'loss' })).toBe(1);
    expect(await bidder.count('minToWin', { exchange: 'x', event: 'win' })).toBe(1);
    expect(await events('loss')).toMatchObject([
      { lossReason: 102, minToWin: 1_400_000 },
      { lossReason: 1_007 },
      { lossReason: null },
    ]);
  });
});

describe('while Redis is away', () => {
  it('a click goes on its way and a picture is sent, both are booked when it is back; money waits for its repetition', async () => {
    const folder = await mkdtemp(join(tmpdir(), 'walkin-away-'));
    const path = join(folder, 'redis.sock');
    const start = () =>
      spawn(
        findRedisBinary(process.env) ?? 'redis-server',
        ['--port', '0', '--unixsocket', path, '--dir', folder, '--save', ''],
        {
          stdio: 'ignore',
        },
      );
    let server = start();
    const own = new Redis(path, { maxRetriesPerRequest: null, retryStrategy: () => 20 });
    own.on('error', () => undefined);
    await own.ping();
    await publish(own, LIVE);
    const away = await startBidder(path);
    const bid = await away.onlyBid(REQUEST);
    const byPixel = JSON.parse((await away.bid(REQUEST, {}, 'pixel')).body).seatbid[0].bid[0] as WireBid;
    server.kill('SIGKILL');
    await once(server, 'exit');
    const reply = await away.call(clickOf(bid));
    expect([reply.statusCode, reply.headers.location]).toEqual([302, 'https://shop.example/?s=']);
    expect((await away.call(noticeAddresses(recordOf(bid), PUBLIC_URL, SECRET).event('viewable'))).statusCode).toBe(200);
    expect((await away.call(bid.burl, WON)).statusCode).toBe(503);
    for (let time = 0; time < 2; time++) {
      const picture = await away.call(addressesOf(recordOf(byPixel)).impression, WON);
      expect([picture.statusCode, picture.headers['content-type']]).toEqual([200, 'image/gif']);
    }
    expect(await away.count('notices', { event: 'click', result: 'queued' })).toBe(1);
    server = start();
    const kept = await eventually(
      async () => (await adEvents(own)).map(({ type }) => type),
      (types) => types.includes('click') && types.includes('view') && types.includes('impression'),
    );
    expect(kept.filter((type) => type === 'impression')).toHaveLength(1);
    expect(await own.hget(campaignBudgetKey('cmp_a'), 'spent')).toBe('1500');
    expect(kept).not.toContain('billing');
    await away.close();
    own.disconnect();
    server.kill('SIGKILL');
    await rm(folder, { recursive: true, force: true });
  });
});
