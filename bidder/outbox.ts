import type { Redis } from 'ioredis';
import { type AdEvent, encodeAdEvent } from '../proto/ad-event.ts';
import { AD_EVENT_STREAM } from '../proto/keys.ts';
import type { Metrics } from './metrics.ts';
import { createScript } from './redis.ts';

/** Ad events on their way to the stream, off the request. Bounded: when Redis stays away the newest are dropped and counted. */
export interface Outbox {
  push(event: AdEvent): void;
  /** Writes now; true when all that was there is written. */
  flush(): Promise<boolean>;
  /** Stops, and tries for `ms` to write what is left. */
  close(ms: number): Promise<void>;
}

export interface OutboxOptions {
  readonly capacity?: number;
  readonly flushMs?: number;
  readonly retryMs?: number;
}

/** Events of one command. */
const BATCH = 500;

export function createOutbox(redis: Redis, metrics: Metrics, options: OutboxOptions = {}): Outbox {
  const { capacity = 50_000, flushMs = 5, retryMs = 250 } = options;
  const append = createScript(redis, 'append');
  let waiting: string[] = [];
  let timer: NodeJS.Timeout | null = null;
  let flushing: Promise<boolean> | null = null;
  let closed = false;
  // Read when asked for, and not written at each event.
  metrics.outboxSize.read(() => waiting.length);
  return { push, flush, close };

  function push(event: AdEvent): void {
    if (waiting.length >= capacity) {
      metrics.outboxDropped.inc();
      return;
    }
    waiting.push(encodeAdEvent(event));
    schedule(flushMs);
  }

  function schedule(ms: number): void {
    if (timer !== null || closed) return;
    timer = setTimeout(() => {
      timer = null;
      void flush().then((empty) => {
        if (!empty) schedule(retryMs);
        else if (waiting.length > 0) schedule(flushMs);
      });
    }, ms);
  }

  function flush(): Promise<boolean> {
    flushing ??= writeAll().finally(() => {
      flushing = null;
    });
    return flushing;
  }

  /** What comes meanwhile is left for the next time: where bids come faster than Redis answers this would never end, and write each few of them apart. */
  async function writeAll(): Promise<boolean> {
    for (let left = waiting.length; left > 0; ) {
      const batch = waiting.slice(0, Math.min(left, BATCH));
      if (!(await write(batch))) return false;
      waiting = waiting.slice(batch.length);
      left -= batch.length;
    }
    return true;
  }

  /** A batch that was written in part is written again: an event is known by (type, bid), so that changes nothing. */
  async function write(batch: readonly string[]): Promise<boolean> {
    try {
      return (await append([AD_EVENT_STREAM], batch)) === batch.length;
    } catch {
      return false;
    }
  }

  async function close(ms: number): Promise<void> {
    closed = true;
    if (timer !== null) clearTimeout(timer);
    const end = performance.now() + ms;
    while (waiting.length > 0 && performance.now() < end)
      if (!(await flush())) await new Promise((resolve) => setTimeout(resolve, 50));
    if (waiting.length > 0) metrics.outboxDropped.inc(waiting.length);
  }
}
