import { Job, type Queue } from 'bullmq';
import type { FastifyReply } from 'fastify';
import type { JobProgress, JobState, JobType, JobView } from './jobs.ts';

/** What BullMQ keeps of a job. */
export interface JobData {
  readonly payload: unknown;
  readonly actor: string;
  readonly cancelled?: boolean;
}

/** Reason of a failure that was a cancellation. */
export const CANCELLED = 'cancelled';

/**
 * A job as the API shows it; null where it is gone. State and job are two questions: where the job ends in between they are
 * asked again, else it would be shown as ended without its result.
 */
export async function readView(queue: Queue<JobData>, id: string): Promise<JobView | null> {
  const raw = await queue.getJobState(id);
  const job = raw === 'unknown' ? undefined : await Job.fromId<JobData>(queue, id);
  if (job === undefined) return null;
  if (job.finishedOn !== undefined && raw !== 'completed' && raw !== 'failed') return readView(queue, id);
  const state = stateOf(raw, job);
  return {
    id,
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

function stateOf(raw: string, job: Job<JobData>): JobState {
  switch (raw) {
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

/** A job as JSON. */
export function jobBody(job: JobView): object {
  const { createdAt, startedAt, finishedAt, actor: _, ...rest } = job;
  return { ...rest, createdAt: timeText(createdAt), startedAt: timeText(startedAt), finishedAt: timeText(finishedAt) };
}

/** 202 with the job and where it is to be seen. */
export function answerJob(reply: FastifyReply, job: JobView): object {
  reply.code(202).header('location', `/v1/jobs/${job.id}`);
  return jobBody(job);
}

function timeText(at: number | null): string | null {
  return at === null ? null : new Date(at).toISOString();
}
