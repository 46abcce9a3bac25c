import { type ChildProcess, spawn } from 'node:child_process';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Redis } from 'ioredis';
import { findRedisBinary } from '../../supervisor/setup/redis-binary.mjs';

/** A real Redis of the test's own, on a unix socket in a temporary folder. */
export interface TestRedis {
  /** For `new Redis(path)`. */
  readonly path: string;
  readonly folder: string;
  connect(): Redis;
  /** It takes connections and commands and answers nothing, until `thaw`. */
  freeze(): void;
  thaw(): void;
  stop(): Promise<void>;
}

export async function startRedis(): Promise<TestRedis> {
  const folder = await mkdtemp(join(tmpdir(), 'walkin-redis-'));
  const path = join(folder, 'redis.sock');
  const args = ['--port', '0', '--unixsocket', path, '--dir', folder, '--save', '', '--maxmemory-policy', 'noeviction'];
  const child = spawn(findRedisBinary(process.env) ?? 'redis-server', args, { stdio: 'ignore' });
  // A test process that is ended early must not leave its server behind.
  process.once('exit', () => child.kill('SIGKILL'));
  const clients: Redis[] = [];
  const connect = (): Redis => {
    const client = new Redis(path, { maxRetriesPerRequest: null });
    client.on('error', () => undefined);
    clients.push(client);
    return client;
  };
  await connect().ping();
  return {
    path,
    folder,
    connect,
    freeze: () => void child.kill('SIGSTOP'),
    thaw: () => void child.kill('SIGCONT'),
    stop: async () => {
      for (const client of clients) client.disconnect();
      await stopChild(child);
      await rm(folder, { recursive: true, force: true });
    },
  };
}

function stopChild(child: ChildProcess): Promise<void> {
  return new Promise((resolve) => {
    if (child.exitCode !== null || child.signalCode !== null) return resolve();
    child.once('exit', () => resolve());
    child.kill('SIGKILL');
  });
}
