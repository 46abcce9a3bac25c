import { existsSync, readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { gunzipSync, gzipSync } from 'node:zlib';
import fc from 'fast-check';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { capField } from '../../bidder/core/person.ts';
import { keyIdentifier } from '../../proto/identifier.ts';
import { capsKey, profileKey, WORKERS_KEY } from '../../proto/keys.ts';
import { startRedis, type TestRedis } from '../support/redis.ts';
import {
  adEvents,
  bidsOf,
  clickOf,
  eventually,
  PEPPER,
  PUBLIC_URL,
  pixelOf,
  publish,
  startBidder,
  type TestBidder,
} from './support/bidder.ts';
import { creative, exchange, LAT, LON, lineItem, NOON, snapshot, store, wireRequest } from './support/live.ts';
import { profileValue } from './support/person.ts';

const HOUR = 3_600_000;
let redis: TestRedis;
let bidder: TestBidder;

beforeAll(async () => {
  redis = await startRedis();
  await publish(
    redis.connect(),
    snapshot({
      exchanges: [exchange('x', { seat: '77' }), exchange('sim', { simulated: true })],
      stores: [store('s', { name: 'Tom & Jerry', lat: LAT + 0.0003 })],
      lineItems: [
        lineItem('any', { targeting: { promotedStores: ['s'] } }),
        lineItem('fans', { bid: { maxCpm: 5_000_000, distance: null }, targeting: { segments: [[3, 7]] } }),
        lineItem('capped', {
          bid: { maxCpm: 4_000_000, distance: null },
          caps: [{ count: 2, windowMs: HOUR }],
          targeting: { segments: [[8]] },
        }),
        lineItem('fenced', { creatives: [creative('cr_wide', { w: 728, h: 90 })], targeting: { stores: ['s'] } }),
        lineItem('noon', {
          creatives: [creative('cr_tall', { w: 160, h: 600 })],
          start: NOON,
          end: NOON + 1,
          targeting: { exchanges: ['sim', 'x'] },
        }),
      ],
    }),
  );
  bidder = await startBidder(redis.path);
});

afterAll(async () => {
  await bidder?.close();
  await redis?.stop();
});

function send(body: Buffer | string, headers: Record<string, string> = {}, url = '/openrtb2/x') {
  return bidder.worker.app.inject({ method: 'POST', url, payload: body, headers });
}

describe('a bid', () => {
  it('holds all that exchanges ask for', async () => {
    const reply = await bidder.bid();
    expect(reply.headers).toMatchObject({ 'content-type': 'application/json', 'x-openrtb-version': '2.6' });
    const response = JSON.parse(reply.body) as Record<string, unknown>;
    const [bid] = bidsOf(reply);
    expect(response).toMatchObject({ id: 'auction-1', bidid: bid?.id, cur: 'USD', seatbid: [{ seat: '77' }] });
    expect(bid).toMatchObject({
      impid: '1',
      price: 2,
      adid: 'cr_any',
      crid: 'cr_any',
      cid: 'cmp_any',
      adomain: ['shop.example'],
      cat: ['IAB22-1'],
      attr: [],
      w: 300,
      h: 250,
      mtype: 1,
      exp: 60,
    });
    for (const address of [bid?.nurl, bid?.burl, bid?.lurl]) expect(address).toContain(`${PUBLIC_URL}/n/`);
    expect(Buffer.byteLength(reply.body)).toBeLessThan(4_096);
  });

  it('has markup whose macros are escaped, with our pixel and click address', async () => {
    const bid = await bidder.onlyBid();
    expect(bid.adm).toContain('>Tom &amp; Jerry</a>');
    expect(pixelOf(bid)).toMatch(/^https:\/\/bidder\.example\/n\/imp\?d=[\w-]+&s=[\w-]+&p=\$\{AUCTION_PRICE\}/);
    expect(new URL(clickOf(bid)).searchParams.get('u')).toBe('https://shop.example/?s=s');
  });

  it('is known by an id that no other bid has', async () => {
    const bids = await Promise.all(Array.from({ length: 50 }, () => bidder.onlyBid()));
    expect(new Set(bids.map(({ id }) => id)).size).toBe(50);
  });

  it('is written to the stream with all that is known of it', async () => {
    const request = wireRequest({ id: 'written', device: { ifa: 'written', geo: { lat: LAT, lon: LON, type: 1, accuracy: 5 } } });
    const bid = await bidder.onlyBid(request);
    const written = await eventually(
      async () => (await adEvents(redis.connect())).find((event) => event.bid === bid.id),
      (event) => event !== undefined,
    );
    const identifier = keyIdentifier({ kind: 'ifa', value: 'written' }, PEPPER);
    expect(written).toMatchObject({
      type: 'bid',
      auction: 'written',
      imp: '1',
      exchange: 'x',
      lineItem: 'any',
      store: 's',
      identifier,
      anchor: identifier,
      price: 2_000_000,
      cost: 0,
      clearing: null,
      metres: 33,
      test: false,
    });
  });

  it('names nobody where privacy forbids it', async () => {
    const bid = await bidder.onlyBid(wireRequest({ device: { ifa: 'somebody', lmt: 1 }, user: { id: 'u' } }));
    const written = await eventually(
      async () => (await adEvents(redis.connect())).find((event) => event.bid === bid.id),
      (event) => event !== undefined,
    );
    expect([written?.identifier, written?.metres]).toEqual(['', null]);
    const payload = new URL(bid.nurl ?? '').searchParams.get('d') ?? '';
    expect(Buffer.from(payload, 'base64url').toString()).not.toContain(keyIdentifier({ kind: 'ifa', value: 'somebody' }, PEPPER));
  });

  it('is compressed where that is accepted and worth it', async () => {
    const reply = await bidder.bid(undefined, { 'accept-encoding': 'gzip, deflate' });
    expect(reply.headers['content-encoding']).toBe('gzip');
    expect(JSON.parse(gunzipSync(reply.rawPayload).toString())).toMatchObject({ id: 'auction-1' });
  });

  it('follows the profile of the first identifier that has one', async () => {
    const anchor = '0b0e8c8e-1111-8111-8111-0123456789ab';
    const key = keyIdentifier({ kind: 'exchange', value: 'x:fan' }, PEPPER) as string;
    await redis.connect().set(profileKey(key), profileValue([2, 7], Date.now(), { anchor }));
    const request = wireRequest({ id: 'fan', device: { ifa: 'unknown-device' }, user: { id: 'fan' } });
    const bid = await bidder.onlyBid(request);
    expect(bid.price).toBe(5);
    const events = await eventually(
      async () => (await adEvents(redis.connect())).filter((event) => event.bid === bid.id),
      (found) => found.length > 0,
    );
    expect(events[0]).toMatchObject({ identifier: key, anchor });
  });

  it('follows the caps of the anchor, and of the identifier where there is no profile', async () => {
    const client = redis.connect();
    const anchor = '0b0e8c8e-2222-8222-8222-0123456789ab';
    const key = keyIdentifier({ kind: 'ifa', value: 'capped' }, PEPPER) as string;
    await client.set(profileKey(key), profileValue([8], Date.now(), { anchor }));
    const request = wireRequest({ device: { ifa: 'capped' } });
    expect((await bidder.onlyBid(request)).price).toBe(4);
    await client.hset(capsKey(anchor), capField('capped', HOUR, Date.now()), 2, capField('capped', HOUR, Date.now() + HOUR), 2);
    expect((await bidder.onlyBid(request)).price).toBe(2);
  });
});

describe('the bid endpoint', () => {
  it('answers 204 without body where nothing is bid, and counts the one reason', async () => {
    const before = await bidder.count('noBids', { reason: 'no_creative' });
    const reply = await bidder.bid(wireRequest({ imp: [{ id: '1', banner: { w: 1, h: 1 } }] }));
    expect([reply.statusCode, reply.body]).toEqual([204, '']);
    expect(await bidder.count('noBids', { reason: 'no_creative' })).toBe(before + 1);
  });

  it('answers 404 to unknown exchanges and paths, 405 to other methods, always without content', async () => {
    const { app } = bidder.worker;
    const replies = await Promise.all([
      app.inject({ method: 'POST', url: '/openrtb2/nobody', payload: '{}' }),
      app.inject({ method: 'GET', url: '/openrtb2/x' }),
      app.inject({ method: 'DELETE', url: '/openrtb2/x' }),
      app.inject({ method: 'GET', url: '/elsewhere' }),
      app.inject({ method: 'GET', url: '/n/unheard?d=1&s=2' }),
      app.inject({ method: 'POST', url: '/openrtb2/%ff', payload: '{}' }),
    ]);
    expect(replies.map(({ statusCode, body }) => [statusCode, body])).toEqual([
      [404, ''],
      [405, ''],
      [405, ''],
      [404, ''],
      [404, ''],
      [400, ''],
    ]);
  });

  it('takes JSON under any content type or none', async () => {
    const body = JSON.stringify(wireRequest());
    for (const type of ['application/json; charset=utf-8', 'text/plain', 'application/octet-stream', '']) {
      expect((await send(body, type === '' ? {} : { 'content-type': type })).statusCode, type).toBe(200);
    }
    expect((await send(body, { 'content-type': 'no media type' })).statusCode).toBe(400);
  });

  it('takes compressed bodies, and refuses what is too large without content', async () => {
    const body = gzipSync(JSON.stringify(wireRequest()));
    expect((await send(body, { 'content-encoding': 'gzip' })).statusCode).toBe(200);
    expect((await send(body)).statusCode).toBe(200);
    const large = await Promise.all([
      send(Buffer.alloc(300_000, 32)),
      send(gzipSync(Buffer.alloc(300_000)), { 'content-encoding': 'gzip' }),
    ]);
    expect(large.map(({ statusCode, body: content }) => [statusCode, content])).toEqual([
      [400, ''],
      [400, ''],
    ]);
  });

  it('answers no bid where the time is already gone', async () => {
    const before = await bidder.count('noBids', { reason: 'deadline' });
    expect((await bidder.bid(wireRequest({ tmax: 10 }))).statusCode).toBe(204);
    expect(await bidder.count('noBids', { reason: 'deadline' })).toBe(before + 1);
  });

  it('takes the stated time of a simulated exchange only', async () => {
    const request = wireRequest({ imp: [{ id: '1', banner: { w: 160, h: 600 } }] });
    const header = { 'x-walkin-time': String(NOON) };
    expect((await bidder.bid(request, header, 'sim')).statusCode).toBe(200);
    expect((await bidder.bid(request, header, 'x')).statusCode).toBe(204);
  });

  it('says which snapshot it serves', async () => {
    expect((await bidder.worker.app.inject('/readyz')).json()).toEqual({
      ready: true,
      reasons: [],
      snapshotVersion: 1,
      snapshotRefused: null,
    });
    expect((await bidder.worker.app.inject('/livez')).statusCode).toBe(200);
    const workers = await redis.connect().hgetall(WORKERS_KEY);
    expect(Object.values(workers).map((value) => (JSON.parse(value) as { version: number }).version)).toEqual([1]);
  });
});

describe('any bytes', () => {
  const CLEAN = [200, 204, 400];

  it('get a clean answer', async () => {
    const mutated = fc.tuple(fc.nat(), fc.uint8Array({ minLength: 1, maxLength: 4 })).map(([at, bytes]) => {
      const body = Buffer.from(JSON.stringify(wireRequest()));
      body.set(bytes.subarray(0, body.length), Math.min(at % body.length, body.length - bytes.length));
      return body;
    });
    const json = fc.json().map((text) => Buffer.from(text));
    const gzipped = fc.oneof(json, mutated).map((body) => gzipSync(body));
    const bytes = fc.uint8Array({ maxLength: 300 }).map((array) => Buffer.from(array));
    const headers = fc.record(
      {
        'content-type': fc.constantFrom('application/json', 'text/plain', 'x'),
        'content-encoding': fc.constantFrom('gzip', 'br', 'deflate', 'zstd', ''),
      },
      { requiredKeys: [] },
    );
    await fc.assert(
      fc.asyncProperty(fc.oneof(json, mutated, gzipped, bytes), headers, async (body, given) => {
        const reply = await send(body, given as Record<string, string>);
        expect(CLEAN).toContain(reply.statusCode);
        if (reply.statusCode !== 200) expect(reply.body).toBe('');
      }),
      { numRuns: 1_500, seed: 11 },
    );
  }, 60_000);

  it('in any field get a clean answer', async () => {
    const anything = fc.jsonValue({ maxDepth: 2 });
    const paths = fieldPaths(
      wireRequest({ regs: { gdpr: 0 }, user: { id: 'u' }, cur: ['USD'], bcat: ['IAB1'], badv: ['a.b'], tmax: 100 }),
    );
    await fc.assert(
      fc.asyncProperty(fc.constantFrom(...paths), anything, async (path, value) => {
        const reply = await send(JSON.stringify(withField(wireRequest(), path, value)));
        expect(CLEAN).toContain(reply.statusCode);
      }),
      { numRuns: 1_500, seed: 12 },
    );
    expect(await bidder.count('errors')).toBe(0);
  }, 60_000);
});

function fieldPaths(value: unknown, path: readonly string[] = []): string[][] {
  if (typeof value !== 'object' || value === null) return path.length === 0 ? [] : [[...path]];
  const below = Object.entries(value).flatMap(([key, part]) => fieldPaths(part, [...path, key]));
  return path.length === 0 ? below : [[...path], ...below];
}

function withField(
  target: Record<string, unknown>,
  [key = '', ...rest]: readonly string[],
  value: unknown,
): Record<string, unknown> {
  const below = (target[key] ?? {}) as Record<string, unknown>;
  const copy = Array.isArray(target) ? [...target] : { ...target };
  (copy as Record<string, unknown>)[key] = rest.length === 0 ? value : withField(below, rest, value);
  return copy as Record<string, unknown>;
}

const CORPUS = join(process.env['WALKIN_SHARED'] ?? '../shared', 'data/openrtb');
const missing = !existsSync(CORPUS);
if (missing) console.warn(`skipped: no real bid requests at ${CORPUS} (set WALKIN_SHARED)`);

describe.skipIf(missing)('real requests', () => {
  it('that are valid are answered 200 or 204', async () => {
    for (const [file, body] of corpus('valid')) expect([200, 204], file).toContain((await send(body)).statusCode);
  });

  it('that are invalid get a clean answer, and those that are fatal no bid', async () => {
    const manifest = JSON.parse(readFileSync(join(CORPUS, 'invalid/manifest.json'), 'utf8')) as { file: string; class: string }[];
    expect(manifest.length).toBeGreaterThan(90);
    for (const { file, class: kind } of manifest) {
      const reply = await send(readFileSync(join(CORPUS, 'invalid', file)));
      expect(kind.startsWith('fatal') ? [204, 400] : [200, 204, 400], file).toContain(reply.statusCode);
    }
  });

  it('are bid on where a banner of our size is asked for', async () => {
    let bids = 0;
    for (const [, body] of corpus('valid')) if ((await send(body)).statusCode === 200) bids++;
    expect(bids).toBeGreaterThan(40);
  });
});

function corpus(folder: string): [file: string, body: Buffer][] {
  const files = readdirSync(join(CORPUS, folder), { recursive: true }).map(String);
  return files
    .filter((file) => file.endsWith('.json') && file !== 'manifest.json')
    .map((file) => [file, readFileSync(join(CORPUS, folder, file))]);
}
