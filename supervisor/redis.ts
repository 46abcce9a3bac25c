import { createHash } from 'node:crypto';
import { chmodSync, existsSync, lstatSync, mkdirSync, readFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { Redis } from 'ioredis';
import { processIdentity } from './process-identity.ts';
import { StartError } from './start-error.ts';

/** The system cuts longer addresses of unix sockets, at 104 bytes on macOS and 108 on Linux. */
const LONGEST_SOCKET_BYTES = 100;
const OLDEST_VERSION = [6, 2];
const LEFTOVER_STOP_MS = 10_000;

export interface RedisPaths {
  readonly folder: string;
  readonly socket: string;
  /** Written by the server itself. */
  readonly pidFile: string;
}

export interface RedisFacts {
  readonly pid: number;
  readonly version: string;
  /** False while it still loads its data. */
  readonly serving: boolean;
  /** `maxmemory-policy`; null where the server does not tell. */
  readonly policy: string | null;
}

export function redisPaths(data: string): RedisPaths {
  const folder = join(data, 'redis');
  const near = join(folder, 'redis.sock');
  const socket = Buffer.byteLength(near) <= LONGEST_SOCKET_BYTES ? near : join(farFolder(folder), 'redis.sock');
  return { folder, socket, pidFile: join(folder, 'redis.pid') };
}

function farFolder(folder: string): string {
  return join(tmpdir(), `walkin-${createHash('sha256').update(folder).digest('hex').slice(0, 16)}`);
}

/** Unix socket only: no port that could clash, or be reached by another user. Every write is in the append-only file. */
export function redisArguments({ folder, socket, pidFile }: RedisPaths): string[] {
  return [
    ...['--port', '0', '--unixsocket', socket, '--unixsocketperm', '700', '--dir', folder, '--pidfile', pidFile],
    ...[
      '--daemonize',
      'no',
      '--appendonly',
      'yes',
      // Not everysec: while its fsync is slow, Redis answers before it has written, and a kill -9 loses what was acknowledged (seen).
      '--appendfsync',
      'always',
      '--save',
      '',
      '--maxmemory-policy',
      'noeviction',
    ],
  ];
}

/**
 * Makes the folders, and stops the server that a killed supervisor of this data folder left behind. Any other server on the
 * socket is a stranger's: fatal, since starting ours would silently take the address away from it, or it from us.
 */
export async function clearRedis(paths: RedisPaths): Promise<void> {
  mkdirSync(paths.folder, { recursive: true, mode: 0o700 });
  openSocketFolder(paths.socket);
  const facts = existsSync(paths.socket) ? await askRedis(paths.socket) : null;
  if (facts === null) return;
  if (facts.pid !== pidIn(paths.pidFile)) {
    throw new StartError(
      `the socket ${paths.socket} belongs to a Redis that Walkin did not start (process ${facts.pid}): stop it first`,
    );
  }
  process.kill(facts.pid, 'SIGTERM');
  for (const until = Date.now() + LEFTOVER_STOP_MS; processIdentity(facts.pid) !== null; await sleep(50)) {
    if (Date.now() > until) throw new StartError(`the Redis left from an earlier start (process ${facts.pid}) does not stop`);
  }
}

/** Whether the server on the socket serves. Throws StartError where it is not the child just started. */
export async function confirmRedis(socket: string, pid: number): Promise<boolean> {
  const facts = await askRedis(socket);
  if (facts === null) return false;
  if (facts.pid !== pid)
    throw new StartError(`the socket ${socket} is answered by process ${facts.pid}, not by our Redis ${pid}`);
  rejectOld(facts.version, 'the Redis of this machine');
  return facts.serving;
}

/** Looks at a server that somebody else keeps, and changes nothing there. */
export async function checkRemoteRedis(url: string): Promise<RedisFacts> {
  const facts = await askRedis(url);
  const shown = withoutPassword(url);
  if (facts === null) throw new StartError(`no Redis answers at REDIS_URL ${shown}`);
  if (!facts.serving) throw new StartError(`the Redis at ${shown} does not serve: it loads its data, or wants a password`);
  rejectOld(facts.version, `the Redis at ${shown}`);
  if (facts.policy !== null && facts.policy !== 'noeviction') {
    throw new StartError(
      `the Redis at ${shown} has maxmemory-policy ${facts.policy}: budgets and queues would be lost; set it to noeviction`,
    );
  }
  return facts;
}

/** Null where nothing answers. */
async function askRedis(address: string): Promise<RedisFacts | null> {
  const client = new Redis(address, {
    lazyConnect: true,
    retryStrategy: null,
    maxRetriesPerRequest: 0,
    connectTimeout: 3000,
    commandTimeout: 3000,
    enableReadyCheck: false,
  });
  client.on('error', () => undefined);
  try {
    await client.connect();
    const info = await client.info('server');
    const serving = await client.ping().then(
      () => true,
      () => false,
    );
    const policy = await client.config('GET', 'maxmemory-policy').then(policyIn, () => null);
    return { pid: Number(fieldOf(info, 'process_id')), version: fieldOf(info, 'redis_version'), serving, policy };
  } catch {
    return null;
  } finally {
    client.disconnect();
  }
}

const fieldOf = (info: string, name: string): string => new RegExp(`^${name}:(.*)$`, 'm').exec(info)?.[1]?.trim() ?? '';

/** A list in the older protocol, a map in the newer one. */
function policyIn(reply: unknown): string | null {
  if (Array.isArray(reply)) return typeof reply[1] === 'string' ? reply[1] : null;
  if (reply instanceof Map) return (reply.get('maxmemory-policy') as string | undefined) ?? null;
  return (reply as Record<string, string> | null)?.['maxmemory-policy'] ?? null;
}

function rejectOld(version: string, whose: string): void {
  const [major = 0, minor = 0] = version.split('.').map(Number);
  const [oldestMajor = 0, oldestMinor = 0] = OLDEST_VERSION;
  if (major > oldestMajor || (major === oldestMajor && minor >= oldestMinor)) return;
  throw new StartError(`${whose} is version ${version}; Walkin needs ${OLDEST_VERSION.join('.')} or newer`);
}

/** In the temporary folder anybody could have made it first. */
function openSocketFolder(socket: string): void {
  const folder = join(socket, '..');
  mkdirSync(folder, { recursive: true, mode: 0o700 });
  const found = lstatSync(folder);
  if (!found.isDirectory() || found.uid !== process.getuid?.()) throw new StartError(`${folder} belongs to another user`);
  chmodSync(folder, 0o700);
}

function pidIn(file: string): number | null {
  if (!existsSync(file)) return null;
  return Number(readFileSync(file, 'utf8').trim());
}

function withoutPassword(url: string): string {
  return url.replace(/\/\/[^@/]*@/, '//***@');
}
