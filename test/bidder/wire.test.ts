import { createHash } from 'node:crypto';
import * as zlib from 'node:zlib';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { decodeResponseMessage } from '../../bidder/openrtb/protobuf.ts';
import { startRedis, type TestRedis } from '../support/redis.ts';
import { publish, startBidder, type TestBidder } from './support/bidder.ts';
import { creative, exchange, lineItem, snapshot, wireRequest } from './support/live.ts';
import { encodeRequestMessage } from './support/message.ts';

let redis: TestRedis;
let bidder: TestBidder;

beforeAll(async () => {
  redis = await startRedis();
  await publish(
    redis.connect(),
    snapshot({
      exchanges: [
        exchange('x'),
        exchange('binary', { format: 'protobuf' }),
        exchange('curious', { sendsNoBidReason: true }),
        exchange('secret', { tokenHash: createHash('sha256').update('open sesame').digest('hex') }),
        exchange('packed', { gzip: 'always' }),
        exchange('plain', { gzip: 'never' }),
        exchange('sampled', { sampling: 0 }),
      ],
      lineItems: [
        lineItem('any'),
        lineItem('long', { creatives: [creative('cr_long', { w: 728, h: 90, html: 'x'.repeat(3_000) })] }),
      ],
    }),
  );
  bidder = await startBidder(redis.path);
});

afterAll(async () => {
  await bidder?.close();
  await redis?.stop();
});

function send(body: Buffer | string, headers: Record<string, string> = {}, path = 'x') {
  return bidder.worker.app.inject({ method: 'POST', url: `/openrtb2/${path}`, payload: body, headers });
}

const JSON_BODY = JSON.stringify(wireRequest());
const LONG = JSON.stringify(wireRequest({ imp: [{ id: '1', banner: { w: 728, h: 90 } }] }));
const UNFIT = { imp: [{ id: '1', banner: { w: 1, h: 2 } }] };
const MESSAGE = encodeRequestMessage(wireRequest());
const PROTOBUF = { 'content-type': 'application/x-protobuf' };

describe('the content of a call', () => {
  it('is JSON by its type with any parameters, as text, and without a type', async () => {
    for (const type of ['application/json', 'application/json; charset=utf-8', 'APPLICATION/JSON', 'text/plain', '']) {
      const reply = await send(JSON_BODY, type === '' ? {} : { 'content-type': type });
      expect([reply.statusCode, reply.headers['content-type']], type).toEqual([200, 'application/json']);
    }
  });

  it('is protobuf by its type, and so is the answer', async () => {
    for (const type of ['application/x-protobuf', 'application/protobuf', 'application/x-protobuf; v=1']) {
      const reply = await send(MESSAGE, { 'content-type': type });
      expect([reply.statusCode, reply.headers['content-type']], type).toEqual([200, 'application/x-protobuf']);
      expect(decodeResponseMessage(reply.rawPayload)).toMatchObject({
        id: 'auction-1',
        cur: 'USD',
        seatbid: [{ bid: [{ impid: '1', price: 2, crid: 'cr_any', adomain: ['shop.example'], mtype: 1, w: 300, h: 250 }] }],
      });
    }
  });

  it('is what the exchange says where the type does not tell', async () => {
    const octets = { 'content-type': 'application/octet-stream' };
    expect((await send(MESSAGE, octets, 'binary')).statusCode).toBe(200);
    expect((await send(MESSAGE, {}, 'binary')).statusCode).toBe(200);
    expect((await send(JSON_BODY, octets)).statusCode).toBe(200);
    expect((await send(JSON_BODY, { 'content-type': 'application/json' }, 'binary')).statusCode).toBe(200);
    expect((await send(JSON_BODY, octets, 'binary')).statusCode).toBe(400);
    expect((await send(MESSAGE, octets)).statusCode).toBe(400);
  });

  it.each([
    ['gzip', zlib.gzipSync],
    ['x-gzip', zlib.gzipSync],
    ['GZIP', zlib.gzipSync],
    ['deflate', zlib.deflateSync],
    ['deflate', zlib.deflateRawSync],
    ['br', zlib.brotliCompressSync],
  ])('may be compressed with %s', async (encoding, compress) => {
    expect((await send(compress(Buffer.from(JSON_BODY)), { 'content-encoding': encoding })).statusCode).toBe(200);
    expect((await send(compress(MESSAGE), { ...PROTOBUF, 'content-encoding': encoding })).statusCode).toBe(200);
  });

  it('may be compressed with zstd where Node has it, and else is refused with what would be taken', async () => {
    const { zstdCompressSync } = zlib as { zstdCompressSync?: (body: Buffer) => Buffer };
    const magic = Buffer.concat([Buffer.from([0x28, 0xb5, 0x2f, 0xfd]), Buffer.alloc(20)]);
    const reply = await send(zstdCompressSync?.(Buffer.from(JSON_BODY)) ?? magic, { 'content-encoding': 'zstd' });
    expect(reply.statusCode).toBe(zstdCompressSync === undefined ? 400 : 200);
    if (zstdCompressSync !== undefined) return;
    expect([reply.body, reply.headers['accept-encoding']]).toEqual(['', 'gzip, deflate, br']);
    expect(await bidder.count('requests', { exchange: 'x', outcome: 'unsupported_encoding' })).toBe(1);
  });

  it('is never inflated beyond the limit', async () => {
    const bomb = zlib.gzipSync(Buffer.alloc(50_000_000));
    expect(bomb.length).toBeLessThan(64 * 1024);
    const before = process.memoryUsage();
    for (let i = 0; i < 50; i++) {
      const reply = await send(bomb, { 'content-encoding': 'gzip' });
      expect([reply.statusCode, reply.body]).toEqual([400, '']);
    }
    const after = process.memoryUsage();
    expect(after.arrayBuffers + after.heapUsed - before.arrayBuffers - before.heapUsed).toBeLessThan(60_000_000);
  });

  it('that is cut off is malformed', async () => {
    const gzip = zlib.gzipSync(JSON_BODY);
    expect((await send(gzip.subarray(0, gzip.length - 12), { 'content-encoding': 'gzip' })).statusCode).toBe(400);
    expect((await send(MESSAGE.subarray(0, MESSAGE.length - 1), PROTOBUF)).statusCode).toBe(400);
    expect((await send(JSON_BODY.slice(0, -3))).statusCode).toBe(400);
    expect((await send('', PROTOBUF)).statusCode).toBe(400);
  });
});

