import type { Redis } from 'ioredis';
import type { Logger } from 'pino';
import { WORKERS_KEY } from '../proto/keys.ts';
import { openCompiled } from './compiler/compiled.ts';
import type { IndexSource } from './compiler/source.ts';
import type { Index } from './core/index.ts';
import type { Metrics } from './metrics.ts';

/** The index that this worker serves: a request keeps the one it began with, a swap is one reference. */
export interface Feed {
  /** Null until the first snapshot is there. */
  current(): Index | null;
  /** Looks for a new snapshot now. Never rejects. */
  refresh(): Promise<void>;
  start(): Promise<void>;
  close(): Promise<void>;
}

export interface FeedDeps {
  readonly redis: Redis;
  readonly source: IndexSource;
  readonly metrics: Metrics;
  readonly log: Logger;
}

export interface FeedOptions {
  /** `<hostname>:<pid>` */
  readonly worker: string;
  readonly reportMs?: number;
  /** Called after each swap. */
  readonly onSwap?: (index: Index) => void;
}

const REPORT_MS = 5_000;

export function createFeed({ redis, source, metrics, log }: FeedDeps, options: FeedOptions): Feed {
  const { worker, reportMs = REPORT_MS, onSwap } = options;
  let index: Index | null = null;
  let timer: NodeJS.Timeout | null = null;
  let reporting: Promise<unknown> = Promise.resolve();
  return { current: () => index, refresh: () => source.refresh(), start, close };

  async function start(): Promise<void> {
    timer = setInterval(report, reportMs);
    await source.start({ index: swap, refused: () => metrics.snapshotRefused.inc() });
    await reporting;
  }

  function swap(bytes: ArrayBuffer): void {
    try {
      const opened = openCompiled(bytes);
      if (opened.version === index?.version) return;
      index = opened;
    } catch (error) {
      metrics.snapshotRefused.inc();
      log.error({ error: (error as Error).message }, 'index refused, the old one serves on');
      return;
    }
    metrics.snapshotVersion.set(index.version);
    metrics.snapshotTime.set(index.at / 1000);
    log.info({ version: index.version, lineItems: index.size }, 'snapshot');
    report();
    onSwap?.(index);
  }

  function report(): void {
    if (index === null) return;
    const state = JSON.stringify({ version: index.version, at: Date.now() });
    reporting = redis.hset(WORKERS_KEY, worker, state).catch(() => undefined);
  }

  async function close(): Promise<void> {
    if (timer !== null) clearInterval(timer);
    await source.close();
    await reporting;
    await redis.hdel(WORKERS_KEY, worker).catch(() => undefined);
  }
}
