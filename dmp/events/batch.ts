import type { Redis } from 'ioredis';
import type { Logger } from 'pino';
import type { Warehouse } from '../clickhouse/warehouse.ts';
import { act } from '../consents/act.ts';
import { Problem } from '../problem.ts';
import { flushArrivals } from '../sources/arrivals.ts';
import type { Stream } from '../streaming/stream.ts';
import { createEdgeMemory, eraOf } from './edge-memory.ts';
import type { Tables } from './rows.ts';
import { emptyTables, rowCount, TABLE_NAMES, writeTables } from './tables.ts';
import { createWordMemory } from './word-memory.ts';

/**
 * Gathers the rows of calls that come at the same time into one insert a table: ClickHouse likes few large inserts. A call is
 * answered when its rows are durable, or all calls of a batch get 503 and none of it counts as taken.
 */
export interface Batcher {
  /** Resolves when the rows are durable; rejects with a 503 problem when they may not be. */
  add(tables: Tables): Promise<void>;
  close(): Promise<void>;
}

export interface BatcherOptions {
  readonly warehouse: Warehouse;
  readonly redis: Redis;
  readonly now: () => number;
  readonly log: Logger;
  readonly maxWaitMs?: number;
  readonly maxRows?: number;
  /** Shown the rows when they are durable; absent: memberships wait for the next refresh. */
  readonly stream?: Pick<Stream, 'take'>;
}

const MAX_WAIT_MS = 50;
const MAX_ROWS = 50_000;
/** Rows that wait or are being written; beyond, callers are asked to come back. */
const MAX_PENDING = 1_000_000;
const RETRY_AFTER_S = 2;

interface Waiter {
  readonly resolve: () => void;
  readonly reject: (error: Error) => void;
}

export function createBatcher(options: BatcherOptions): Batcher {
  const { warehouse, redis, now, log, maxWaitMs = MAX_WAIT_MS, maxRows = MAX_ROWS } = options;
  const edges = createEdgeMemory();
  const words = createWordMemory();
  let tables = emptyTables();
  let rows = 0;
  let pending = 0;
  let waiters: Waiter[] = [];
  let timer: NodeJS.Timeout | null = null;
  const running = new Set<Promise<void>>();

  const flush = (): void => {
    if (timer !== null) clearTimeout(timer);
    timer = null;
    if (waiters.length === 0) return;
    const batch = { tables, rows, waiters };
    tables = emptyTables();
    rows = 0;
    waiters = [];
    const run = write(batch.tables, batch.waiters).finally(() => {
      pending -= batch.rows;
      running.delete(run);
    });
    running.add(run);
  };

  const write = async (batch: Tables, waiting: readonly Waiter[]): Promise<void> => {
    try {
      edges.begin(await eraOf(redis));
      const said = words.unknown(batch.consents);
      await writeTables(warehouse, { ...batch, consents: said }, edges, now());
      // Who is answered knows that a withdrawal has reached the bidders.
      await act({ warehouse, redis, now }, said);
      words.remember(said);
      options.stream?.take({ ...batch, consents: said });
      for (const waiter of waiting) waiter.resolve();
    } catch (error) {
      log.error({ err: error }, 'events could not be written');
      for (const waiter of waiting) waiter.reject(unavailable('The events could not be stored, none of them counts as taken'));
    }
  };

  return {
    add: (more) => {
      const count = rowCount(more);
      if (count === 0) return Promise.resolve();
      if (pending + count > MAX_PENDING && pending > 0) return Promise.reject(unavailable('Too many events wait to be stored'));
      append(tables, more);
      rows += count;
      pending += count;
      const done = new Promise<void>((resolve, reject) => waiters.push({ resolve, reject }));
      if (rows >= maxRows) flush();
      else timer ??= setTimeout(flush, maxWaitMs);
      return done;
    },
    close: async () => {
      flush();
      await Promise.all(running);
      // A warehouse that is away has nothing to count.
      await flushArrivals(warehouse).catch(() => undefined);
    },
  };
}

function append(to: Tables, from: Tables): void {
  for (const name of TABLE_NAMES) {
    const target = to[name] as object[];
    for (const row of from[name]) target.push(row);
  }
}

function unavailable(title: string): Problem {
  return new Problem(503, 'unavailable', title, { headers: { 'retry-after': String(RETRY_AFTER_S) } });
}
