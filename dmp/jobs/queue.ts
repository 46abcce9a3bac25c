import { randomBytes } from 'node:crypto';
import { Job, Queue } from 'bullmq';
import { Redis } from 'ioredis';
import type { JobPayloads, JobProgress, JobState, Jobs, JobType, JobView } from './jobs.ts';
import { QUEUE_OF } from './jobs.ts';

/** What BullMQ keeps of a job. */
export interface JobData {
  readonly payload: unknown;
  readonly actor: string;
  readonly cancelled?: boolean;
}

export type QueueName = (typeof QUEUE_OF)[JobType];

/** A job's keys in Redis share one slot of a cluster. */
export const JOBS_PREFIX = '{walkin-jobs}';

/** Reason of a failure that was a cancellation. */
export const CANCELLED = 'cancelled';

const KEPT_SECONDS = 7 * 24 * 3600;
const ATTEMPTS = 3;
const BACKOFF_MS = 2_000;

export interface JobsOptions {
  /** A connection, of which a copy is made, or an address: redis://… or the path of a unix socket. */
  readonly connection?: Redis;
  readonly redisUrl?: string;
  readonly prefix?: string;
}

export function createJobs(options: JobsOptions): Jobs {
  const prefix = options.prefix ?? JOBS_PREFIX;
  const connection = connect(options.connection ?? options.redisUrl);
  const open = (name: QueueName): Queue<JobData> => {
    const queue = new Queue<JobData>(name, { connection, prefix });
    // Lost connections come back by themselves; what is asked meanwhile fails on its own.
    queue.on('error', () => undefined);
    return queue;
  };
  const queues = { imports: open('imports'), segmenter: open('segmenter') };
  const find = async (id: string): Promise<Job<JobData> | undefined> => {
    const type = typeOf(id);
    return type === null ? undefined : Job.fromId<JobData>(queues[QUEUE_OF[type]], id);
  };
  return {
    enqueue: async (type, payload, actor) => {
      const queue = queues[QUEUE_OF[type]];
      const waiting = type === 'refresh' ? await waitingOf(queue, type) : undefined;
      return viewOf(waiting ?? (await add(queue, type, payload, actor)));
    },
    get: async (id) => {
      const job = await find(id);
      return job === undefined ? null : viewOf(job);
    },
    cancel: async (id) => {
      const job = await find(id);
      if (job === undefined) return false;
      const { state } = await viewOf(job);
      if (state !== 'queued' && state !== 'running') return false;
      await job.updateData({ ...job.data, cancelled: true });
      return true;
    },
    close: async () => {
      await Promise.all([queues.imports.close(), queues.segmenter.close()]);
      connection.disconnect();
    },
  };
}

/** BullMQ waits for a lost Redis as long as it takes, so its connections never give up a command. */
export function connect(to: Redis | string | undefined): Redis {
  if (to === undefined) throw new Error('jobs need a connection to Redis');
  const connection =
    typeof to === 'string' ? new Redis(to, { maxRetriesPerRequest: null }) : to.duplicate({ maxRetriesPerRequest: null });
  connection.on('error', () => undefined);
  return connection;
}

function add<T extends JobType>(queue: Queue<JobData>, type: T, payload: JobPayloads[T], actor: string): Promise<Job<JobData>> {
  return queue.add(
    type,
    { payload, actor },
    {
      jobId: `job_${type}_${randomBytes(9).toString('hex')}`,
      attempts: ATTEMPTS,
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

async function viewOf(job: Job<JobData>): Promise<JobView> {
  const state = stateOf(await job.getState(), job);
  return {
    id: job.id as string,
    type: job.name as JobType,
    state,
    progress: isProgress(job.progress) ? job.progress : null,
    createdAt: job.timestamp,
    startedAt: job.processedOn ?? null,
    finishedAt: job.finishedOn ?? null,
    result: state === 'succeeded' ? job.returnvalue : null,
    error: state === 'failed' ? (job.failedReason ?? 'failed') : null,
    actor: job.data.actor,
  };
}

function stateOf(state: string, job: Job<JobData>): JobState {
  switch (state) {
    case 'active':
      return 'running';
    case 'completed':
      return 'succeeded';
    case 'failed':
      return job.failedReason === CANCELLED ? 'cancelled' : 'failed';
    default:
      return job.data.cancelled === true ? 'cancelled' : 'queued';
  }
}

function isProgress(progress: unknown): progress is JobProgress {
  return typeof progress === 'object' && progress !== null && 'unit' in progress;
}
