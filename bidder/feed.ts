import type { Redis } from 'ioredis';
import type { Logger } from 'pino';
import { WORKERS_KEY } from '../proto/keys.ts';
import type { Stop } from '../proto/stop.ts';
import type { IndexSource } from './compiler/source.ts';
import { type Index, openIndex } from './core/index.ts';
import type { Refusal } from './messages.ts';
import type { Metrics } from './metrics.ts';

/** The index that this worker serves: a request keeps the one it began with, a swap is one reference. */
export interface Feed {
  /** Null until the first snapshot is there. */
  current(): Index | null;
  /** What is wrong with the snapshot that was published last; null where it is served. */
  refused(): Refusal | null;
  /** These line items must not bid any more, whatever an index says that was made before. */
  stop(stop: Stop): void;
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
/** Every snapshot that is made later is served by then. Kept by our own clock, so that a wrong one of the dmp stops nothing for longer. */
const STOP_MEMORY_MS = 60_000;

export function createFeed({ redis, source, metrics, log }: FeedDeps, options: FeedOptions): Feed {
  const { worker, reportMs = REPORT_MS, onSwap } = options;
  let index: Index | null = null;
  let refusal: Refusal | null = null;
  let stops: readonly (Stop & { readonly heard: number })[] = [];
  let timer: NodeJS.Timeout | null = null;
  let reporting: Promise<unknown> = Promise.resolve();
  return { current: () => index, refused: () => refusal, stop, refresh: () => source.refresh(), start, close };

  async function start(): Promise<void> {
    timer = setInterval(report, reportMs);
    await source.start({ index: swap, refused: refuse });
    await reporting;
  }

  function refuse(refused: Refusal): void {
    refusal = refused;
    metrics.snapshotRefused.inc();
  }

  function swap(bytes: ArrayBufferLike): void {
    const since = performance.now();
    try {
      const opened = openIndex(bytes);
      refusal = null;
      if (opened.version === index?.version) return;
      for (const stop of recentStops()) apply(stop, opened);
      index = opened;
    } catch (error) {
      refuse({ version: null, error: (error as Error).message });
      log.error({ error: (error as Error).message }, 'index refused, the old one serves on');
      return;
    }
    metrics.snapshotVersion.set(index.version);
    metrics.snapshotTime.set(index.at / 1000);
    log.info({ version: index.version, lineItems: index.size }, 'snapshot');
    report();
    onSwap?.(index);
    metrics.snapshotSwap.set((performance.now() - since) / 1_000);
  }

  function stop(told: Stop): void {
    stops = [...recentStops(), { ...told, heard: performance.now() }];
    if (index !== null) apply(told, index);
  }

  /** A snapshot that was made before may come after. */
  function recentStops(): readonly (Stop & { readonly heard: number })[] {
    const since = performance.now() - STOP_MEMORY_MS;
    return stops.filter(({ heard }) => heard > since);
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

/** To the index of a snapshot that was made before the stop. */
function apply({ lineItems, at }: Stop, index: Index): void {
  if (index.at > at) return;
  for (const id of lineItems) {
    const position = index.positionOf(id);
    if (position >= 0) index.setLive(position, false);
  }
}
