import { type ChildProcess, spawn } from 'node:child_process';
import { mkdirSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { Redis } from 'ioredis';
import { expect, onTestFinished, test, vi } from 'vitest';
import { isAlive } from '../../supervisor/process-identity.ts';
import {
  checkRemoteRedis,
  clearRedis,
  confirmRedis,
  type RedisPaths,
  redisArguments,
  redisPaths,
} from '../../supervisor/redis.ts';
import { findRedisBinary } from '../../supervisor/setup/redis-binary.mjs';
import { temporaryFolder } from '../support/folder.ts';

function run(args: readonly string[]): ChildProcess {
  const child = spawn(findRedisBinary(process.env) ?? '', args, { stdio: 'ignore' });
  onTestFinished(() => void child.kill('SIGKILL'));
  return child;
}

async function started(paths: RedisPaths): Promise<ChildProcess> {
  await clearRedis(paths);
  const child = run(redisArguments(paths));
  await vi.waitFor(async () => expect(await confirmRedis(paths.socket, child.pid ?? 0)).toBe(true), 10_000);
  return child;
}

function client(socket: string): Redis {
  const redis = new Redis(socket);
  redis.on('error', () => undefined);
  onTestFinished(() => redis.disconnect());
  return redis;
}

test('our Redis keeps what it acknowledged through kill -9', async () => {
  const paths = redisPaths(temporaryFolder());
  const first = await started(paths);
  await client(paths.socket).set('spent', '17');
  first.kill('SIGKILL');
  await new Promise((resolve) => first.once('exit', resolve));
  await started(paths);
  expect(await client(paths.socket).get('spent')).toBe('17');
});

test('our Redis listens on no port and never evicts', async () => {
  const paths = redisPaths(temporaryFolder());
  await started(paths);
  const facts = await checkRemoteRedis(paths.socket);
  expect(facts.policy).toBe('noeviction');
  expect(await client(paths.socket).info('server')).toContain('tcp_port:0');
});

test('the Redis that a killed supervisor left behind is stopped before the next start', async () => {
  const paths = redisPaths(temporaryFolder());
  const left = await started(paths);
  await client(paths.socket).set('kept', 'yes');
  await started(paths);
  expect(isAlive(left.pid ?? 0)).toBe(false);
  expect(await client(paths.socket).get('kept')).toBe('yes');
});

test("a stranger's server on our socket is refused, and left alone", async () => {
  const paths = redisPaths(temporaryFolder());
  mkdirSync(dirname(paths.socket), { recursive: true });
  const stranger = run(['--port', '0', '--unixsocket', paths.socket, '--dir', paths.folder, '--save', '']);
  await vi.waitFor(async () => expect(await confirmRedis(paths.socket, stranger.pid ?? 0)).toBe(true), 10_000);
  await expect(clearRedis(paths)).rejects.toThrow(
    `the socket ${paths.socket} belongs to a Redis that Walkin did not start (process ${stranger.pid})`,
  );
  await expect(confirmRedis(paths.socket, 1)).rejects.toThrow(`is answered by process ${stranger.pid}, not by our Redis 1`);
  expect(await client(paths.socket).ping()).toBe('PONG');
});

test('a server of REDIS_URL that evicts is refused and not changed', async () => {
  const folder = temporaryFolder();
  const socket = join(folder, 'theirs.sock');
  run(['--port', '0', '--unixsocket', socket, '--dir', folder, '--save', '', '--maxmemory-policy', 'allkeys-lru']);
  await vi.waitFor(() => expect(checkRemoteRedis(socket)).rejects.toThrow('has maxmemory-policy allkeys-lru'), 10_000);
  expect(await client(socket).config('GET', 'maxmemory-policy')).toEqual(['maxmemory-policy', 'allkeys-lru']);
});

test('a REDIS_URL that nobody answers is said without its password', async () => {
  await expect(checkRemoteRedis('redis://user:secret@127.0.0.1:1')).rejects.toThrow(
    'no Redis answers at REDIS_URL redis://***@127.0.0.1:1',
  );
});

test('a data folder with a long path gets its socket elsewhere, always the same', () => {
  const data = `/var/${'long'.repeat(30)}`;
  expect(Buffer.byteLength(redisPaths(data).socket)).toBeLessThanOrEqual(100);
  expect(redisPaths(data)).toEqual(redisPaths(data));
  expect(redisPaths('/srv/walkin').socket).toBe('/srv/walkin/redis/redis.sock');
});
