import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtemp, rm } from 'node:fs/promises';
import { createServer } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect, vi } from 'vitest';
import { ADMIN_KEY } from './api.ts';
import { builtFile } from './built.ts';
import { startRedis, type TestRedis } from './redis.ts';

/** A dmp (or dmp and segmenter in one) that runs as a process of its own, so that it can be killed and started again on its data. */
export interface DataProcess {
  readonly folder: string;
  /** What it is given, for another process beside it. */
  readonly env: NodeJS.ProcessEnv;
  readonly redis: TestRedis;
  /** Starts it and waits until it serves; one that a failed test left is killed first, since it holds the data. */
  start(): Promise<void>;
  /** kill -9. */
  kill(): Promise<void>;
  /** SIGTERM; the exit code. */
  end(): Promise<number | null>;
  /** Rejects where nobody answers. */
  call(method: string, path: string, body?: string, headers?: Record<string, string>): Promise<Response>;
  /** Host and port. */
  readonly address: { readonly host: string; readonly port: number };
  close(): Promise<void>;
}

export async function createDataProcess(
  entry: 'dmp/main.ts' | 'segmenter/embedded.ts',
  more: NodeJS.ProcessEnv = {},
): Promise<DataProcess> {
  const folder = await mkdtemp(join(tmpdir(), 'walkin-kill-'));
  const redis = await startRedis();
  const [port, metricsPort] = [await freePort(), await freePort()];
  const main = builtFile(entry);
  const env = {
    ...{ ...process.env, REDIS_URL: redis.path, WALKIN_DATA_DIR: folder, WALKIN_PEPPER: 'a pepper of the tests' },
    ...{ WALKIN_ADMIN_KEY: ADMIN_KEY, WALKIN_LOG_LEVEL: process.env['WALKIN_TEST_LOG'] ?? 'silent' },
    ...{ WALKIN_API_PORT: String(port), WALKIN_API_METRICS_PORT: String(metricsPort), ...more },
  };
  let child: ChildProcess | null = null;
  const call: DataProcess['call'] = (
    method,
    path,
    body,
    headers = body === undefined ? {} : { 'content-type': 'application/json' },
  ) =>
    fetch(`http://127.0.0.1:${port}${path}`, {
      method,
      headers: { authorization: `Bearer ${ADMIN_KEY}`, ...headers },
      ...(body === undefined ? {} : { body }),
    });
  const endBy = async (signal: NodeJS.Signals): Promise<number | null> => {
    const ending = child;
    child = null;
    if (ending === null) return null;
    if (ending.exitCode !== null || ending.signalCode !== null) return ending.exitCode;
    const exit = once(ending, 'exit');
    ending.kill(signal);
    return ((await exit) as [number | null])[0];
  };
  return {
    folder,
    env,
    redis,
    call,
    address: { host: '127.0.0.1', port },
    start: async () => {
      await endBy('SIGKILL');
      child = spawn(process.execPath, ['--enable-source-maps', main], { stdio: ['ignore', 'inherit', 'inherit'], env });
      const isReady = async (): Promise<void> => expect((await call('GET', '/readyz')).status).toBe(200);
      await vi.waitFor(isReady, { timeout: 90_000, interval: 50 });
    },
    kill: async () => void (await endBy('SIGKILL')),
    end: () => endBy('SIGTERM'),
    close: async () => {
      await endBy('SIGKILL');
      await redis.stop();
      await rm(folder, { recursive: true, force: true, maxRetries: 5 });
    },
  };
}

async function freePort(): Promise<number> {
  const server = createServer().listen(0, '127.0.0.1');
  await once(server, 'listening');
  const { port } = server.address() as { port: number };
  server.close();
  await once(server, 'close');
  return port;
}
