import cluster, { type Worker } from 'node:cluster';
import { hostname } from 'node:os';
import Fastify, { type FastifyInstance } from 'fastify';
import type { Redis } from 'ioredis';
import type { Logger } from 'pino';
import { AggregatorRegistry, Counter, Gauge, Registry } from 'prom-client';
import { WORKERS_KEY } from '../proto/keys.ts';
import { startCompilerChild } from './compiler/child.ts';
import {
  COMPILER_STEPS,
  type IndexMade,
  isWorkerMessage,
  type PrimaryMessage,
  type WorkerMessage,
  type WorkerState,
} from './messages.ts';
import { isRunning, workerName } from './pid.ts';

export interface PrimaryOptions {
  readonly workers: number;
  /** Environment of the workers and of the compiler. */
  readonly env: NodeJS.ProcessEnv;
  /** Node's flags for workers, beside its own. */
  readonly flags: readonly string[];
  /** A worker said that no worker can run. */
  readonly onFault: (message: string) => void;
}

/** The cluster's primary: keeps its workers and their compiler alive, and answers for all of them on the metrics port. */
export interface Primary {
  readonly app: FastifyInstance;
  start(): void;
  /** Stops the workers; those that take longer than `ms` are killed. */
  stop(ms: number): Promise<void>;
}

interface Slot {
  worker: Worker | null;
  state: WorkerState | null;
  startedAt: number;
  failures: number;
}

const FIRST_BACKOFF_MS = 100;
const LONGEST_BACKOFF_MS = 5_000;
/** A worker that ran this long died for a reason of its own: the next one starts at once. */
const STABLE_MS = 30_000;
const PRUNE_MS = 15_000;
/** Workers report every poll (5 s); one that has been silent this long is gone. */
const SILENT_MS = 60_000;

