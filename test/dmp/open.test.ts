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

const portOf = (dmp: Dmp): number => (dmp.app.server.address() as { port: number }).port;
const call = (dmp: Dmp, path: string, init: RequestInit = {}) =>
  fetch(`http://127.0.0.1:${portOf(dmp)}${path}`, {
    ...init,
    headers: { authorization: `Bearer ${ADMIN_KEY}`, 'content-type': 'application/json' },
  });

test('all things are there again after the process was closed and opened, and nothing is left open', async () => {
  const first = await open();
  const made = await call(first, '/v1/advertisers', {
    method: 'POST',
    body: JSON.stringify({ id: 'adv_a', name: 'A', domains: ['a.example'] }),
  });
  expect(made.status).toBe(201);
  const began = performance.now();
  await first.close();
  expect(performance.now() - began).toBeLessThan(5_000);
  await expect(call(first, '/livez')).rejects.toThrow();

  const second = await open();
  expect(await (await call(second, '/v1/advertisers/adv_a')).json()).toEqual(await made.json());
  await vi.waitFor(async () =>
    expect(await (await call(second, '/readyz')).json()).toMatchObject({ ready: true, snapshotVersion: 1 }),
  );
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
