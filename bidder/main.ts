import cluster from 'node:cluster';
import { createServer } from 'node:net';
import { availableParallelism } from 'node:os';
import { pino } from 'pino';
import { AggregatorRegistry, collectDefaultMetrics } from 'prom-client';
import { pepperRing } from '../proto/pepper.ts';
import { readSettings, SettingsError } from '../proto/settings.ts';
import type { Channel } from './compiler/source.ts';
import { answerPrimary, workersOfCluster } from './debug/channel.ts';
import { type Announced, announceBidder, registerDebugPort } from './debug/port.ts';
import type { WorkerMessage } from './messages.ts';
import { createMetrics } from './metrics.ts';
import { workerName } from './pid.ts';
import { createPrimary, type Primary } from './primary.ts';
import { connectRedis } from './redis.ts';
import { BidderSettings } from './settings.ts';
import { giveWay } from './threads.ts';
import { createWorker } from './worker.ts';

/** Everything is stopped five seconds after the signal, whatever hangs. */
const STOP_MS = 4_000;
const LAST_MS = 4_800;
const REPORT_MS = 1_000;
/**
 * V8 compiles what is run often on a thread beside the one that answers. After a swap, which is the first time that much of the code meets another index, four of
 * them took the core that they share in equal parts for 80 ms, and requests waited for 70.
 */
const HELPERS_NICE = 10;

const settings = settingsOrExit();
const log = pino({ level: settings.WALKIN_LOG_LEVEL, name: 'bidder' });
const workers = settings.WALKIN_BIDDER_WORKERS || availableParallelism();
await (cluster.isPrimary ? runPrimary() : runWorker());

function settingsOrExit() {
  try {
    return readSettings(BidderSettings, process.env);
  } catch (error) {
    if (!(error instanceof SettingsError)) throw error;
    console.error(error.message);
    process.exit(1);
  }
}

async function runPrimary(): Promise<void> {
  const port = settings.WALKIN_BIDDER_PORT || (await freePort());
  const redis = connectRedis(settings.REDIS_URL, { connectionName: 'bidder-primary', commandTimeout: 1_000 }, log);
  const primary = createPrimary(redis, log, {
    workers,
    env: { ...process.env, WALKIN_BIDDER_PORT: String(port), WALKIN_BIDDER_WORKERS: String(workers) },
    flags: workerFlags(),
    onFault: (message) => {
      log.fatal(message);
      stop(1);
    },
  });
  registerDebugPort(primary.app, workersOfCluster(), settings.WALKIN_PEPPER);
  let announced: Announced | null = null;
  let stopping = false;
  const stop = (code: number): void => {
    if (stopping) return;
    stopping = true;
    setTimeout(() => process.exit(code), LAST_MS).unref();
    void announced?.stop();
    void primary.stop(STOP_MS).finally(() => process.exit(code));
  };
  process.on('SIGTERM', () => stop(0));
  process.on('SIGINT', () => stop(0));
  try {
    await primary.app.listen({ host: settings.WALKIN_HOST, port: settings.WALKIN_BIDDER_METRICS_PORT });
  } catch (error) {
    log.fatal(`metrics port ${settings.WALKIN_BIDDER_METRICS_PORT} of the bidder: ${(error as Error).message}`);
    process.exit(1);
  }
  announced = announceBidder(redis, workerName(process.pid), settings.WALKIN_HOST, portOf(primary.app));
  primary.start();
  log.info({ port, workers }, 'bidder');
}

