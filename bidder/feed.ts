import type { Redis } from 'ioredis';
import type { Logger } from 'pino';
import { SNAPSHOT_CHANNEL, SNAPSHOT_KEY, SNAPSHOT_VERSION_KEY, WORKERS_KEY } from '../proto/keys.ts';
import { decodeSnapshot } from '../proto/snapshot.ts';
import { buildIndex, type Index } from './core/index.ts';
import type { Metrics } from './metrics.ts';

/** The index that this worker serves: follows the published snapshot and swaps one reference. */
export interface Feed {
  /** Null until the first snapshot is there. */
  current(): Index | null;
  /** Looks for a new snapshot now. Never rejects. */
  refresh(): Promise<void>;
  /** Follows the announcements, and looks by itself now and then, since an announcement may be lost. */
  start(): Promise<void>;
  close(): Promise<void>;
}

export interface FeedDeps {
  readonly redis: Redis;
  /** A connection for subscribing only; null to poll only. */
  readonly subscriber: Redis | null;
  readonly metrics: Metrics;
  readonly log: Logger;
}

export interface FeedOptions {
  /** `<hostname>:<pid>` */
  readonly worker: string;
  readonly pollMs?: number;
  /** Called after each swap. */
  readonly onSwap?: (index: Index) => void;
}

export function createFeed({ redis, subscriber, metrics, log }: FeedDeps, options: FeedOptions): Feed {
  const { worker, pollMs = 5_000, onSwap } = options;
  let index: Index | null = null;
  /** Version that was refused, so that the log says it once. */
  let refused = -1;
  let refreshing: Promise<void> | null = null;
  let again = false;
  let timer: NodeJS.Timeout | null = null;
  return { current: () => index, refresh, start, close };

  async function start(): Promise<void> {
    timer = setInterval(() => void refresh(), pollMs);
    if (subscriber !== null) {
      subscriber.on('message', (channel: string) => {
        if (channel === SNAPSHOT_CHANNEL) void refresh();
      });
      // What was announced while we were away is found at once, not at the next poll.
      subscriber.on('ready', () => {
        subscriber.subscribe(SNAPSHOT_CHANNEL).then(refresh, () => undefined);
      });
      if (subscriber.status === 'ready') await subscriber.subscribe(SNAPSHOT_CHANNEL).catch(() => undefined);
    }
    await refresh();
  }

  /** One at a time; an announcement during a load leads to one more. */
  function refresh(): Promise<void> {
    if (refreshing !== null) {
      again = true;
      return refreshing;
    }
    refreshing = load()
      .catch(() => undefined)
      .finally(() => {
        refreshing = null;
        if (!again) return;
        again = false;
        void refresh();
      });
    return refreshing;
  }

  async function load(): Promise<void> {
    const version = await redis.get(SNAPSHOT_VERSION_KEY);
    if (index === null || version === null || Number(version) !== index.version) {
      const value = await redis.getBuffer(SNAPSHOT_KEY);
      if (value !== null) swap(value, Number(version ?? -1));
    }
    if (index !== null) await redis.hset(WORKERS_KEY, worker, JSON.stringify({ version: index.version, at: Date.now() }));
  }

  function swap(value: Buffer, version: number): void {
    try {
      const snapshot = decodeSnapshot(value);
      if (snapshot.version === index?.version) return;
      index = buildIndex(snapshot);
    } catch (error) {
      metrics.snapshotRefused.inc();
      if (refused !== version) log.error({ version, error: (error as Error).message }, 'snapshot refused, the old one serves on');
      refused = version;
      return;
    }
    metrics.snapshotVersion.set(index.version);
    metrics.snapshotTime.set(index.at / 1000);
    log.info({ version: index.version, lineItems: index.size }, 'snapshot');
    onSwap?.(index);
  }

  async function close(): Promise<void> {
    if (timer !== null) clearInterval(timer);
    await refreshing;
    await redis.hdel(WORKERS_KEY, worker).catch(() => undefined);
  }
}
