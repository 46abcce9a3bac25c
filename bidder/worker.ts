import { randomBytes } from 'node:crypto';
import type { FastifyInstance } from 'fastify';
import type { Redis } from 'ioredis';
import type { Logger } from 'pino';
import { type AdEvent, encodeAdEvent } from '../proto/ad-event.ts';
import { AD_EVENT_STREAM } from '../proto/keys.ts';
import { createConsents } from '../proto/privacy/permission.ts';
import { createAdmission } from './admission.ts';
import { buildApp } from './app.ts';
import { createBooking } from './booking.ts';
import { followChanged } from './changed.ts';
import { type Channel, compileHere, fromPrimary } from './compiler/source.ts';
import type { Index } from './core/index.ts';
import { createDebugger, type Debugger } from './debug/debugger.ts';
import { createRequestSample } from './debug/sample.ts';
import { createFeed, type Feed } from './feed.ts';
import { createLeases, type Leases } from './leases/lease.ts';
import { spenderAt } from './leases/spender.ts';
import { createMatchCounts } from './match-counts.ts';
import type { Metrics } from './metrics.ts';
import { startNoBidLog } from './no-bid-log.ts';
import { createOutbox } from './outbox.ts';
import { connectRedis, whenReady } from './redis.ts';
import { watchPauses } from './runtime.ts';
import { followStops } from './stops.ts';
import { createMatches } from './sync.ts';
import { createUsers } from './users.ts';

export interface WorkerOptions {
  readonly redisUrl: string;
  /** `<hostname>:<pid>` */
  readonly name: string;
  /** Workers that share the budgets. */
  readonly workers: number;
  readonly pepper: string;
  readonly noticeSecret: string;
  readonly publicUrl: string;
  readonly reservationSeconds: number;
  /** Our id in the Global Vendor List, 0 or absent: none. */
  readonly vendor?: number;
  /** Whether contextual ads are bid where GDPR applies and there is no consent for us. */
  readonly contextual?: boolean;
  /** How long a lease is used, ms. */
  readonly leaseMs?: number;
  /** How long a person is known without being read again, ms. */
  readonly personCacheMs?: number;
  /** Line items that are kept with an allowance at all times. */
  readonly warmLineItems?: number;
  /** How often it looks for a snapshot whose announcement was lost, ms; only without a primary. */
  readonly pollMs?: number;
  /** To the primary of its cluster, whose compiler makes its indexes; absent: it compiles for itself. */
  readonly primary?: Channel;
  readonly onSwap?: (index: Index) => void;
}

/** One bidder worker: everything of it but the port. */
export interface Worker {
  readonly app: FastifyInstance;
  readonly feed: Feed;
  readonly leases: Leases;
  readonly debugger: Debugger;
  /** Why it is not ready, empty when it is. */
  notReady(): string[];
  /** Connects and loads the snapshot; returns also where Redis is away, then the worker answers no-bid until it is back. */
  start(): Promise<void>;
  /** Finishes what is under way, writes and gives back what it holds. */
  close(): Promise<void>;
}

const CONNECT_MS = 2_000;
/** Longest life of who is kept in the person cache. */
const PERSON_CACHE_MS = 1_000;
/** A notice must not wait longer for Redis: the exchange calls again. */
const COMMAND_MS = 1_000;
const BACKGROUND_MS = 10_000;
/**
 * A Redis that is silent for so long hangs: it is asked for nothing more until it takes a new connection. What was asked for in a minute, the same events again and
 * again among it, was worked off in the first moment after it.
 */
const SILENT_MS = 2_000;
const DRAIN_MS = 1_500;
const FLUSH_MS = 1_000;

