import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtemp, rm } from 'node:fs/promises';
import { createServer } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, test, vi } from 'vitest';
import { ADMIN_KEY } from '../support/api.ts';
import { startRedis, type TestRedis } from '../support/redis.ts';

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
  await rm(folder, { recursive: true, force: true });
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
  await vi.waitFor(async () => expect((await call('GET', '/readyz')).status).toBe(200), { timeout: 60_000, interval: 100 });
}

const call = (method: string, path: string, body?: object) =>
  fetch(`http://127.0.0.1:${ports[0]}${path}`, {
    method,
    headers: { authorization: `Bearer ${ADMIN_KEY}`, 'content-type': 'application/json', 'if-match': '*' },
    ...(body === undefined ? {} : { body: JSON.stringify(body) }),
  });

test('a dmp that is killed in the middle of writes has all that it acknowledged, and nothing half', async () => {
  const acknowledged = new Map<string, { revision: number }>();
  for (let round = 0; round < 2; round++) {
    await start();
    const write = async (n: number): Promise<void> => {
      const id = `src_${n % 7}`;
      const response = await call('PUT', `/v1/sources/${id}`, { name: `round ${round} write ${n}`, party: '1p' });
      const thing = (await response.json()) as { revision: number };
      expect(response.status).toBeLessThan(300);
      if (thing.revision > (acknowledged.get(id)?.revision ?? 0)) acknowledged.set(id, thing);
    };
    const writes = Array.from({ length: 300 }, (_, n) => write(n).catch(() => undefined));
    await vi.waitFor(() => expect(acknowledged.size).toBe(7), 20_000);
    child.kill('SIGKILL');
    await Promise.all(writes);
  }
  await start();
  for (const [id, thing] of acknowledged) {
    const kept = (await (await call('GET', `/v1/sources/${id}`)).json()) as { revision: number; name: string };
    // What was durable but not yet answered may be there too.
    expect(kept.revision).toBeGreaterThanOrEqual(thing.revision);
    if (kept.revision === thing.revision) expect(kept).toEqual(thing);
  }
  const written = await call('PUT', '/v1/sources/src_0', { name: 'after', party: '1p' });
  expect(written.status).toBe(200);
  const began = performance.now();
  child.kill('SIGTERM');
  const [code] = (await once(child, 'exit')) as [number];
  expect(code).toBe(0);
  expect(performance.now() - began).toBeLessThan(5_000);
}, 180_000);
