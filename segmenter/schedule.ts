import { setTimeout as sleep } from 'node:timers/promises';
import { Queue } from 'bullmq';
import type { Redis } from 'ioredis';
import { WarehouseAway } from '../dmp/clickhouse/connection.ts';
import type { DmpDeps } from '../dmp/deps.ts';
import { erase } from '../dmp/erasures/erase.ts';
import { type JobContext, JobRefused, QUEUE_OF } from '../dmp/jobs/jobs.ts';
import { PREFIX, startJobWorker } from '../dmp/jobs/queue.ts';
import { dueLookalikes, fitLookalike } from '../dmp/segments/lookalike-fit.ts';
import { alarmsNow } from '../dmp/sources/alarms.ts';
import { bookFlatPrices } from '../dmp/sources/flat-charges.ts';
import { startBackfill } from './backfill.ts';
import { createIdentity } from './identity.ts';
import { endWriting } from './interrupt.ts';
import { observe } from './metrics.ts';
import { reconcile } from './reconcile.ts';
import { createRefresh, type Refreshed, type Steps } from './refresh.ts';
import { retain } from './retention.ts';
import { createVisits } from './visits.ts';

export interface SegmenterOptions {
  /** Seconds between two refreshes; null: only those that are asked for. */
  readonly refreshSeconds: number | null;
  /** Of the jobs in Redis. */
  readonly prefix?: string;
}

export interface Segmenter {
  /** Stops between two steps; the job that is cut off runs again later, here or elsewhere. */
  close(): Promise<void>;
}

/** The segmenter was asked to end while it worked. */
class Stopping extends Error {
  override readonly name = 'Stopping';
}

/** Held by the segmenter whose turn it is to ask for the next refresh, so that several ask for one. */
const TURN_KEY = 'walkin:segmenter:turn';
/** The same of retention, which is looked after this often. */
const RETENTION_TURN_KEY = 'walkin:segmenter:retention';
const RETENTION_MS = 3_600_000;
/** Look-alikes that were asked to be fitted: not again while that job may wait or run. */
const FIT_KEY = 'walkin:segmenter:fit:';
const FIT_AGAIN_MS = 1_800_000;
const HEARING_MS = 3_000;
const AWAY_MS = 1_000;

/** Runs the jobs of the segmenter in this process, one at a time over all processes, and asks for a refresh on schedule. */
export async function startSegmenter(deps: DmpDeps, options: SegmenterOptions): Promise<Segmenter> {
  const prefix = options.prefix ?? PREFIX;
  await oneAtATime(deps.redis, prefix);
  const identity = createIdentity(deps);
  const refresh = createRefresh(deps, identity, createVisits(deps));
  let isStopping = false;
  const stepsOf = (context: JobContext): Steps => ({
    progress: (progress) => context.progress(progress),
    checkpoint: async () => {
      if (isStopping) throw new Stopping('the segmenter is stopping; the job will run again');
      await context.checkpoint();
    },
  });
  const observed = async (work: Promise<Refreshed>): Promise<Refreshed> => {
    const refreshed = await work;
    observe(refreshed, deps.now());
    return refreshed;
  };
  const alone = <T>(context: JobContext, work: (steps: Steps) => Promise<T>): Promise<T> =>
    whenThere(deps, stepsOf(context), work);
  const worker = startJobWorker({
    connection: deps.redis,
    queue: QUEUE_OF.refresh,
    works: {
      refresh: async (_, context) => {
        const refreshed = await observed(alone(context, (steps) => refresh.all(steps)));
        await reconcile(deps).catch((error: unknown) => deps.log.warn({ err: error }, 'values at the bidders were not checked'));
        return refreshed;
      },
      evaluate: async ({ segment, restore }, context) => {
        await heardOf(deps, 'segment', segment, restore?.revision);
        return observed(alone(context, (steps) => refresh.one(segment, steps, restore)));
      },
      lookalike: async ({ lookalike }, context) => {
        await heardOf(deps, 'lookalike', lookalike);
        return alone(context, (steps) => fitLookalike(deps, lookalike, steps));
      },
      erase: ({ erasure }, context) => alone(context, (steps) => erase(deps, () => identity.fold(), erasure, steps)),
      retention: async (_, context) => {
        const retained = await alone(context, (steps) => retain(deps, identity, steps));
        await bookFlatPrices(deps).catch((error: unknown) => deps.log.warn({ err: error }, 'flat prices of data are not booked'));
        // What is wrong with sources changes slowly too: once an hour is enough for its metric.
        await alarmsNow(deps).catch((error: unknown) => deps.log.warn({ err: error }, 'the quality of sources is not known'));
        return retained;
      },
    },
    concurrency: 1,
    onCancel: () => endWriting(deps.warehouse),
    log: deps.log,
    prefix,
  });
  const backfill = startBackfill(deps);
  const clock = startClock(deps, options.refreshSeconds);
  return {
    close: async () => {
      isStopping = true;
      clearInterval(clock);
      await backfill.close();
      await worker.close();
    },
  };
}

