import { connect, createServer, type Socket } from 'node:net';
import { gzipSync } from 'node:zlib';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import type { BidDoor } from '../../bidder/http/bid-door.ts';
import { type BidSocket, IDLE_LOOKS, openBidSocket } from '../../bidder/http/bid-socket.ts';
import { readConnection } from '../../bidder/http/reads.ts';
import { startRedis, type TestRedis } from '../support/redis.ts';
import { publish, startBidder, type TestBidder } from './support/bidder.ts';
import { exchange, lineItem, snapshot, wireRequest } from './support/live.ts';

let redis: TestRedis;
let bidder: TestBidder;
let port: number;
const BODY = JSON.stringify(wireRequest({ tmax: 900 }));

beforeAll(async () => {
  redis = await startRedis();
  const exchanges = [exchange('x'), exchange('few', { qps: 1 }), exchange('zip', { gzip: 'always' })];
  await publish(redis.connect(), snapshot({ exchanges, lineItems: [lineItem('a')] }));
  bidder = await startBidder(redis.path);
  await bidder.worker.app.listen({ host: '127.0.0.1', port: 0 });
  const address = bidder.worker.app.server.address();
  port = typeof address === 'object' && address !== null ? address.port : 0;
});
afterAll(async () => {
  await bidder.close();
  await redis.stop();
});

function post(path = '/openrtb2/x', body: string | Buffer = BODY, ...lines: string[]): Buffer {
  const own = ['content-type: application/json', `content-length: ${Buffer.byteLength(body)}`, ...lines];
  return Buffer.concat([Buffer.from(`POST ${path} HTTP/1.1\r\nhost: x\r\n${own.join('\r\n')}\r\n\r\n`), Buffer.from(body)]);
}

function byteByByte(bytes: Buffer, length: number): Buffer[] {
  return [...Array.from(bytes.subarray(0, length), (byte) => Buffer.of(byte)), bytes.subarray(length)];
}

interface Reply {
  readonly status: number;
  readonly headers: Record<string, string>;
  readonly body: Buffer;
}

/** What comes back on one connection until so many answers are whole, or the connection ends. */
async function repliesTo(pieces: readonly (string | Buffer)[], wanted: number): Promise<{ replies: Reply[]; ended: boolean }> {
  const socket = connect(port, '127.0.0.1');
  let received = Buffer.alloc(0);
  let ended = false;
  socket.on('data', (chunk) => {
    received = Buffer.concat([received, chunk]);
  });
  socket.on('close', () => {
    ended = true;
  });
  for (const piece of pieces) {
    socket.write(piece);
    await new Promise((resolve) => setTimeout(resolve, 15));
  }
  const end = Date.now() + 10_000;
  while (!ended && repliesIn(received).length < wanted && Date.now() < end)
    await new Promise((resolve) => setTimeout(resolve, 5));
  await new Promise((resolve) => setTimeout(resolve, 20));
  socket.destroy();
  return { replies: repliesIn(received), ended };
}

function repliesIn(bytes: Buffer): Reply[] {
  const replies: Reply[] = [];
  for (let at = 0; ; ) {
    const headEnd = bytes.indexOf('\r\n\r\n', at);
    if (headEnd < 0 || !bytes.toString('latin1', at, at + 5).startsWith('HTTP/')) return replies;
    const [first = '', ...lines] = bytes.toString('latin1', at, headEnd).split('\r\n');
    const headers = Object.fromEntries(lines.map((line) => line.split(/: (.*)/).slice(0, 2) as [string, string]));
    const low: Record<string, string> = Object.fromEntries(
      Object.entries(headers).map(([name, value]) => [name.toLowerCase(), value]),
    );
    const end = headEnd + 4 + Number(low['content-length'] ?? 0);
    if (bytes.length < end) return replies;
    replies.push({ status: Number(first.split(' ')[1]), headers: low, body: bytes.subarray(headEnd + 4, end) });
    at = end;
  }
}

it('is answered with its own answer where hundreds come in one moment and most of them wait for their turn', async () => {
  const ids = Array.from({ length: 300 }, (_, at) => `auction-${at}`);
  const sockets = ids.map(() => connect(port, '127.0.0.1'));
  const answerTo = async (socket: Socket, id: string): Promise<unknown> => {
    let received = Buffer.alloc(0);
    socket.write(post('/openrtb2/x', JSON.stringify(wireRequest({ id, tmax: 1_000 }))));
    return new Promise((resolve) => {
      socket.on('data', function take(chunk) {
        received = Buffer.concat([received, chunk]);
        const [reply] = repliesIn(received);
        if (reply === undefined) return;
        socket.off('data', take);
        resolve(reply.status === 200 ? JSON.parse(`${reply.body}`).id : reply.status);
      });
    });
  };
  // Accepted all, one by one.
  for (const socket of sockets) await answerTo(socket, 'first');
  const answered = await Promise.all(sockets.map((socket, at) => answerTo(socket, ids[at] as string)));
  for (const socket of sockets) socket.destroy();
  // On a machine that does other things too, some are refused.
  expect(answered).toEqual(ids.map((id, at) => (answered[at] === 204 ? 204 : id)));
});

