import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtemp, rm } from 'node:fs/promises';
import type { AddressInfo } from 'node:net';
import { createServer } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { builtFile } from '../support/built.ts';
import { startRedis, type TestRedis } from '../support/redis.ts';

const KEY = `wk_test_${'k'.repeat(40)}`;

let redis: TestRedis;
let folder: string;
const children: ChildProcess[] = [];
beforeEach(async () => {
  redis = await startRedis();
  folder = await mkdtemp(join(tmpdir(), 'walkin-segmenter-'));
});
afterEach(async () => {
  for (const child of children.splice(0)) if (child.exitCode === null && child.signalCode === null) child.kill('SIGKILL');
  await redis.stop();
  await rm(folder, { recursive: true, force: true });
});

async function freePort(): Promise<number> {
  const server = createServer().listen(0, '127.0.0.1');
  await once(server, 'listening');
  const { port } = server.address() as AddressInfo;
  server.close();
  await once(server, 'close');
  return port;
}

function start(entry: string, env: Record<string, string>): ChildProcess {
  const child = spawn(process.execPath, ['--enable-source-maps', builtFile(entry)], {
    env: {
      ...process.env,
      REDIS_URL: redis.path,
      WALKIN_DATA_DIR: folder,
      WALKIN_PEPPER: 'a pepper of the tests',
      WALKIN_LOG_LEVEL: 'warn',
      UV_THREADPOOL_SIZE: '16',
      ...env,
    },
    stdio: ['ignore', 'inherit', 'inherit'],
  });
  children.push(child);
  return child;
}

async function answered(url: string, init?: RequestInit): Promise<Response> {
  for (let turn = 0; turn < 1_800; turn++) {
    const response = await fetch(url, init).catch(() => null);
    if (response?.ok) return response;
    // Anything else than "not yet" is said at once.
    if (response !== null && response.status !== 503) throw new Error(`${url}: ${response.status} ${await response.text()}`);
    await sleep(50);
  }
  throw new Error(`${url} does not answer`);
}

async function stopped(child: ChildProcess): Promise<{ code: number | null; ms: number }> {
  const before = performance.now();
  child.kill('SIGTERM');
  const [code] = (await once(child, 'exit')) as [number | null];
  return { code, ms: performance.now() - before };
}

test('dmp and segmenter in one process refresh, and end within five seconds', { timeout: 120_000 }, async () => {
  const [api, metrics] = [await freePort(), await freePort()];
  const env = {
    WALKIN_API_PORT: String(api),
    WALKIN_API_METRICS_PORT: String(metrics),
    WALKIN_ADMIN_KEY: KEY,
    WALKIN_REFRESH_SECONDS: '1',
  };
  const child = start('segmenter/embedded.ts', env);
  await answered(`http://127.0.0.1:${metrics}/readyz`);
  const headers = { authorization: `Bearer ${KEY}` };
  const job = (await (await answered(`http://127.0.0.1:${api}/v1/refresh`, { method: 'POST', headers })).json()) as {
    id: string;
  };
  let state = '';
  for (let turn = 0; turn < 200 && state !== 'succeeded'; turn++) {
    await sleep(50);
    state = ((await (await answered(`http://127.0.0.1:${api}/v1/jobs/${job.id}`, { headers })).json()) as { state: string })
      .state;
  }
  expect(state).toBe('succeeded');
  const text = await (await answered(`http://127.0.0.1:${metrics}/metrics`)).text();
  expect(text).toContain('walkin_segmenter_last_success_timestamp_seconds');
  const end = await stopped(child);
  expect(end.code).toBe(0);
  expect(end.ms).toBeLessThan(5_000);
});

test('a segmenter of its own tells that it is alive, ready, and what it did', { timeout: 120_000 }, async () => {
  const metrics = await freePort();
  const child = start('segmenter/main.ts', { WALKIN_SEGMENTER_METRICS_PORT: String(metrics) });
  for (const path of ['livez', 'readyz', 'metrics']) await answered(`http://127.0.0.1:${metrics}/${path}`);
  const end = await stopped(child);
  expect(end.code).toBe(0);
  expect(end.ms).toBeLessThan(5_000);
});