export function createPrimary(redis: Redis, log: Logger, { workers, env, flags, onFault }: PrimaryOptions): Primary {
  const registry = new Registry();
  const registers = [registry];
  const alive = new Gauge({ name: 'walkin_bidder_workers', help: 'Workers that run.', registers });
  const restarts = new Counter({ name: 'walkin_bidder_worker_restarts_total', help: 'Workers that died.', registers });
  const deaths = new Counter({
    name: 'walkin_bidder_compiler_restarts_total',
    help: 'Compilers of snapshots that died.',
    registers,
  });
  const steps = new Gauge({
    name: 'walkin_snapshot_step_seconds',
    help: 'What each step of the compiler took for the newest index.',
    labelNames: ['step'],
    registers,
  });
  const compiler = startCompilerChild(log, {
    env,
    onIndex: (index) => {
      for (const step of COMPILER_STEPS) steps.set({ step }, index.took[step] / 1_000);
      tellAll(index);
    },
    onRefused: tellAll,
    onNothing: () => tellAll({ type: 'walkin:no-index' }),
    onDeath: () => deaths.inc(),
  });
  const aggregator = new AggregatorRegistry();
  const slots: Slot[] = Array.from({ length: workers }, () => ({ worker: null, state: null, startedAt: 0, failures: 0 }));
  let stopping = false;
  let pruner: NodeJS.Timeout | undefined;
  const app = statusApp();
  return { app, start, stop };

  function start(): void {
    compiler.start();
    cluster.setupPrimary({ execArgv: [...process.execArgv, ...flags] });
    for (const slot of slots) fork(slot);
    redis.once('ready', () => void prune());
    pruner = setInterval(() => void prune(), PRUNE_MS);
  }

  function fork(slot: Slot): void {
    const worker = cluster.fork(env);
    slot.worker = worker;
    slot.startedAt = performance.now();
    alive.inc();
    worker.on('message', (message: unknown) => {
      if (isWorkerMessage(message)) take(slot, worker, message);
    });
    worker.once('exit', (code, signal) => onExit(slot, worker, code, signal));
  }

  function take(slot: Slot, worker: Worker, message: WorkerMessage): void {
    if (message.type === 'walkin:fault') onFault(message.message);
    else if (message.type === 'walkin:state') slot.state = message;
    else answer(worker, compiler.current());
  }

  /** Who is not answered now is told with the others when there is something. */
  function answer(worker: Worker, index: IndexMade | null): void {
    if (index !== null) tell(worker, index);
    else if (compiler.hasNothing()) tell(worker, { type: 'walkin:no-index' });
  }

  function tellAll(message: PrimaryMessage): void {
    for (const { worker } of slots) if (worker !== null) tell(worker, message);
  }

  function tell(worker: Worker, message: PrimaryMessage): void {
    // A worker that is just dying cannot be told; the next one asks.
    if (worker.isConnected()) worker.send(message, () => undefined);
  }

  function onExit(slot: Slot, worker: Worker, code: number | null, signal: string | null): void {
    slot.worker = null;
    slot.state = null;
    alive.dec();
    redis.hdel(WORKERS_KEY, workerName(worker.process.pid)).catch(() => undefined);
    if (stopping) return;
    restarts.inc();
    slot.failures = performance.now() - slot.startedAt > STABLE_MS ? 0 : slot.failures + 1;
    const wait = slot.failures <= 1 ? 0 : Math.min(LONGEST_BACKOFF_MS, FIRST_BACKOFF_MS * 2 ** (slot.failures - 2));
    log.warn({ pid: worker.process.pid, code, signal, wait }, 'a worker died, another one starts');
    setTimeout(() => {
      if (!stopping) fork(slot);
    }, wait);
  }

  /** Workers that could not say goodbye: killed together with their primary, or with their machine. */
  async function prune(): Promise<void> {
    try {
      for (const [name, value] of Object.entries(await redis.hgetall(WORKERS_KEY)))
        if (isGone(name, value)) await redis.hdel(WORKERS_KEY, name);
    } catch {
      // Redis is away: the next round does it.
    }
  }

  function statusApp(): FastifyInstance {
    const status = Fastify({ logger: false });
    status.get('/livez', (_request, reply) => reply.send({ status: 'ok' }));
    status.get('/readyz', (_request, reply) => {
      const states = slots.map(({ state }) => state).filter((state) => state !== null);
      const ready = states.some(({ reasons }) => reasons.length === 0);
      const reasons = ready ? [] : [...new Set(states.flatMap((state) => state.reasons))];
      if (states.length === 0) reasons.push('no worker has started yet');
      const versions = states.flatMap(({ snapshotVersion }) => snapshotVersion ?? []);
      const snapshotVersion = versions.length === 0 ? null : Math.min(...versions);
      return reply
        .code(ready ? 200 : 503)
        .send({ ready, reasons, snapshotVersion, snapshotRefused: refusedNow(), workers: states.length });
    });
    status.get('/metrics', async (_request, reply) => {
      reply.type(registry.contentType);
      return `${await aggregator.clusterMetrics()}\n${await registry.metrics()}`;
    });
    return status;
  }

  /** What is wrong with the snapshot that was published last, or null. */
  function refusedNow(): { version: number | null; error: string } | null {
    const refused = compiler.refused();
    return refused === null ? null : { version: refused.version, error: refused.error };
  }

  async function stop(ms: number): Promise<void> {
    stopping = true;
    clearInterval(pruner);
    compiler.stop();
    const running = slots.flatMap(({ worker }) => worker ?? []);
    const exits = running.map((worker) => new Promise<void>((resolve) => worker.once('exit', () => resolve())));
    for (const worker of running) worker.process.kill('SIGTERM');
    const killer = setTimeout(() => {
      for (const worker of running) worker.process.kill('SIGKILL');
    }, ms);
    await Promise.all(exits);
    clearTimeout(killer);
    await app.close();
    redis.disconnect();
  }
}

function isGone(name: string, value: string): boolean {
  const colon = name.lastIndexOf(':');
  if (name.slice(0, colon) === hostname() && !isRunning(Number(name.slice(colon + 1)))) return true;
  try {
    return Date.now() - Number((JSON.parse(value) as { at?: number }).at ?? 0) > SILENT_MS;
  } catch {
    return true;
  }
}
