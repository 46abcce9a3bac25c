import { rmSync } from 'node:fs';
import { mkdtemp, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Redis } from 'ioredis';
import { WORKERS_KEY } from '../../proto/keys.ts';
import type { Snapshot } from '../../proto/snapshot.ts';
import { splitSnapshot } from '../../proto/snapshot-parts.ts';
import { quickenTexts } from '../../proto/string-methods.ts';
import { type Child, freePort, ownCommand, startChild } from './child.ts';
import { askAll } from './closed-loop.ts';
import { readCorpus } from './corpus.ts';
import { childrenOf, describeMachine, type Pinning, pinningHere, pinSelf } from './machine.ts';
import type { Options } from './options.ts';
import { loadPeople } from './people.ts';
import { publishSnapshot } from './publish.ts';
import { redisProgram } from './redis-program.ts';
import { drawTraffic, type Traffic } from './requests.ts';
import { say } from './say.ts';
import { drawSnapshot, type WorldSize, worldSize } from './world.ts';

export const PEPPER = 'pepper-of-the-benchmarks';
const SECRET = 'secret-of-the-benchmarks';

/** A world in a Redis of its own, and what is started on it. Everything is stopped with it. */
export interface Rig {
  readonly redis: Redis;
  readonly snapshot: Snapshot;
  readonly size: WorldSize;
  readonly traffic: Traffic;
  readonly pinning: Pinning | null;
  readonly redisServer: RedisServer;
  /** Gone with the rig. */
  readonly folder: string;
  /** Starts bidder processes; ready when it serves the snapshot. */
  startBidder(options?: BidderOptions): Promise<Server>;
  /** Starts the bare server with the answers of a bidder. */
  startFloor(bidder: Server): Promise<Server>;
  publish(snapshot: Snapshot): Promise<void>;
  stop(): Promise<void>;
}

/** What may become of a Redis. */
export interface RedisServer {
  /** It takes connections and answers nothing. */
  freeze(): Promise<void>;
  thaw(): Promise<void>;
  /** As with `kill -9`, after it wrote down what it knew. */
  kill(): Promise<void>;
  restart(): Promise<void>;
}

export interface BidderOptions {
  readonly workers?: number;
  /** Null: wherever the system puts it. */
  readonly core?: number | null;
  readonly node?: string;
  /** For the program. */
  readonly flags?: readonly string[];
}

export interface Server {
  readonly port: number;
  /** That was started. */
  readonly pid: number;
  /** Processes that serve: a bidder's workers. */
  pids(): Promise<number[]>;
  /** Those that it started besides: a bidder's compiler. */
  beside(): Promise<number[]>;
  /** Prometheus text; empty where there is none. */
  metrics(): Promise<string>;
  stop(): Promise<void>;
}