export function createWorker(options: WorkerOptions, metrics: Metrics, log: Logger): Worker {
  const { redisUrl, noticeSecret, pepper } = options;
  const reads = connectRedis(redisUrl, { connectionName: 'bidder-reads' }, log);
  const writes = connectRedis(
    redisUrl,
    { connectionName: 'bidder-writes', commandTimeout: COMMAND_MS, socketTimeout: SILENT_MS },
    log,
  );
  // A large snapshot on its way must not hold up notices.
  const background = connectRedis(
    redisUrl,
    { connectionName: 'bidder-background', commandTimeout: BACKGROUND_MS, socketTimeout: SILENT_MS },
    log,
  );
  const unique = randomBytes(5).toString('hex');
  const changes = connectRedis(redisUrl, { connectionName: 'bidder-changes' }, log);
  const changed = followChanged(changes, options.personCacheMs ?? PERSON_CACHE_MS);
  const leases = createLeases(background, metrics, {
    worker: unique,
    workers: options.workers,
    reservationMs: options.reservationSeconds * 1_000,
    ...defined({ usableMs: options.leaseMs, warm: options.warmLineItems }),
  });
  const onSwap = (index: Index): void => {
    asked.swapped(index);
    leases.keepWarm(index.size, (position) => spenderAt(index, position));
    options.onSwap?.(index);
  };
  const { primary } = options;
  const subscriber = primary === undefined ? connectRedis(redisUrl, { connectionName: 'bidder-snapshot' }, log) : null;
  const source =
    primary === undefined
      ? compileHere(background, subscriber as Redis, log, defined({ pollMs: options.pollMs }))
      : fromPrimary(primary);
  const feed = createFeed({ redis: background, source, metrics, log }, { worker: options.name, onSwap });
  // Not through the compiler, which may be busy for seconds.
  followStops(changes, feed.stop);
  const clients = [reads, writes, background, changes, subscriber].filter((client) => client !== null);
  const outbox = createOutbox(writes, metrics);
  const admission = createAdmission({ workers: options.workers });
  const stopWatching = watchPauses(metrics);
  const consents = createConsents(options.vendor ?? 0, options.contextual);
  const matches = createMatchCounts(background, metrics);
  const noBidLog = startNoBidLog(metrics, log);
  const sample = createRequestSample({ worker: unique });
  const encode = {
    publicUrl: options.publicUrl.replace(/\/+$/, ''),
    noticeSecret,
    reservationSeconds: options.reservationSeconds,
  };
  const asked = createDebugger({ current: feed.current, redis: background, pepper, consents, encode, sample, log });
  const app = buildApp({
    auction: {
      current: feed.current,
      admission,
      users: createUsers(reads, metrics, { ...defined({ cacheMs: options.personCacheMs }), changed }),
      leases,
      outbox,
      writeGhosts: (events) => writeGhosts(writes, events),
      metrics,
      nextBid: createBidIds(unique),
      pepper,
      consents,
      encode,
      matches,
      sample,
    },
    notices: { current: feed.current, book: createBooking(writes, admission.earned), outbox, metrics, noticeSecret },
    sync: { current: feed.current, consents, pepper, metrics, keep: createMatches(writes), now: Date.now },
    notReady,
    refused: feed.refused,
    log,
  });
  return { app, feed, leases, debugger: asked, notReady, start, close };

  function notReady(): string[] {
    const reasons: string[] = [];
    if (feed.current() === null) reasons.push('no snapshot has been published yet');
    if (writes.status !== 'ready') reasons.push('Redis is away');
    return reasons;
  }

  async function start(): Promise<void> {
    await Promise.all(clients.map((client) => whenReady(client, CONNECT_MS)));
    await feed.start();
    await app.ready();
  }

  async function close(): Promise<void> {
    // Sockets that do not end, or a cluster primary that is gone, must not keep us from giving back and writing.
    await Promise.race([app.close(), new Promise((resolve) => setTimeout(resolve, DRAIN_MS))]);
    await leases.close();
    await outbox.close(FLUSH_MS);
    await matches.close();
    noBidLog.stop();
    await feed.close();
    for (const client of clients) client.disconnect();
    admission.close();
    stopWatching();
  }
}

/** The given ones: an option that is not given keeps its default. */
function defined<Options extends Record<string, number | undefined>>(options: Options): { [Name in keyof Options]?: number } {
  return Object.fromEntries(Object.entries(options).filter(([, value]) => value !== undefined)) as {
    [Name in keyof Options]?: number;
  };
}

/** Unique over workers by their random part, over time by the clock and a counter. */
function createBidIds(unique: string): () => string {
  const prefix = `${unique}${Date.now().toString(36)}`;
  let counter = 0;
  return () => `${prefix}-${(counter++).toString(36)}`;
}

async function writeGhosts(redis: Redis, events: readonly AdEvent[]): Promise<void> {
  await Promise.all(events.map((event) => redis.xadd(AD_EVENT_STREAM, '*', 'e', encodeAdEvent(event))));
}
