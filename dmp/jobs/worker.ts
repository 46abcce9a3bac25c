import { Job, UnrecoverableError, Worker } from 'bullmq';
import type { Redis } from 'ioredis';
import type { Logger } from 'pino';
import { JobCancelled, type JobContext, type JobPayloads, JobRefused, type JobType, type JobWork } from './jobs.ts';
import { CANCELLED, connect, JOBS_PREFIX, type JobData, type QueueName } from './queue.ts';

export interface JobWorkerOptions {
  /** A connection, of which a copy is made, or an address. */
  readonly connection: Redis | string;
  readonly queue: QueueName;
  readonly works: { readonly [T in JobType]?: JobWork<T> };
  readonly concurrency: number;
  readonly log: Logger;
  readonly prefix?: string;
  /** How long a job of a dead worker stays taken. */
  readonly lockMs?: number;
}

const LOCK_MS = 20_000;
/** A job survives this many deaths of its worker. */
const MAX_STALLED = 20;

/** Runs a queue's jobs in this process. `close` waits for those that run. */
export function startJobWorker(options: JobWorkerOptions): { close(): Promise<void> } {
  const connection = connect(options.connection);
  const lockDuration = options.lockMs ?? LOCK_MS;
  const worker = new Worker<JobData>(options.queue, (job) => runJob(worker, job, options), {
    connection,
    prefix: options.prefix ?? JOBS_PREFIX,
    concurrency: options.concurrency,
    lockDuration,
    stalledInterval: lockDuration / 4,
    maxStalledCount: MAX_STALLED,
  });
  worker.on('error', (error) => options.log.warn({ queue: options.queue, err: error }, 'job worker'));
  return {
    close: async () => {
      await worker.close();
      connection.disconnect();
    },
  };
}

async function runJob(worker: Worker<JobData>, job: Job<JobData>, options: JobWorkerOptions): Promise<unknown> {
  const type = job.name as JobType;
  const work = options.works[type] as JobWork<JobType> | undefined;
  if (work === undefined) throw new Error(`no work for jobs of type ${type} here`);
  const context = contextOf(worker, job);
  try {
    await context.checkpoint();
    return await work(job.data.payload as JobPayloads[JobType], context);
  } catch (error) {
    if (error instanceof JobCancelled) throw new UnrecoverableError(CANCELLED);
    if (error instanceof JobRefused) throw new UnrecoverableError(error.message);
    options.log.error({ job: job.id, type, attempt: job.attemptsMade + 1, err: error }, 'job failed');
    throw error;
  }
}

function contextOf(worker: Worker<JobData>, job: Job<JobData>): JobContext {
  return {
    id: job.id as string,
    progress: (progress) => job.updateProgress({ ...progress }),
    checkpoint: async () => {
      const current = await Job.fromId<JobData>(worker, job.id as string);
      if (current?.data.cancelled === true) throw new JobCancelled('cancelled');
    },
  };
}