export async function setUpRig(options: Options): Promise<Rig> {
  quickenTexts();
  const pinning = pinningHere();
  say(describeMachine(pinning));
  const size = worldSize(options.scale);
  const corpus = readCorpus(options.shared);
  if (corpus.length === 0) say('No corpus of valid requests (WALKIN_SHARED): the traffic is the city only');
  const traffic = drawTraffic({ seed: options.seed, fences: size.fences, profiles: size.profiles, corpus });
  const folder = await mkdtemp(join(tmpdir(), 'walkin-bench-'));
  process.once('exit', () => rmSync(folder, { recursive: true, force: true }));
  const children: Child[] = [];
  const server = await startRedis(folder, pinning?.rest ?? null, options.env);
  children.push(server.child);
  const { redis } = server;
  const stop = async (): Promise<void> => {
    redis.disconnect();
    await Promise.all(children.map((child) => child.stop()));
  };
  try {
    const snapshot = drawSnapshot(options.seed, size);
    await publish(snapshot);
    await loadPeople(redis, { seed: options.seed, profiles: size.profiles, lineItems: size.lineItems, pepper: PEPPER });
    say(
      `The world: ${size.lineItems.toLocaleString('en')} line items, ${size.profiles.toLocaleString('en')} profiles; requests of ${Math.round(traffic.meanBytes)} bytes in the mean, ${Math.round((100 * traffic.fromCorpus) / traffic.templates.length)} % of them from the corpus`,
    );
    if (pinning !== null) pinSelf(pinning.rest);
    const redisServer = serverOf(redis, server.child, () =>
      startRedisProgram(folder, pinning?.rest ?? null, options.env, children),
    );
    return { redis, redisServer, snapshot, size, traffic, pinning, folder, startBidder, startFloor, publish, stop };
  } catch (error) {
    await stop();
    throw error;
  }

  async function publish(snapshot: Snapshot): Promise<void> {
    await publishSnapshot(redis, splitSnapshot(snapshot));
  }

  async function startBidder({
    workers = 1,
    core = pinning?.server ?? null,
    node = process.execPath,
    flags = [],
  }: BidderOptions = {}): Promise<Server> {
    const [port, metricsPort] = [await freePort(), await freePort()];
    const env = {
      ...options.env,
      REDIS_URL: join(folder, 'redis.sock'),
      WALKIN_HOST: '127.0.0.1',
      WALKIN_LOG_LEVEL: 'warn',
      WALKIN_PEPPER: PEPPER,
      WALKIN_NOTICE_SECRET: SECRET,
      WALKIN_PUBLIC_URL: 'https://bid.walkin.example',
      WALKIN_BIDDER_PORT: String(port),
      WALKIN_BIDDER_METRICS_PORT: String(metricsPort),
      WALKIN_BIDDER_WORKERS: String(workers),
    };
    const child = startChild(core, ownCommand('bidder/main', flags, node), env);
    children.push(child);
    await child.until(async () => {
      const answer = (await (await fetch(`http://127.0.0.1:${metricsPort}/readyz`)).json()) as {
        ready: boolean;
        workers: number;
      };
      return answer.ready && answer.workers === workers && (await servingVersions(redis)).length === workers;
    }, 180);
    const metrics = async (): Promise<string> => (await fetch(`http://127.0.0.1:${metricsPort}/metrics`)).text();
    const pids = async (): Promise<number[]> => (await servingVersions(redis)).map(({ pid }) => pid);
    const beside = async (): Promise<number[]> => {
      const serving = new Set(await pids());
      return childrenOf(child.pid).filter((pid) => !serving.has(pid));
    };
    return { port, pid: child.pid, metrics, pids, beside, stop: () => child.stop() };
  }

  async function startFloor(bidder: Server): Promise<Server> {
    const replies = await askAll(bidder.port, traffic.message, traffic.templates.length);
    const file = join(folder, 'answers.json');
    await writeFile(
      file,
      JSON.stringify(replies.map((reply) => (reply?.status === 200 ? reply.body?.toString('base64') : null) ?? null)),
    );
    const port = await freePort();
    const child = startChild(
      pinning?.server ?? null,
      [...ownCommand('load-tests/bench/floor-server'), file, String(port)],
      options.env,
    );
    children.push(child);
    await child.until(async () => (await askAll(port, traffic.message, 1))[0] !== null);
    return {
      port,
      pid: child.pid,
      metrics: async () => '',
      pids: async () => [child.pid],
      beside: async () => [],
      stop: () => child.stop(),
    };
  }
}

function serverOf(redis: Redis, first: Child, start: () => Child): RedisServer {
  let child = first;
  const signal = async (name: NodeJS.Signals): Promise<void> => void process.kill(child.pid, name);
  return {
    freeze: () => signal('SIGSTOP'),
    thaw: () => signal('SIGCONT'),
    kill: async () => {
      await redis.save();
      await signal('SIGKILL');
    },
    restart: async () => {
      child = start();
      await child.until(async () => (await redis.ping()) === 'PONG');
    },
  };
}

async function startRedis(folder: string, core: number | null, env: NodeJS.ProcessEnv): Promise<{ child: Child; redis: Redis }> {
  const path = join(folder, 'redis.sock');
  const child = startRedisProgram(folder, core, env);
  const redis = new Redis(path, { lazyConnect: true, maxRetriesPerRequest: null, retryStrategy: () => 50 });
  redis.on('error', () => undefined);
  void redis.connect().catch(() => undefined);
  await child.until(async () => (await redis.ping()) === 'PONG');
  return { child, redis };
}

function startRedisProgram(folder: string, core: number | null, env: NodeJS.ProcessEnv, children: Child[] = []): Child {
  const path = join(folder, 'redis.sock');
  // Without persistence: a disk shared with others would be measured instead.
  const args = ['--port', '0', '--unixsocket', path, '--dir', folder, '--save', '', '--maxmemory-policy', 'noeviction'];
  const child = startChild(core, [redisProgram(env), ...args], env);
  children.push(child);
  return child;
}

/** Where a worker runs and which version it serves, as it reports itself. */
export async function servingVersions(redis: Redis): Promise<{ pid: number; version: number }[]> {
  return Object.entries(await redis.hgetall(WORKERS_KEY)).map(([name, value]) => ({
    pid: Number(name.slice(name.lastIndexOf(':') + 1)),
    version: (JSON.parse(value) as { version: number }).version,
  }));
}