async function runWorker(): Promise<void> {
  const port = settings.WALKIN_BIDDER_PORT;
  const metrics = createMetrics();
  collectDefaultMetrics({ register: metrics.registry });
  AggregatorRegistry.setRegistries(metrics.registry);
  // Makes this worker answer the primary's question for metrics.
  new AggregatorRegistry();
  const worker = createWorker(
    {
      redisUrl: settings.REDIS_URL,
      name: workerName(process.pid),
      workers,
      pepper: pepperRing(settings.WALKIN_PEPPER, settings.WALKIN_OLD_PEPPERS),
      noticeSecret: settings.WALKIN_NOTICE_SECRET,
      publicUrl: settings.WALKIN_PUBLIC_URL ?? `http://127.0.0.1:${port}`,
      reservationSeconds: settings.WALKIN_RESERVATION_SECONDS,
      vendor: settings.WALKIN_TCF_VENDOR_ID,
      contextual: settings.WALKIN_GDPR_CONTEXTUAL,
      onSwap: report,
      primary: channelToPrimary(),
    },
    metrics,
    log,
  );
  let stopping = false;
  const stop = (): void => {
    if (stopping) return;
    stopping = true;
    setTimeout(() => process.exit(0), STOP_MS).unref();
    void worker.close().finally(() => process.exit(0));
  };
  process.on('SIGTERM', stop);
  process.on('SIGINT', stop);
  // The primary is gone: without it nobody restarts us, nor stops us. Node would exit on the spot, with allowances held and
  // events unwritten, unless the worker seems to have asked for it.
  if (cluster.worker !== undefined) cluster.worker.exitedAfterDisconnect = true;
  process.on('disconnect', stop);
  await worker.start();
  answerPrimary(worker.debugger);
  try {
    await worker.app.listen({ host: settings.WALKIN_HOST, port });
  } catch (error) {
    tell({ type: 'walkin:fault', message: `port ${port} of the bidder: ${(error as Error).message}` });
    return;
  }
  // Not before: they read and compile what it starts with.
  giveWay(HELPERS_NICE, 'helpers');
  report();
  setInterval(report, REPORT_MS);

  function report(): void {
    tell({ type: 'walkin:state', reasons: worker.notReady(), snapshotVersion: worker.feed.current()?.version ?? null });
  }
}

/**
 * Node's flags for a worker: a young generation in which what one request makes dies before it is moved, and a bound to the old one, since
 * an index lies outside the heap. Where each core has its worker the collector's threads only take the core from the worker that
 * waits for them: at a quarter of the load p99 was 27 to 35 ms with them and 4.7 ms without. Marking, too, is then the worker's own work, for 50 ms in
 * pieces: it is put off until there is something to collect, since a fresh worker did it four times in its first half minute for 10 MB each.
 *
 * Where most of what one place makes has outlived a scavenge or two, V8 makes it in the old generation from then on, for good. Half of all workers decided so of the lists of a
 * request in their first seconds, when answers are slow: from then on each request's lists were dead in the old generation, held its texts, and a mark came every second.
 *
 * What is left after a mark may grow by three quarters before the next: V8 gives an old generation that grows slowly a tenth, here 8 MB, though it is the mark that costs. Doubled,
 * it came to 599 MB of a worker with 100,000 line items.
 */
function workerFlags(): string[] {
  return [
    '--max-semi-space-size=32',
    '--max-old-space-size=1024',
    '--single-threaded-gc',
    '--initial-old-space-size=96',
    '--no-allocation-site-pretenuring',
    '--heap-growing-percent=75',
    '--v8-pool-size=1',
  ];
}

function channelToPrimary(): Channel {
  return {
    send: tell,
    on: (listener) => void process.on('message', listener),
    off: (listener) => void process.off('message', listener),
  };
}

function tell(message: WorkerMessage): void {
  if (process.connected) process.send?.(message);
}

function portOf({ server }: Primary['app']): number {
  const address = server.address();
  return typeof address === 'object' && address !== null ? address.port : settings.WALKIN_BIDDER_METRICS_PORT;
}

function freePort(): Promise<number> {
  return new Promise((resolve, reject) => {
    const server = createServer();
    server.once('error', reject);
    server.listen(0, settings.WALKIN_HOST, () => {
      const address = server.address();
      server.close(() => resolve(typeof address === 'object' && address !== null ? address.port : 0));
    });
  });
}
