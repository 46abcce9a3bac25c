import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { readdirSync, readFileSync, rmSync } from 'node:fs';
import { createServer } from 'node:net';
import { hostname, tmpdir } from 'node:os';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import {
  SNAPSHOT_CHANNEL,
  SNAPSHOT_KEY,
  SNAPSHOT_PARTS_KEY,
  SNAPSHOT_VERSION_KEY,
  STOPPED_CHANNEL,
  WORKERS_KEY,
} from '../../proto/keys.ts';
import { ANY } from '../../proto/snapshot.ts';
import { encodeHead, splitSnapshot } from '../../proto/snapshot-parts.ts';
import { encodeStop } from '../../proto/stop.ts';
import { builtFile } from '../support/built.ts';
import { startRedis, type TestRedis } from '../support/redis.ts';
import { eventually, PEPPER, publish, SECRET } from './support/bidder.ts';
import { exchange, lineItem, snapshot, wireRequest } from './support/live.ts';

let main: string;
let redis: TestRedis;
let client: ReturnType<TestRedis['connect']>;
let primary: ChildProcess;
let port: number;
let metricsPort: number;
let output = '';

beforeAll(async () => {
  // What changed since the last build is built before any test's clock runs.
  main = builtFile('bidder/main.ts');
  redis = await startRedis();
  client = redis.connect();
  await publish(client, live({ lineItems: [lineItem('free')] }));
}, 180_000);

afterAll(async () => {
  primary?.kill('SIGKILL');
  await redis?.stop();
});

/** Patient: what is looked at here is not how fast cold workers are. */
const live = (given: Parameters<typeof snapshot>[0]) =>
  snapshot({ exchanges: [exchange('x', { defaultTmax: 5_000 })], ...given });

/** Starting three processes takes its time on a busy machine, so the tests share what they can. */
const PATIENCE = 60_000;

async function start(): Promise<void> {
  port = await freePort();
  metricsPort = await freePort();
  primary = startMain();
  await eventually(readyWorkers, (count) => count === 2, PATIENCE);
  await eventually(served, (versions) => versions.length === 2, PATIENCE);
}

/** The real program: a primary and two workers. */
function startMain(env: Record<string, string> = {}): ChildProcess {
  output = '';
  const child = spawn(process.execPath, ['--enable-source-maps', main], {
    env: {
      ...process.env,
      REDIS_URL: redis.path,
      WALKIN_BIDDER_PORT: String(port),
      WALKIN_BIDDER_METRICS_PORT: String(metricsPort),
      WALKIN_BIDDER_WORKERS: '2',
      WALKIN_PEPPER: PEPPER,
      WALKIN_NOTICE_SECRET: SECRET,
      ...env,
    },
    stdio: ['ignore', 'pipe', 'pipe'],
  });
  for (const stream of [child.stdout, child.stderr])
    stream?.on('data', (chunk: Buffer) => {
      output += chunk.toString();
    });
  return child;
}

function freePort(): Promise<number> {
  return new Promise((resolve) => {
    const server = createServer().listen(0, '127.0.0.1', () => {
      const address = server.address();
      server.close(() => resolve(typeof address === 'object' && address !== null ? address.port : 0));
    });
  });
}

async function workers(): Promise<string[]> {
  return client.hkeys(WORKERS_KEY);
}

async function readyWorkers(): Promise<number> {
  try {
    const reply = (await (await fetch(`http://127.0.0.1:${metricsPort}/readyz`)).json()) as { ready: boolean; workers: number };
    return reply.ready ? reply.workers : 0;
  } catch {
    return 0;
  }
}

async function bid(): Promise<number> {
  const reply = await fetch(`http://127.0.0.1:${port}/openrtb2/x`, {
    method: 'POST',
    body: JSON.stringify(wireRequest({ tmax: 5_000 })),
  });
  await reply.text();
  return reply.status;
}

interface Readiness {
  readonly ready: boolean;
  readonly workers: number;
  readonly snapshotVersion: number | null;
  readonly snapshotRefused: { readonly version: number | null; readonly error: string } | null;
}

async function readiness(): Promise<Readiness> {
  return (await fetch(`http://127.0.0.1:${metricsPort}/readyz`)).json() as Promise<Readiness>;
}

/** Versions that the workers serve, by what they report themselves. */
async function served(): Promise<number[]> {
  return Object.values(await client.hgetall(WORKERS_KEY)).map((value) => (JSON.parse(value) as { version: number }).version);
}

const allMetrics = async (): Promise<string> => (await fetch(`http://127.0.0.1:${metricsPort}/metrics`)).text();

/** The connection of a compiler that has asked for parts of a snapshot, as Redis sees it; '' none. */
async function readerOfParts(): Promise<string> {
  const clients = (await client.client('LIST')) as string;
  return /^id=(\d+) .*\bname=bidder-compiler .*\bcmd=hmget /m.exec(clients)?.[1] ?? '';
}