describe('an answer', () => {
  const encodingOf = async (accept: string, path = 'x', body = LONG) => {
    const reply = await send(body, accept === '' ? {} : { 'accept-encoding': accept }, path);
    expect(reply.statusCode).toBe(200);
    return reply.headers['content-encoding'];
  };

  it('is compressed as the call asks, where it is worth it', async () => {
    expect(await encodingOf('gzip')).toBe('gzip');
    expect(await encodingOf('br')).toBe('br');
    expect(await encodingOf('deflate, gzip;q=0.5, br;q=0.9')).toBe('br');
    expect(await encodingOf('*')).toBe('gzip');
    expect(await encodingOf('')).toBeUndefined();
    expect(await encodingOf('identity, gzip;q=0, br; q=0')).toBeUndefined();
    const short = await send(JSON.stringify(wireRequest(UNFIT)), { 'accept-encoding': 'gzip' }, 'curious');
    expect(short.headers['content-encoding']).toBeUndefined();
    expect(await bidder.count('requests', { exchange: 'curious', outcome: 'no_bid' })).toBe(1);
  });

  it('is compressed as the exchange is set up, whatever the call says', async () => {
    expect(await encodingOf('', 'packed')).toBe('gzip');
    expect(await encodingOf('gzip', 'plain')).toBeUndefined();
  });

  it('is the same inflated', async () => {
    const crids = (body: Buffer) => /cr_long/.test(body.toString());
    const gzip = await send(LONG, { 'accept-encoding': 'gzip' });
    expect(crids(zlib.gunzipSync(gzip.rawPayload))).toBe(true);
    expect(gzip.headers['content-length']).toBe(String(gzip.rawPayload.length));
    expect(crids(zlib.brotliDecompressSync((await send(LONG, { 'accept-encoding': 'br' })).rawPayload))).toBe(true);
  });

  it('without a bid is empty, and never compressed', async () => {
    const reply = await send(JSON.stringify(wireRequest(UNFIT)), { 'accept-encoding': 'gzip, br' });
    expect([reply.statusCode, reply.rawPayload.length]).toEqual([204, 0]);
    expect(reply.headers).not.toHaveProperty('content-encoding');
    expect(reply.headers).not.toHaveProperty('content-type');
    expect(reply.headers['x-openrtb-version']).toBe('2.6');
  });

  it('says why nothing is bid, where the exchange wants to know', async () => {
    const reply = await send(JSON.stringify(wireRequest(UNFIT)), {}, 'curious');
    expect(reply.statusCode).toBe(200);
    expect(reply.json()).toEqual({ id: 'auction-1', nbr: 508, seatbid: [] });
    const twice = await send(JSON.stringify(wireRequest({ site: { id: 's' } })), {}, 'curious');
    expect(twice.json()).toEqual({ id: 'auction-1', nbr: 2, seatbid: [] });
    const message = await send(encodeRequestMessage(wireRequest(UNFIT)), PROTOBUF, 'curious');
    expect(decodeResponseMessage(message.rawPayload)).toEqual({ id: 'auction-1', nbr: 508 });
    expect(await bidder.count('requests', { exchange: 'curious', outcome: 'no_bid' })).toBe(4);
    expect((await send('{', {}, 'curious')).statusCode).toBe(400);
  });

  it('answers a test that is not bid on as any other', async () => {
    expect((await send(JSON.stringify(wireRequest({ ...UNFIT, test: 1 })))).statusCode).toBe(204);
  });
});

