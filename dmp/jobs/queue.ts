import { Job, Queue, UnrecoverableError, Worker } from 'bullmq';
import { Redis } from 'ioredis';
import type { Logger } from 'pino';
import {
  ATTEMPTS_OF,
  JobCancelled,
  type JobContext,
  type JobPayloads,
  JobRefused,
  type Jobs,
  type JobType,
  type JobView,
  type JobWork,
  newJobId,
  QUEUE_OF,
} from './jobs.ts';
import { CANCELLED, type JobData, readView } from './view.ts';

export type QueueName = (typeof QUEUE_OF)[JobType];

/** A job's keys in Redis share one slot of a cluster. */
export const PREFIX = '{walkin-jobs}';
const KEPT_SECONDS = 7 * 24 * 3600;
const ATTEMPTS = 3;
const BACKOFF_MS = 2_000;
/** How long a job of a dead worker stays taken, and how many deaths it survives. */
const LOCK_MS = 20_000;
const MAX_STALLED = 20;
const WATCH_MS = 300;

export interface JobsOptions {
  /** A connection, of which a copy is made, or an address: redis://… or the path of a unix socket. */
  readonly connection?: Redis;
  readonly redisUrl?: string;
  readonly prefix?: string;
}

export function createJobs(options: JobsOptions): Jobs {
  const prefix = options.prefix ?? PREFIX;
  const connection = connect(options.connection ?? options.redisUrl);
  const open = (name: QueueName): Queue<JobData> => {
    const queue = new Queue<JobData>(name, { connection, prefix });
    // Lost connections come back by themselves.
    queue.on('error', () => undefined);
    return queue;
  };
  const queues = { imports: open('imports'), segmenter: open('segmenter'), exports: open('exports') };
  const queueOf = (id: string): Queue<JobData> | null => {
    const type = typeOf(id);
    return type === null ? null : queues[QUEUE_OF[type]];
  };
  const get = async (id: string): Promise<JobView | null> => {
    const queue = queueOf(id);
    return queue === null ? null : readView(queue, id);
  };
  return {
    enqueue: async (type, payload, actor, wanted = newJobId(type)) => {
      const queue = queues[QUEUE_OF[type]];
      const waiting = type === 'refresh' ? await waitingOf(queue, type) : undefined;
      const { id } = waiting ?? (await add(queue, type, payload, actor, wanted));
      return (await readView(queue, id as string)) as JobView;
    },
    get,
    cancel: async (id) => {
      const queue = queueOf(id);
      const state = (await get(id))?.state;
      if (queue === null || (state !== 'queued' && state !== 'running')) return false;
      const job = await Job.fromId<JobData>(queue, id);
      await job?.updateData({ ...job.data, cancelled: true });
      return job !== undefined;
    },
    close: async () => {
      await Promise.all(Object.values(queues).map((queue) => queue.close()));
      connection.disconnect();
    },
  };
}

export interface JobWorkerOptions {
  /** A connection, of which a copy is made, or an address. */
  readonly connection: Redis | string;
  readonly queue: QueueName;
  readonly works: { readonly [T in JobType]?: JobWork<T> };
  readonly concurrency: number;
  readonly log: Logger;
  readonly prefix?: string;
  readonly lockMs?: number;
  /** Called again and again while a job works that was cancelled, to end what has no step between. */
  readonly onCancel?: () => Promise<void>;
}

/** Runs a queue's jobs in this process. `close` waits for those that run. */
export function startJobWorker(options: JobWorkerOptions): { close(): Promise<void> } {
  const connection = connect(options.connection);
  const lockDuration = options.lockMs ?? LOCK_MS;
  const worker: Worker<JobData> = new Worker<JobData>(options.queue, (job) => runJob(worker, job, options), {
    connection,
    prefix: options.prefix ?? PREFIX,
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
  const { onCancel } = options;
  const watch = onCancel === undefined ? undefined : watchCancelled(context, onCancel);
  try {
    await context.checkpoint();
    return await work(job.data.payload as JobPayloads[JobType], context);
  } catch (error) {
    // What was ended since the job was cancelled fails as it can.
    if (error instanceof JobCancelled || (watch !== undefined && (await isCancelled(context))))
      throw new UnrecoverableError(CANCELLED);
    if (error instanceof JobRefused) throw new UnrecoverableError(error.message);
    noteFailure(options.log, { job: job.id, type, attempt: job.attemptsMade + 1 }, error);
    throw error;
  } finally {
    clearInterval(watch);
  }
}

/** Who does not answer, or has no such name, is no fault of ours: where it was, in our code, tells nobody anything. */
function noteFailure(log: Logger, job: object, error: unknown): void {
  const message = error instanceof Error ? error.message : String(error);
  if (/^unreachable\b/.test(message)) log.warn({ ...job, reason: message }, 'job failed');
  else log.error({ ...job, err: error }, 'job failed');
}

async function isCancelled(context: JobContext): Promise<boolean> {
  return context.checkpoint().then(
    () => false,
    (error: unknown) => error instanceof JobCancelled,
  );
}

/** Again and again: the next step may have begun as the one before it was ended. */
function watchCancelled(context: JobContext, end: () => Promise<void>): NodeJS.Timeout {
  let isAsking = false;
  return setInterval(() => {
    if (isAsking) return;
    isAsking = true;
    isCancelled(context)
      .then((cancelled) => (cancelled ? end() : undefined))
      .catch(() => undefined)
      .finally(() => {
        isAsking = false;
      });
  }, WATCH_MS);
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

/** BullMQ waits for a lost Redis as long as it takes, so its connections never give up a command. */
function connect(to: Redis | string | undefined): Redis {
  if (to === undefined) throw new Error('jobs need a connection to Redis');
  const options = { maxRetriesPerRequest: null };
  const connection = typeof to === 'string' ? new Redis(to, options) : to.duplicate(options);
  connection.on('error', () => undefined);
  return connection;
}

function add<T extends JobType>(
  queue: Queue<JobData>,
  type: T,
  payload: JobPayloads[T],
  actor: string,
  jobId: string,
): Promise<Job<JobData>> {
  return queue.add(
    type,
    { payload, actor },
    {
      jobId,
      attempts: ATTEMPTS_OF[type] ?? ATTEMPTS,
      backoff: { type: 'exponential', delay: BACKOFF_MS },
      removeOnComplete: { age: KEPT_SECONDS },
      removeOnFail: { age: KEPT_SECONDS },
    },
  );
}

function typeOf(id: string): JobType | null {
  const type = /^job_([a-z]+)_[0-9a-f]{18}$/.exec(id)?.[1];
  return type !== undefined && Object.hasOwn(QUEUE_OF, type) ? (type as JobType) : null;
}

async function waitingOf(queue: Queue<JobData>, type: JobType): Promise<Job<JobData> | undefined> {
  const waiting = await queue.getJobs(['waiting', 'delayed']);
  return waiting.find((job) => job?.name === type && job.data.cancelled !== true);
}
