import { createHash, createHmac } from 'node:crypto';
import { gzipSync } from 'node:zlib';
import type { Redis } from 'ioredis';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { bidOn } from '../../bidder/auction.ts';
import { buildIndex } from '../../bidder/core/index.ts';
import { NOBODY } from '../../bidder/core/person.ts';
import { dryRun } from '../../bidder/debug/dry-run.ts';
import { isSignedBy, isTokenOf } from '../../bidder/exchange-token.ts';
import { decodeNotes, decodeRequest } from '../../bidder/openrtb/decode.ts';
import type { BidRequest } from '../../bidder/openrtb/request.ts';
import { permissionOf } from '../../bidder/privacy.ts';
import { isSampled } from '../../bidder/sampling.ts';
import { NO_VENDOR } from '../../proto/privacy/permission.ts';
import { adEvents, bidsOf, eventually, publish, startBidder, type TestBidder } from '../bidder/support/bidder.ts';
import { exchange, lineItem, NOON, snapshot, wireRequest } from '../bidder/support/live.ts';
import { startRedis, type TestRedis } from '../support/redis.ts';

const TOKEN = 'a-token-of-the-exchange';
const tokenHash = createHash('sha256').update(TOKEN).digest('hex');

const SIGNATURE = { header: 'x-signature', secret: 'a secret of the exchange' };
const signatureOf = (body: string | Buffer): string => createHmac('sha256', SIGNATURE.secret).update(body).digest('hex');

let redis: TestRedis;
let client: Redis;
let bidder: TestBidder;

beforeAll(async () => {
  redis = await startRedis();
  client = redis.connect();
  const exchanges = [
    exchange('open'),
    exchange('locked', { tokenHash }),
    exchange('signed', { signature: SIGNATURE }),
    exchange('both', { signature: SIGNATURE, tokenHash }),
    exchange('terse', { maxAnswerBytes: 4_096, bidsPerImp: 3 }),
    exchange('mute', { maxAnswerBytes: 1_024 }),
    exchange('base64', { price: { kind: 'b64' } }),
    exchange('none', { sampling: 0 }),
    exchange('half', { sampling: 0.5 }),
  ];
  await publish(client, snapshot({ exchanges, lineItems: [lineItem('a'), lineItem('b'), lineItem('c')] }));
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

describe('the signature of an exchange', () => {
  const post = (path: string, payload: string | Buffer, headers: Record<string, string>) =>
    bidder.worker.app.inject({ method: 'POST', url: `/openrtb2/${path}`, payload, headers });

  it('opens to the body that it was made of, also where that is compressed, and to no other', async () => {
    const body = JSON.stringify(wireRequest());
    const packed = gzipSync(body);
    expect((await post('signed', body, { 'x-signature': signatureOf(body) })).statusCode).toBe(200);
    const headers = { 'x-signature': signatureOf(packed), 'content-encoding': 'gzip' };
    expect((await post('signed', packed, headers)).statusCode).toBe(200);
    expect((await post('signed', body, {})).statusCode).toBe(404);
    expect((await post('signed', `${body} `, { 'x-signature': signatureOf(body) })).statusCode).toBe(404);
    expect((await post('both', body, { 'x-signature': signatureOf(body) })).statusCode).toBe(404);
    expect((await post(`both?token=${TOKEN}`, body, { 'x-signature': signatureOf(body) })).statusCode).toBe(200);
  });

  it('is hex of the right length, once', () => {
    const body = Buffer.from('x');
    const good = signatureOf(body);
    const given: (string | string[] | undefined)[] = [
      '',
      good.toUpperCase(),
      good.slice(2),
      `${good}00`,
      [good, good],
      undefined,
    ];
    for (const value of given) expect(isSignedBy({ signature: SIGNATURE }, body, { 'x-signature': value })).toBe(false);
    expect(isSignedBy({ signature: SIGNATURE }, body, { 'x-signature': good })).toBe(true);
    expect(isSignedBy({ signature: null }, body, {})).toBe(true);
  });
});

describe('the longest answer of an exchange', () => {
  it('holds the dearest bids that fit', async () => {
    const reply = await bidder.bid(wireRequest(), {}, 'terse');
    expect(reply.statusCode).toBe(200);
    expect(Buffer.byteLength(reply.body)).toBeLessThanOrEqual(4_096);
    const bids = reply.json().seatbid.flatMap((seat: { bid: unknown[] }) => seat.bid);
    expect(bids).toHaveLength(1);
  });

  it('leaves bids out, which are told as decided and not sent', async () => {
    const reply = await bidder.bid(wireRequest({ id: 'left-out' }), {}, 'terse');
    const [sent] = bidsOf(reply);
    const own = async () => (await adEvents(client)).filter(({ auction }) => auction === 'left-out');
    const events = await eventually(own, ({ length }) => length === 3);
    expect(events.filter(({ type }) => type === 'bid').map(({ bid }) => bid)).toEqual([sent?.id]);
    const others = events.filter(({ type }) => type !== 'bid');
    expect(others).toMatchObject([1, 2].map(() => ({ type: 'unsent', detail: 'too_large', cost: 0 })));
    expect(new Set(events.map(({ lineItem: id }) => id))).toEqual(new Set(['a', 'b', 'c']));
  });

  it('that not even one bid fits is a no-bid', async () => {
    expect((await bidder.bid(wireRequest(), {}, 'mute')).statusCode).toBe(204);
    expect(await bidder.count('noBids', { reason: 'no_creative' })).toBe(1);
  });
});

it('a bid that is decided when its answer is late already is told as decided, and gives back what it held', () => {
  const index = buildIndex(snapshot({ lineItems: [lineItem('a', { budget: { campaign: null, total: 1e9, daily: null } })] }));
  const notes = decodeNotes();
  const request = decodeRequest(Buffer.from(JSON.stringify(wireRequest())), 'json', notes) as BidRequest;
  const dry = dryRun('pepper', NO_VENDOR, { publicUrl: 'https://w.example', reservationSeconds: 60 }, () => 1e9);
  const given: string[] = [];
  let isDecided = false;
  const leases = {
    ...dry.deps.leases,
    reserve: () => {
      isDecided = true;
      return 'lease';
    },
    cancel: (_of: unknown, lease: string) => void given.push(lease),
  };
  const verdict = bidOn({
    deps: { ...dry.deps, leases },
    index,
    exchange: exchange('x'),
    request,
    permission: permissionOf(request),
    person: NOBODY,
    // The time is over once it is decided.
    get deadline() {
      return isDecided ? Number.NEGATIVE_INFINITY : Number.POSITIVE_INFINITY;
    },
    now: NOON,
    format: 'json',
    notes,
  });
  expect(verdict).toBe('deadline');
  expect(given).toEqual(['lease']);
  expect(dry.events).toMatchObject([
    { type: 'unsent', detail: 'late', lineItem: 'a', auction: request.id, at: NOON, bidAt: NOON },
  ]);
});

it('the price of an exchange that encodes it is asked for so', async () => {
  const reply = await bidder.bid(wireRequest(), {}, 'base64');
  expect(reply.body).toContain('p=${AUCTION_PRICE:B64}&c=${AUCTION_CURRENCY}');
  expect(reply.body).not.toContain('${AUCTION_PRICE}');
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
