import { connect } from 'node:net';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { startRedis, type TestRedis } from '../support/redis.ts';
import { publish, startBidder, type TestBidder } from './support/bidder.ts';
import { exchange, lineItem, snapshot, wireRequest } from './support/live.ts';

let redis: TestRedis;
let bidder: TestBidder;
let port: number;
const BODY = JSON.stringify(wireRequest({ tmax: 900 }));

beforeAll(async () => {
  redis = await startRedis();
  await publish(redis.connect(), snapshot({ lineItems: [lineItem('a')] }));
  bidder = await startBidder(redis.path);
  await bidder.worker.app.listen({ host: '127.0.0.1', port: 0 });
  const address = bidder.worker.app.server.address();
  port = typeof address === 'object' && address !== null ? address.port : 0;
});
afterAll(async () => {
  await bidder.close();
  await redis.stop();
});

/** What comes back on one connection for these pieces of bytes. */
async function statusesOf(pieces: readonly string[], wanted: number): Promise<string[]> {
  const socket = connect(port, '127.0.0.1');
  let received = '';
  socket.on('data', (chunk) => {
    received += chunk.toString('latin1');
  });
  const statuses = (): string[] => [...received.matchAll(/HTTP\/1\.1 (\d+) /g)].map(([, status]) => status ?? '');
  for (const piece of pieces) {
    socket.write(piece);
    await new Promise((resolve) => setTimeout(resolve, 20));
  }
  const end = Date.now() + 5_000;
  while (statuses().length < wanted && Date.now() < end) await new Promise((resolve) => setTimeout(resolve, 10));
  socket.destroy();
  return statuses();
}

const head = (length: number, more = ''): string =>
  `POST /openrtb2/x HTTP/1.1\r\nhost: h\r\ncontent-type: application/json\r\n${more}content-length: ${length}\r\n\r\n`;

it('a body in pieces, in chunks of HTTP, and one call after another are read', async () => {
  const half = Math.floor(BODY.length / 2);
  expect(await statusesOf([head(BODY.length), BODY.slice(0, half), BODY.slice(half)], 1)).toEqual(['200']);
  const chunk = (text: string): string => `${text.length.toString(16)}\r\n${text}\r\n`;
  const chunked = 'POST /openrtb2/x HTTP/1.1\r\nhost: h\r\ncontent-type: application/json\r\ntransfer-encoding: chunked\r\n\r\n';
  expect(await statusesOf([chunked, chunk(BODY.slice(0, half)), chunk(BODY.slice(half)), '0\r\n\r\n'], 1)).toEqual(['200']);
  expect(await statusesOf([`${head(BODY.length)}${BODY}${head(BODY.length)}${BODY}`], 2)).toEqual(['200', '200']);
  expect(await statusesOf([head(0)], 1)).toEqual(['400']);
});

it('a body that is announced or comes as more than is allowed is refused, and who hangs up breaks nothing', async () => {
  expect(await statusesOf([head(300_000)], 1)).toEqual(['400']);
  const chunked = 'POST /openrtb2/x HTTP/1.1\r\nhost: h\r\ncontent-type: application/json\r\ntransfer-encoding: chunked\r\n\r\n';
  const large = `${(300_000).toString(16)}\r\n${' '.repeat(300_000)}\r\n0\r\n\r\n`;
  expect(await statusesOf([chunked, large], 1)).toEqual(['400']);
  for (let i = 0; i < 5; i++) {
    const socket = connect(port, '127.0.0.1');
    socket.write(`${head(BODY.length)}${BODY.slice(0, 100)}`);
    await new Promise((resolve) => setTimeout(resolve, 10));
    socket.destroy();
  }
  expect(await statusesOf([`${head(BODY.length)}${BODY}`], 1)).toEqual(['200']);
  expect(await bidder.count('errors')).toBe(0);
});

it('what an exchange sends over its limit is answered without being read, and the connection serves on', async () => {
  await publish(redis.connect(), snapshot({ version: 2, exchanges: [exchange('x', { qps: 1 })], lineItems: [lineItem('a')] }));
  const end = Date.now() + 5_000;
  while (bidder.worker.feed.current()?.version !== 2 && Date.now() < end) await new Promise((resolve) => setTimeout(resolve, 10));
  const statuses = await statusesOf([`${head(BODY.length)}${BODY}`.repeat(4)], 4);
  expect(statuses).toHaveLength(4);
  expect(statuses.filter((status) => status === '204').length).toBeGreaterThanOrEqual(3);
  expect(await bidder.count('shed', { cause: 'qps' })).toBeGreaterThanOrEqual(3);
  expect(await bidder.count('noBids', { reason: 'shed' })).toBeGreaterThanOrEqual(3);
});
