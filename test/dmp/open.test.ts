import { once } from 'node:events';
import { mkdtemp, rm } from 'node:fs/promises';
import { createServer } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { pino } from 'pino';
import { afterAll, beforeAll, expect, test, vi } from 'vitest';
import { type Dmp, openDmp } from '../../dmp/open.ts';
import { ADMIN_KEY } from '../support/api.ts';
import { startRedis, type TestRedis } from '../support/redis.ts';

let folder: string;
let redis: TestRedis;
beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'walkin-dmp-'));
  redis = await startRedis();
});
afterAll(async () => {
  await redis.stop();
  await rm(folder, { recursive: true, force: true });
});

const open = (port = 0): Promise<Dmp> =>
  openDmp({
    redisUrl: redis.path,
    clickhouse: { kind: 'embedded', path: join(folder, 'clickhouse'), database: 'walkin' },
    dataDir: folder,
    pepper: 'a pepper of the tests',
    adminKey: ADMIN_KEY,
    host: '127.0.0.1',
    port,
    metricsPort: 0,
    log: pino({ level: 'silent' }),
  });

const addressOf = (dmp: Dmp): string => `http://127.0.0.1:${(dmp.app.server.address() as { port: number }).port}`;
const call = (address: string, path: string, body?: object) =>
  fetch(`${address}${path}`, {
    headers: { authorization: `Bearer ${ADMIN_KEY}`, 'content-type': 'application/json' },
    ...(body === undefined ? {} : { method: 'POST', body: JSON.stringify(body) }),
  });

test('all things are there again after the process was closed and opened, and nothing is left open', async () => {
  const first = await open();
  const address = addressOf(first);
  const made = await call(address, '/v1/advertisers', { id: 'adv_a', name: 'A', domains: ['a.example'] });
  expect(made.status).toBe(201);
  const began = performance.now();
  await first.close();
  expect(performance.now() - began).toBeLessThan(5_000);
  await expect(call(address, '/livez')).rejects.toThrow();

  const second = await open();
  const again = addressOf(second);
  expect(await (await call(again, '/v1/advertisers/adv_a')).json()).toEqual(await made.json());
  const ready = async () =>
    expect(await (await call(again, '/readyz')).json()).toMatchObject({ ready: true, snapshotVersion: 1 });
  await vi.waitFor(ready, 5_000);
  await second.close();
}, 60_000);

test('a port that is taken stops the start, and what was opened before is closed again', async () => {
  const taken = createServer().listen(0, '127.0.0.1');
  await once(taken, 'listening');
  const { port } = taken.address() as { port: number };
  await expect(open(port)).rejects.toThrow('EADDRINUSE');
  taken.close();
  // The data folder is free again.
  const dmp = await open();
  await dmp.close();
}, 60_000);