describe('a bid request straight off its socket', () => {
  it('has the answer that it has by way of Fastify', async () => {
    const [fastify, { replies }] = [
      await bidder.worker.app.inject({ method: 'POST', url: '/openrtb2/x', payload: BODY, headers: JSON_TYPE }),
      await repliesTo([post()], 1),
    ];
    const [reply] = replies as [Reply];
    expect(reply.status).toBe(200);
    const names = (headers: object): string[] => Object.keys(headers).sort();
    expect(names(reply.headers)).toEqual(names({ ...fastify.headers, 'keep-alive': '' }));
    expect(reply.headers['content-type']).toBe(fastify.headers['content-type']);
    expect(shapeOf(reply.body.toString())).toEqual(shapeOf(fastify.body));
  });

  it.each([
    ['in one piece', (bytes: Buffer) => [bytes]],
    ['in the middle of a body', (bytes: Buffer) => [bytes.subarray(0, bytes.length - 40), bytes.subarray(bytes.length - 40)]],
    ['in the middle of a head', (bytes: Buffer) => [bytes.subarray(0, 40), bytes.subarray(40)]],
    ['in the first word', (bytes: Buffer) => [bytes.subarray(0, 3), bytes.subarray(3)]],
    ['byte by byte', (bytes: Buffer) => byteByByte(bytes, 30)],
  ])('is answered however it comes: %s', async (_name, cut) => {
    const { replies, ended } = await repliesTo([...cut(post()), ...cut(post())], 2);
    expect(replies.map(({ status }) => status)).toEqual([200, 200]);
    expect(ended).toBe(false);
  });

  it('is answered in its turn where others do not wait', async () => {
    const ids = ['one', 'two', 'three', 'four'];
    const bodies = ids.map((id) => JSON.stringify(wireRequest({ tmax: 900, id })));
    const { replies } = await repliesTo([Buffer.concat(bodies.map((body) => post('/openrtb2/x', body)))], 4);
    expect(replies.map(({ body }) => (JSON.parse(body.toString()) as { id: string }).id)).toEqual(ids);
  });

  it('is refused by its head where its exchange sends too many, and the connection goes on', async () => {
    const { replies } = await repliesTo([Buffer.concat([post('/openrtb2/few'), post('/openrtb2/few'), post()])], 3);
    expect(replies.map(({ status }) => status)).toEqual([200, 204, 200]);
  });

  it('says as before what is wrong with it', async () => {
    const statuses = async (...requests: Buffer[]): Promise<number[]> =>
      (await repliesTo(requests, requests.length)).replies.map(({ status }) => status);
    expect(await statuses(post('/openrtb2/nobody'), post('/openrtb2/x', '{'), post('/openrtb2/x', '[]'))).toEqual([
      404, 400, 400,
    ]);
    expect(await statuses(post('/openrtb2/x', 'x'.repeat(300_000)))).toEqual([400]);
  });

  it('may be compressed, and so may its answer', async () => {
    const { replies } = await repliesTo([post('/openrtb2/zip', gzipSync(BODY), 'content-encoding: gzip')], 1);
    expect(replies.map(({ status }) => status)).toEqual([200]);
    const long = await repliesTo([post('/openrtb2/x', BODY, 'accept-encoding: gzip')], 1);
    expect(long.replies[0]?.headers['content-encoding']).toBe('gzip');
  });
});

const JSON_TYPE = { 'content-type': 'application/json' };

/** But for what names the one bid. */
function shapeOf(body: string): unknown {
  const { bidid: _, seatbid, ...rest } = JSON.parse(body) as { bidid: string; seatbid: { bid: object[] }[] };
  return { ...rest, bids: seatbid.map(({ bid }) => bid.map((one) => Object.keys(one))) };
}