/** The compiler of the primary, found as the system sees it. */
function compilerPid(): number {
  const children = readFileSync(`/proc/${primary.pid}/task/${primary.pid}/children`, 'utf8').trim().split(' ').map(Number);
  return children.find((pid) => readFileSync(`/proc/${pid}/cmdline`, 'utf8').includes('compiler/main')) ?? 0;
}

const indexFolders = (): string[] =>
  readdirSync(tmpdir()).filter((name) => name.startsWith(`walkin-index-${hostname()}-${primary.pid}-`));

const pidOf = (name: string): number => Number(name.split(':').at(-1));

describe('the bidder as a program', () => {
  it('answers on its port and adds up the metrics of its workers', { timeout: PATIENCE }, async () => {
    await start();
    const statuses = await Promise.all(Array.from({ length: 40 }, bid));
    const metrics = await (await fetch(`http://127.0.0.1:${metricsPort}/metrics`)).text();
    expect(new Set(statuses), metrics.match(/^walkin_no_bids_total.*$/gm)?.join()).toEqual(new Set([200]));
    expect(metrics).toMatch(/walkin_bid_requests_total\{exchange="x",outcome="bid"\} 40/);
    expect(metrics).toContain('walkin_bidder_workers 2');
    expect(await (await fetch(`http://127.0.0.1:${metricsPort}/readyz`)).json()).toMatchObject({
      ready: true,
      snapshotVersion: 1,
    });
  });

  it('replaces a worker that is killed', { timeout: PATIENCE }, async () => {
    const [victim] = (await workers()) as [string];
    process.kill(pidOf(victim), 'SIGKILL');
    await eventually(workers, (names) => names.length === 2 && !names.includes(victim), PATIENCE);
    expect(await eventually(bid, (status) => status === 200)).toBe(200);
  });

  it('serves what is published, in every worker', { timeout: PATIENCE }, async () => {
    await publish(client, live({ version: 2, lineItems: [lineItem('second')] }));
    await eventually(served, (versions) => versions.length === 2 && versions.every((version) => version === 2));
    expect(await bid()).toBe(200);
    expect(indexFolders()).toHaveLength(1);
    const folder = `${tmpdir()}/${indexFolders()[0]}`;
    await eventually(
      () => readdirSync(folder),
      (files) => files.length === 1 && files[0] === 'index-2',
    );
  });

  it('refuses a broken snapshot once, says which, and serves on', { timeout: PATIENCE }, async () => {
    const dangling = live({ version: 3, lineItems: [lineItem('third', { targeting: { ...ANY, stores: ['gone'] } })] });
    await publish(client, dangling);
    const error = 'snapshot: there is no store gone, which line item third names';
    await eventually(readiness, ({ snapshotRefused }) => snapshotRefused?.error === error);
    expect(await readiness()).toMatchObject({ ready: true, snapshotVersion: 2, snapshotRefused: { version: 3, error } });
    await client.publish(SNAPSHOT_CHANNEL, '3');
    await client.set(SNAPSHOT_KEY, encodeHead(splitSnapshot(dangling).head).subarray(0, 200));
    await client.set(SNAPSHOT_VERSION_KEY, 4);
    await client.publish(SNAPSHOT_CHANNEL, '4');
    await eventually(readiness, ({ snapshotRefused }) => snapshotRefused?.error === 'snapshot: wrong digest');
    expect(output.match(/no store gone/g)).toHaveLength(1);
    const metrics = await (await fetch(`http://127.0.0.1:${metricsPort}/metrics`)).text();
    expect(metrics).toMatch(/^walkin_snapshot_refused_total 2$/m);
    expect(metrics).toMatch(/^walkin_snapshot_step_seconds{step="compile"} \S+$/m);
    expect(await served()).toEqual([2, 2]);
    expect(await bid()).toBe(200);
  });

  it('has a new compiler when the one it had is killed', { timeout: PATIENCE }, async () => {
    const killed = compilerPid();
    process.kill(killed, 'SIGKILL');
    await publish(client, live({ version: 5, lineItems: [lineItem('fifth')] }));
    await eventually(served, (versions) => versions.length === 2 && versions.every((version) => version === 5), PATIENCE);
    expect(compilerPid()).not.toBe(killed);
    expect(await readiness()).toMatchObject({ ready: true, snapshotRefused: null });
  });

  it('gives a worker that comes back the index that is there', { timeout: PATIENCE }, async () => {
    const [victim] = (await workers()) as [string];
    process.kill(pidOf(victim), 'SIGKILL');
    // Nobody could make another one.
    process.kill(compilerPid(), 'SIGSTOP');
    await eventually(workers, (names) => names.length === 2 && !names.includes(victim), PATIENCE);
    expect(await served()).toEqual([5, 5]);
    process.kill(compilerPid(), 'SIGCONT');
  });

  it('makes the index again for a worker that comes back where a cleaner has taken it', { timeout: PATIENCE }, async () => {
    for (const folder of indexFolders()) rmSync(`${tmpdir()}/${folder}`, { recursive: true });
    const [victim] = (await workers()) as [string];
    process.kill(pidOf(victim), 'SIGKILL');
    await eventually(workers, (names) => names.length === 2 && !names.includes(victim), PATIENCE);
    expect(await served()).toEqual([5, 5]);
    expect(indexFolders()).toHaveLength(1);
  });

  it('stops a line item in every worker ahead of the next snapshot, however busy the compiler is', {
    timeout: PATIENCE,
  }, async () => {
    const busy = compilerPid();
    process.kill(busy, 'SIGSTOP');
    await client.publish(STOPPED_CHANNEL, encodeStop({ lineItems: ['fifth'], at: Date.now() }));
    const statuses = async () => [...new Set(await Promise.all(Array.from({ length: 20 }, bid)))];
    await eventually(statuses, (seen) => seen.join() === '204');
    expect(await served()).toEqual([5, 5]);
    process.kill(busy, 'SIGCONT');
    await publish(client, live({ version: 6, lineItems: [lineItem('sixth')] }));
    await eventually(statuses, (seen) => seen.join() === '200');
  });

  it('refuses a snapshot that its compilers die of, serves on, and then the next one', { timeout: PATIENCE }, async () => {
    const refusals = async (): Promise<number> => Number(/^walkin_snapshot_refused_total (\d+)$/m.exec(await allMetrics())?.[1]);
    const before = await refusals();
    // Who reads it gets no further than to its parts, and is killed there, as by a system that runs out of memory.
    await client.set(SNAPSHOT_PARTS_KEY, 'no parts');
    await client.set(SNAPSHOT_KEY, encodeHead(splitSnapshot(live({ version: 7, lineItems: [lineItem('seventh')] })).head));
    await client.publish(SNAPSHOT_CHANNEL, '7');
    let connection = '';
    for (let death = 0; death < 2; death++) {
      connection = await eventually(readerOfParts, (reader) => reader !== '' && reader !== connection, PATIENCE);
      process.kill(compilerPid(), 'SIGKILL');
    }
    await eventually(
      readiness,
      ({ snapshotRefused }) => snapshotRefused?.error === 'snapshot: the compiler dies of it',
      PATIENCE,
    );
    await eventually(refusals, (count) => count === before + 1);
    expect([await served(), await bid()]).toEqual([[6, 6], 200]);
    await client.del(SNAPSHOT_PARTS_KEY);
    await publish(client, live({ version: 8, lineItems: [lineItem('eighth')] }));
    await eventually(served, (versions) => versions.length === 2 && versions.every((version) => version === 8), PATIENCE);
    expect(await readiness()).toMatchObject({ ready: true, snapshotRefused: null });
  });

  it('says whose port is taken and gives up', { timeout: PATIENCE }, async () => {
    const second = startMain({ WALKIN_BIDDER_METRICS_PORT: '0', WALKIN_BIDDER_WORKERS: '1' });
    const [code] = (await once(second, 'exit')) as [number | null];
    expect(code).toBe(1);
    expect(output).toContain(`port ${port} of the bidder`);
    expect(await bid()).toBe(200);
  });

  it('stops in time with nothing left behind', { timeout: PATIENCE }, async () => {
    const since = Date.now();
    primary.kill('SIGTERM');
    const [code] = (await once(primary, 'exit')) as [number | null];
    expect([code, Date.now() - since < 15_000]).toEqual([0, true]);
    expect(await workers()).toEqual([]);
    expect(output).not.toContain(PEPPER);
    expect(indexFolders()).toEqual([]);
  });

  it('takes its workers along when the primary is killed', { timeout: PATIENCE }, async () => {
    await start();
    const pids = (await workers()).map(pidOf);
    expect(pids).toHaveLength(2);
    primary.kill('SIGKILL');
    await eventually(
      () => pids.filter(isRunning),
      (running) => running.length === 0,
    );
    expect(await workers()).toEqual([]);
    await eventually(indexFolders, (folders) => folders.length === 0);
  });
});

describe('the settings', () => {
  it('are all checked at once', async () => {
    output = '';
    const child = startMain({ WALKIN_PEPPER: '', WALKIN_BIDDER_PORT: 'x' });
    const [code] = (await once(child, 'close')) as [number | null];
    expect(code).toBe(1);
    expect(output).toContain('WALKIN_PEPPER');
    expect(output).toContain('WALKIN_BIDDER_PORT');
  });
});

function isRunning(pid: number): boolean {
  try {
    process.kill(pid, 0);
    return true;
  } catch {
    return false;
  }
}
