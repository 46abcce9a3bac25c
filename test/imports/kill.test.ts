import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtemp, rm } from 'node:fs/promises';
import { createServer } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { afterAll, beforeAll, expect, test, vi } from 'vitest';
import { openWarehouse } from '../../dmp/clickhouse/warehouse.ts';
import { ADMIN_KEY } from '../support/api.ts';
import { startRedis, type TestRedis } from '../support/redis.ts';

/** In CI a few; the whole: WALKIN_KILLS=20 npx vitest run test/imports/kill.test.ts */
const KILLS = Number(process.env['WALKIN_KILLS'] ?? 2);
const ROWS = 120_000;
const BATCH = 500;

let folder: string;
let redis: TestRedis;
let ports: [number, number];
let child: ChildProcess;

beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'walkin-kill-'));
  redis = await startRedis();
  ports = [await freePort(), await freePort()];
});
afterAll(async () => {
  child.kill('SIGKILL');
  await redis.stop();
  await rm(folder, { recursive: true, force: true, maxRetries: 5 });
});

async function freePort(): Promise<number> {
  const server = createServer().listen(0, '127.0.0.1');
  await once(server, 'listening');
  const { port } = server.address() as { port: number };
  server.close();
  return port;
}

async function start(): Promise<void> {
  const main = new URL('../../dmp/main.ts', import.meta.url).pathname;
  child = spawn(process.execPath, ['--import', 'tsx', main], {
    stdio: 'ignore',
    env: {
      ...process.env,
      REDIS_URL: redis.path,
      WALKIN_DATA_DIR: folder,
      WALKIN_PEPPER: 'a pepper of the tests',
      WALKIN_ADMIN_KEY: ADMIN_KEY,
      WALKIN_LOG_LEVEL: 'silent',
      WALKIN_API_PORT: String(ports[0]),
      WALKIN_API_METRICS_PORT: String(ports[1]),
    },
  });
  await vi.waitFor(async () => expect((await call('GET', '/readyz')).status).toBe(200), { timeout: 90_000, interval: 50 });
}

const call = (method: string, path: string, body?: string, type = 'application/json') =>
  fetch(`http://127.0.0.1:${ports[0]}${path}`, {
    method,
    headers: { authorization: `Bearer ${ADMIN_KEY}`, 'content-type': type },
    ...(body === undefined ? {} : { body }),
  });

const FILE = [
  'who,shop,basket,product,value,time',
  ...Array.from({ length: ROWS }, (_, i) => `7${i % 977},s${i % 9},r${i},p${i % 31},1.25,2026-0${1 + (i % 9)}-03T10:00:00Z`),
].join('\n');
const MAPPING = {
  columns: { id: 'basket', at: 'time', store: 'shop', product: 'product', amount: 'value' },
  identifiers: [{ kind: 'loyalty', column: 'who' }],
};

async function sendFile(): Promise<string> {
  const made = await call('POST', '/v1/imports', JSON.stringify({ type: 'purchase', format: 'csv', mapping: MAPPING }));
  const { id } = (await made.json()) as { id: string };
  await call('PUT', `/v1/imports/${id}/file`, FILE, 'text/csv');
  return id;
}

/** Sends batches one after another, each until it is acknowledged, whatever happens to the server meanwhile. */
async function stream(until: () => boolean): Promise<number> {
  let batch = 0;
  while (!until()) {
    const lines = Array.from({ length: BATCH }, (_, i) => {
      const lineOf = { product: 'p', amountMicros: 1_000_000 };
      return JSON.stringify({
        type: 'purchase',
        id: `s${batch}-${i}`,
        at: '2026-05-01T10:00:00Z',
        identifiers: [{ kind: 'loyalty', value: `9${i}` }],
        lines: [lineOf],
      });
    });
    const answer = await call('POST', '/v1/events', lines.join('\n'), 'application/x-ndjson').catch(() => null);
    const isTaken =
      answer?.status === 200 && ((await answer.json().catch(() => ({}))) as { accepted?: number }).accepted === BATCH;
    if (isTaken) batch++;
    else await sleep(30);
  }
  return batch;
}

test(`after ${KILLS} kills in the middle of imports and of streaming, all that was acknowledged is there, once`, async () => {
  let isOver = false;
  const streaming = stream(() => isOver);
  const imports: string[] = [];
  for (let kill = 0; kill < KILLS; kill++) {
    await start();
    imports.push(await sendFile());
    await sleep(Math.random() * 3_000);
    child.kill('SIGKILL');
    await once(child, 'exit');
  }
  await start();
  await vi.waitFor(
    async () => {
      for (const id of imports)
        expect(await (await call('GET', `/v1/imports/${id}`)).json()).toMatchObject({ status: 'succeeded' });
    },
    { timeout: 240_000, interval: 500 },
  );
  for (const id of imports) {
    expect(await (await call('GET', `/v1/imports/${id}`)).json()).toMatchObject({
      result: { rows: ROWS, accepted: ROWS, quarantined: 0 },
    });
    const result = (await (await call('GET', `/v1/imports/${id}/result`)).text()).trim().split('\n');
    expect(result).toHaveLength(ROWS);
    expect(new Set(result).size).toBe(ROWS);
  }
  isOver = true;
  const batches = await streaming;
  expect(batches).toBeGreaterThan(0);
  child.kill('SIGTERM');
  await once(child, 'exit');
  const warehouse = await openWarehouse({ kind: 'embedded', path: join(folder, 'clickhouse'), database: 'walkin' });
  const sql = `SELECT toString(countIf(startsWith(receipt, 'r'))) AS file, toString(sumIf(amount, startsWith(receipt, 'r'))) AS micros,
      toString(countIf(startsWith(receipt, 's'))) AS streamed FROM purchases FINAL`;
  const [row] = await warehouse.query<{ file: string; micros: string; streamed: string }>({ sql });
  await warehouse.close();
  expect(row).toMatchObject({ file: String(ROWS), micros: String(ROWS * 1_250_000) });
  // The last batch may be durable without its answer.
  expect([batches * BATCH, (batches + 1) * BATCH].map(String)).toContain(row?.streamed);
}, 600_000);