describe('what is no plain bid request', () => {
  const chunked = `POST /openrtb2/x HTTP/1.1\r\nhost: x\r\ntransfer-encoding: chunked\r\n\r\n${BODY.length.toString(16)}\r\n${BODY}\r\n0\r\n\r\n`;
  it.each<[string, (string | Buffer)[], number[]]>([
    ['another method', ['GET /openrtb2/x HTTP/1.1\r\nhost: x\r\n\r\n'], [405]],
    ['another path', ['GET /livez HTTP/1.1\r\nhost: x\r\n\r\n'], [200]],
    ['a body in chunks', [chunked, chunked], [200, 200]],
    ['a body in chunks, cut off in its head', [chunked.slice(0, 50), chunked.slice(50)], [200]],
    ['an encoded path', [post('/openrtb2/%78')], [200]],
    ['another question', [post('/openrtb2/x?a=b&token=1')], [200]],
    ['a header twice', [post('/openrtb2/x', BODY, 'x-openrtb-version: 2.6', 'x-openrtb-version: 2.6')], [200]],
    ['a folded header', [post('/openrtb2/x', BODY, 'x-a: 1\r\n  2')], [400]],
    // Node's own answer to it has a body in chunks, of which nothing is read here.
    ['no host', ['POST /openrtb2/x HTTP/1.1\r\ncontent-length: 2\r\n\r\n{}'], [400]],
    ['two lengths', [post('/openrtb2/x', BODY, 'content-length: 3')], [400]],
    ['no length', ['POST /openrtb2/x HTTP/1.1\r\nhost: x\r\n\r\n'], [400]],
    ['no HTTP', ['HELLO\r\n\r\n'], [400]],
    ['a head in many pieces', byteByByte(post(), 60), [200]],
  ])('goes to Node with its connection: %s', async (_name, pieces, statuses) => {
    // After one that is plain, too.
    for (const [before, first] of [
      [[], []],
      [[post()], [200]],
    ] as const) {
      const { replies } = await repliesTo([...before, ...pieces], first.length + statuses.length);
      expect(replies.map(({ status }) => status)).toEqual([...first, ...statuses]);
    }
  });

  it('leaves the connection open for plain ones', async () => {
    const { replies } = await repliesTo(['GET /livez HTTP/1.1\r\nhost: x\r\n\r\n', post(), post()], 3);
    expect(replies.map(({ status }) => status)).toEqual([200, 200, 200]);
  });

  it('ends it where that is asked for', async () => {
    const { replies, ended } = await repliesTo([post('/openrtb2/x', BODY, 'connection: close')], 1);
    expect(replies.map(({ status }) => status)).toEqual([200]);
    expect(ended).toBe(true);
  });
});

it('ends idle connections when the bidder closes, and answers what is under way', async () => {
  const own = await startBidder(redis.path);
  await own.worker.app.listen({ host: '127.0.0.1', port: 0 });
  const { port: ownPort } = own.worker.app.server.address() as { port: number };
  const [idle, half] = [connect(ownPort, '127.0.0.1'), connect(ownPort, '127.0.0.1')];
  const ended = (socket: typeof idle) => new Promise((resolve) => socket.once('close', resolve).resume());
  let received = '';
  half.on('data', (chunk) => {
    received += chunk.toString('latin1');
  });
  const bytes = post();
  half.write(bytes.subarray(0, bytes.length - 20));
  await new Promise((resolve) => setTimeout(resolve, 50));
  const [idleEnd, halfEnd] = [ended(idle), ended(half)];
  const closing = own.close();
  await idleEnd;
  half.write(bytes.subarray(bytes.length - 20));
  await halfEnd;
  expect(received).toMatch(/^HTTP\/1\.1 200 .*\r\nConnection: close\r\n/s);
  await closing;
});

it('closes a connection that has been idle for all looks, and no other', async () => {
  const door: BidDoor = { arrivalNow: () => 0, refuses: () => true, answer: () => undefined };
  const opened: BidSocket[] = [];
  const server = createServer((socket) => {
    opened.push(openBidSocket(socket, { door, handOver: () => undefined, onGone: () => undefined }));
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const client = connect((server.address() as { port: number }).port, '127.0.0.1');
  const answered = () => new Promise((resolve) => client.once('data', resolve));
  const look = (times: number): void => {
    for (let i = 0; i < times; i++) opened[0]?.closeIfIdle();
  };
  client.write(post());
  await answered();
  look(IDLE_LOOKS);
  client.write(post());
  await answered();
  look(IDLE_LOOKS);
  expect(client.closed).toBe(false);
  const closed = new Promise((resolve) => client.once('close', resolve));
  look(1);
  await closed;
  server.close();
});

describe('a connection', () => {
  const ways = [
    ['into memory of ours', (): void => undefined],
    ['as usual, where a socket cannot', (socket: object): void => hideUserBuffer(socket)],
  ] as const;

  it.each(ways)('is read %s, then as a stream; and its server knows when it is over', async (_way, prepare) => {
    const server = createServer((accepted) => {
      prepare(accepted);
      const { socket, stop } = readConnection(accepted, (bytes) => {
        stop();
        socket.on('data', (more) => socket.write(`stream:${more}`));
        socket.write(`ours:${bytes},`);
      });
      socket.on('end', () => socket.end());
    });
    await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
    const client = connect((server.address() as { port: number }).port, '127.0.0.1');
    let received = '';
    client.on('data', (bytes) => {
      received += bytes;
      if (received === 'ours:a,') client.write('b');
      if (received.endsWith('stream:b')) client.end();
    });
    client.write('a');
    await new Promise((resolve) => client.once('close', resolve));
    expect(received).toBe('ours:a,stream:b');
    await new Promise((resolve) => server.close(resolve));
  });
});

function hideUserBuffer(socket: object): void {
  Object.defineProperty((socket as { _handle: object })._handle, 'useUserBuffer', { value: null });
}
