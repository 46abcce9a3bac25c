import type { Job } from 'bullmq';
import type { JobProgress, JobState, JobType, JobView } from './jobs.ts';

/** What BullMQ keeps of a job. */
export interface JobData {
  readonly payload: unknown;
  readonly actor: string;
  readonly cancelled?: boolean;
}

/** Reason of a failure that was a cancellation. */
export const CANCELLED = 'cancelled';

/** A job as the API shows it; null where it is gone. */
export async function viewOf(job: Job<JobData>): Promise<JobView | null> {
  const raw = await job.getState();
  if (raw === 'unknown') return null;
  const state = stateOf(raw, job);
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
