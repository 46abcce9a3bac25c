import { Worker } from 'node:worker_threads';
import { afterEach, describe, expect, it } from 'vitest';
import { runClosedLoop } from '../../../load-tests/bench/closed-loop.ts';
import { doubtsOf, type OpenLoopOptions, runOpenLoop } from '../../../load-tests/bench/open-loop.ts';

/** A server in a thread of its own, so that its stall is not the generator's. `behave` is the code of a handler (request, reply). */
const SERVER = (behave: string) => `
  const { parentPort } = require('node:worker_threads');
  const stall = (ms) => Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, ms);
  let calls = 0;
  const server = require('node:http').createServer((request, reply) => {
    request.resume();
    request.on('end', () => { calls++; ${behave} });
  });
  server.listen(0, '127.0.0.1', () => parentPort.postMessage(server.address().port));
`;
const OK = 'reply.writeHead(204); reply.end();';
const MESSAGE = Buffer.from('POST / HTTP/1.1\r\nhost: 127.0.0.1\r\ncontent-length: 2\r\n\r\n{}');

const servers: Worker[] = [];
afterEach(async () => {
  await Promise.all(servers.splice(0).map((server) => server.terminate()));
});

async function serve(behave: string): Promise<number> {
  const server = new Worker(SERVER(behave), { eval: true });
  servers.push(server);
  return new Promise((resolve) => server.once('message', resolve));
}

async function load(behave: string, options: Partial<OpenLoopOptions> = {}) {
  const port = await serve(behave);
  return runOpenLoop({ port, message: () => MESSAGE, rate: 200, seconds: 2, seed: 1, lateMs: 80, ...options });
}

describe('the open loop', () => {
  it('shows a stall of 300 ms to every call that it hits', async () => {
    // 60 of about 600 calls are due while the server stalls, and wait for up to 300 ms.
    const { latency, scheduled, sent, late } = await load(`if (calls === 200) stall(300); ${OK}`, { seconds: 3 });
    expect(sent).toBe(scheduled);
    expect(latency.totalCount).toBe(scheduled);
    const p99 = latency.getValueAtPercentile(99) / 1_000;
    expect(p99).toBeGreaterThan(200);
    expect(latency.maxValue / 1_000).toBeGreaterThan(280);
    // A closed loop would have felt it in as many calls as it has connections.
    expect(late).toBeGreaterThan(25);
    expect(latency.getValueAtPercentile(50)).toBeLessThan(latency.getValueAtPercentile(99) / 2);
  });

  it('records no sample that no call has had', async () => {
    const { latency, service, lag, scheduled, answered } = await load(`setTimeout(() => { ${OK} }, 25)`, { seconds: 1 });
    expect(answered).toBe(scheduled);
    expect([latency.totalCount, service.totalCount, lag.totalCount]).toEqual([scheduled, scheduled, scheduled]);
    // The server never answers under 25 ms (its timer may round down by one): autocannon -R shows a median of 11.
    expect(latency.minNonZeroValue).toBeGreaterThan(23_000);
    expect(service.minNonZeroValue).toBeGreaterThan(23_000);
  });

  it('counts from the intended moment where it waits for a free connection', async () => {
    const { latency, service } = await load(`setTimeout(() => { ${OK} }, 20)`, { seconds: 1, rate: 100, lines: 1 });
    expect(latency.getValueAtPercentile(99)).toBeGreaterThan(5 * service.getValueAtPercentile(50));
  });

  it('counts broken connections and other statuses as errors, and goes on', async () => {
    const broken = await load(`if (calls % 2) request.socket.destroy(); else { ${OK} }`, { seconds: 1 });
    expect(broken.errors).toBeGreaterThan(0);
    expect(broken.answered).toBeGreaterThan(0);
    expect(broken.errors + broken.answered).toBe(broken.scheduled);
    const failing = await load('reply.writeHead(500); reply.end();', { seconds: 1 });
    expect(failing.errors).toBe(failing.scheduled);
  });

  it('gives up what its patience does not cover, and accounts for every call', async () => {
    const { scheduled, givenUp, unsent, answered, errors } = await load('', { seconds: 1, lines: 4, patienceMs: 50 });
    expect(answered).toBe(0);
    expect(givenUp).toBeGreaterThan(0);
    expect(unsent).toBeGreaterThan(0);
    expect(givenUp + unsent + errors).toBe(scheduled);
  });

  it('doubts a run whose generator was late or whose calls do not add up', async () => {
    const result = await load(OK, { seconds: 0.5 });
    expect(doubtsOf({ ...result, sent: result.sent - 1 }).join()).toMatch(/calls were sent of/);
    expect(doubtsOf({ ...result, answered: result.answered - 1 }).join()).toMatch(/are not the calls/);
    expect(doubtsOf({ ...result, generatorCpu: 0.9 }).join()).toMatch(/90 % of a core/);
    result.lag.recordValueWithCount(20_000, result.scheduled);
    expect(doubtsOf(result).join()).toMatch(/lag p99 is [\d.]+ ms/);
    expect(doubtsOf(result).join()).not.toMatch(/samples/);
  });
});

describe('the closed loop', () => {
  it('counts what is answered', async () => {
    const port = await serve(
      `if (calls % 4 === 0) { reply.writeHead(200, { 'content-length': 2 }); reply.end('{}'); } else { ${OK} }`,
    );
    const { answers, bids, errors, next, rate } = await runClosedLoop({ port, message: () => MESSAGE, first: 7, seconds: 0.5 });
    expect(errors).toBe(0);
    expect(next - 7).toBe(answers);
    expect(Math.abs(bids - answers / 4)).toBeLessThan(2);
    expect(rate).toBeGreaterThan(0);
  });
});