describe('a connection', () => {
  it('is kept longer than an exchange leaves it idle, for any number of requests', () => {
    const { server } = bidder.worker.app;
    expect(server.keepAliveTimeout).toBeGreaterThanOrEqual(150_000);
    expect(server.headersTimeout).toBeGreaterThan(server.keepAliveTimeout);
    expect([server.maxRequestsPerSocket, server.requestTimeout]).toEqual([0, 0]);
  });
});

describe('an exchange', () => {
  it('with a token is unknown to who does not know it', async () => {
    for (const path of [
      'secret',
      'secret?token=',
      'secret?token=open',
      'secret?token=open+sesame&token=x',
      'secret?Token=open+sesame',
    ]) {
      const reply = await send(JSON_BODY, {}, path);
      expect([reply.statusCode, reply.body], path).toEqual([404, '']);
    }
    expect((await send(JSON_BODY, {}, 'secret?token=open%20sesame')).statusCode).toBe(200);
    expect((await send(JSON_BODY, {}, 'x?token=anything')).statusCode).toBe(200);
  });

  it('of which nothing is sampled gets no bid', async () => {
    expect((await send(JSON_BODY, {}, 'sampled')).statusCode).toBe(204);
    expect(await bidder.count('noBids', { reason: 'shed' })).toBe(1);
  });

  it('has its quirks counted', async () => {
    const request = wireRequest({ tmax: '120', at: undefined, imp: [{ id: 1, banner: { w: '300', h: 250 }, bidfloor: '-1' }] });
    expect((await send(JSON.stringify(request), {}, 'plain')).statusCode).toBe(200);
    for (const quirk of ['number_as_text', 'at_missing', 'text_as_number', 'negative_floor'])
      expect(await bidder.count('quirks', { exchange: 'plain', quirk }), quirk).toBe(1);
    expect(await bidder.count('quirks', { exchange: 'plain', quirk: 'tmax_missing' })).toBe(0);
  });
});

describe('a body that means harm', () => {
  const imps = (count: number) => Array.from({ length: count }, (_, id) => ({ id: String(id), banner: { w: 300, h: 250 } }));
  const nested = (depth: number) => '['.repeat(depth) + ']'.repeat(depth);

  it.each([
    ['10,000 places', `{"id":"1","imp":[${'{"id":1},'.repeat(10_000)}{}]}`, [204]],
    ['201 places', JSON.stringify(wireRequest({ imp: imps(201) })), [204]],
    ['deep nesting at the root', nested(100_000), [400]],
    ['deep nesting in objects', `${'{"id":'.repeat(40_000)}1${'}'.repeat(40_000)}`, [400]],
    ['deep nesting where an imp belongs', `{"id":"1","imp":${nested(50_000)}}`, [204]],
    ['a prototype', '{"__proto__":{"id":"1","imp":[{"id":"1","banner":{"w":300,"h":250}}]}}', [400]],
    ['a prototype of an imp', '{"id":"1","imp":[{"__proto__":{"id":"1","banner":{"w":300,"h":250}}}]}', [204]],
    ['not a number', '{"id":"1","imp":[{"id":"1","bidfloor":NaN}]}', [400]],
    ['an infinite floor', JSON_BODY.replace('"id":"1",', '"id":"1","bidfloor":1e999,'), [204]],
    ['1 MB', ' '.repeat(1_000_000), [400]],
    [
      'bytes that are no text',
      Buffer.concat([Buffer.from(JSON_BODY.slice(0, -1)), Buffer.from(',"x":"\xff\xfe"}', 'latin1')]),
      [400],
    ],
    ['half a character', JSON_BODY.replace('auction-1', '\ufffd'), [204]],
  ])('of %s gets a clean answer', async (_name, body, statuses) => {
    const reply = await send(body);
    expect(statuses).toContain(reply.statusCode);
    expect(reply.body).toBe('');
    expect(await bidder.count('errors')).toBe(0);
  });

  it('may hold the greatest number of places that are looked at', async () => {
    expect((await send(JSON.stringify(wireRequest({ imp: imps(200) })))).statusCode).toBe(200);
  });

  it('may name a field twice: the last one counts', async () => {
    const reply = await send(JSON_BODY.replace('{', '{"id":"first",'));
    expect(reply.json()).toMatchObject({ id: 'auction-1' });
  });

  it('leaves nothing behind', async () => {
    expect(({} as Record<string, unknown>)['banner']).toBeUndefined();
    expect((await send(JSON_BODY)).statusCode).toBe(200);
  });
});