/**
 * One job at a time over all processes: what another segmenter still writes is of a job that was cut off, and is ended first. A
 * ClickHouse that is away is waited for, since each job may be done from its beginning again.
 */
async function whenThere<T>({ warehouse, log }: DmpDeps, steps: Steps, work: (steps: Steps) => Promise<T>): Promise<T> {
  for (;;) {
    try {
      await warehouse.takeOver?.();
      return await work(steps);
    } catch (error) {
      if (!(error instanceof WarehouseAway)) throw error;
      log.warn({ err: error }, 'ClickHouse is away, the job begins again when it is back');
    }
    await sleep(AWAY_MS);
    await steps.checkpoint();
  }
}

/** What was made a moment ago in another process is known here a moment later. */
async function heardOf({ things }: DmpDeps, kind: 'segment' | 'lookalike', id: string, revision = 0): Promise<void> {
  const until = performance.now() + HEARING_MS;
  for (let known = things.get(kind, id); known === undefined || known.revision < revision; known = things.get(kind, id)) {
    if (performance.now() > until && known !== undefined) return;
    if (performance.now() > until) throw new JobRefused(`unknown_${kind}`, `there is no ${kind} ${id}`);
    await sleep(50);
  }
}

/** Two at once would fold the same edges into different profiles. */
async function oneAtATime(redis: Redis, prefix: string): Promise<void> {
  const connection = redis.duplicate({ maxRetriesPerRequest: null });
  connection.on('error', () => undefined);
  const queue = new Queue(QUEUE_OF.refresh, { connection, prefix });
  try {
    await queue.setGlobalConcurrency(1);
  } finally {
    await queue.close();
    connection.disconnect();
  }
}

function startClock(deps: DmpDeps, seconds: number | null): NodeJS.Timeout | undefined {
  if (seconds === null) return undefined;
  const ask = async (): Promise<void> => {
    // A little less than the period, so that the turn is free when the clock strikes again.
    const turn = await deps.redis.set(TURN_KEY, deps.now(), 'PX', Math.max(1, Math.floor(seconds * 900)), 'NX');
    if (turn === 'OK') await deps.jobs.enqueue('refresh', {}, 'schedule');
    if ((await deps.redis.set(RETENTION_TURN_KEY, deps.now(), 'PX', RETENTION_MS, 'NX')) === 'OK')
      await deps.jobs.enqueue('retention', {}, 'schedule');
    for (const lookalike of dueLookalikes(deps))
      if ((await deps.redis.set(`${FIT_KEY}${lookalike}`, deps.now(), 'PX', FIT_AGAIN_MS, 'NX')) === 'OK')
        await deps.jobs.enqueue('lookalike', { lookalike }, 'schedule');
  };
  const strike = (): void => void ask().catch((error: unknown) => deps.log.warn({ err: error }, 'no refresh was scheduled'));
  strike();
  return setInterval(strike, seconds * 1000);
}
