/** Long work: queued in BullMQ, visible at /v1/jobs/{id}, safe to run again after a crash. */

import { randomBytes } from 'node:crypto';

export type JobState = 'queued' | 'running' | 'succeeded' | 'failed' | 'cancelled';

export interface JobProgress {
  readonly done: number;
  readonly total: number | null;
  readonly unit: string;
  readonly stage: string;
}

export interface JobView {
  readonly id: string;
  readonly type: JobType;
  readonly state: JobState;
  readonly progress: JobProgress | null;
  readonly createdAt: number;
  readonly startedAt: number | null;
  readonly finishedAt: number | null;
  readonly result: unknown;
  readonly error: string | null;
  /** API key that asked for it, or the name of a schedule. */
  readonly actor: string;
}

/** What each type of job is given. `import`, `replay` and `export` run in a dmp, the others in a segmenter. */
export interface JobPayloads {
  readonly import: { readonly import: string };
  /** Refused rows tried again, of a filter, each mended by a merge patch first. */
  readonly replay: {
    readonly filter: { readonly [name in 'source' | 'import' | 'type' | 'code']?: string };
    /** Of these sources alone; null or absent: of all. */
    readonly sources?: readonly string[] | null;
    readonly patch: unknown;
  };
  /** identity → visits → all segments → publish. */
  readonly refresh: Record<string, never>;
  /** identity → this segment (and those it needs) → publish; before it, where an old version was asked for, its members as they were. */
  readonly evaluate: {
    readonly segment: string;
    readonly restore?: { readonly version: number; readonly revision: number };
  };
  /** Fits the model of a look-alike anew and scores everybody by it. */
  readonly lookalike: { readonly lookalike: string };
  /** Deletes what is past its time. */
  readonly retention: Record<string, never>;
  /** Erases the people of an erasure. In the segmenter's queue, so that no refresh writes them anew meanwhile. */
  readonly erase: { readonly erasure: string };
  /** Makes the files of an export and delivers them. */
  readonly export: { readonly export: string };
}

export type JobType = keyof JobPayloads;

/** One BullMQ queue a job type's home: `imports` and `exports` are a dmp's, `segmenter` is a segmenter's. */
export const QUEUE_OF: Readonly<Record<JobType, 'imports' | 'segmenter' | 'exports'>> = {
  import: 'imports',
  replay: 'imports',
  refresh: 'segmenter',
  evaluate: 'segmenter',
  lookalike: 'segmenter',
  retention: 'segmenter',
  erase: 'segmenter',
  export: 'exports',
};

/** Times that a job is tried, with waits that double from 2 s; an export for ten minutes, as long as a receiver restarts. */
export const ATTEMPTS_OF: Readonly<Partial<Record<JobType, number>>> = { export: 9 };

export interface Jobs {
  /**
   * `actor` is the API key's id; advertiser-bound keys see only their own jobs. While a refresh waits, another is the same one.
   * `id` of `newJobId`: for who must note it before the job can begin.
   */
  enqueue<T extends JobType>(type: T, payload: JobPayloads[T], actor: string, id?: string): Promise<JobView>;
  get(id: string): Promise<JobView | null>;
  /** False where there is no such job or it has ended. One that runs stops at its next checkpoint. */
  cancel(id: string): Promise<boolean>;
  close(): Promise<void>;
}

/** Names its type, by which its queue is found. */
export function newJobId(type: JobType): string {
  return `job_${type}_${randomBytes(9).toString('hex')}`;
}

export interface JobContext {
  readonly id: string;
  progress(progress: JobProgress): Promise<void>;
  /** Throws JobCancelled where the job was cancelled; call between steps. */
  checkpoint(): Promise<void>;
}

export class JobCancelled extends Error {
  override readonly name = 'JobCancelled';
}

/** The work can never succeed on this input (a file without a needed column): the job fails at once and is not tried again. */
export class JobRefused extends Error {
  override readonly name = 'JobRefused';
  readonly code: string;
  constructor(code: string, message: string) {
    super(`${code}: ${message}`);
    this.code = code;
  }
}

/** The work of one type; what it returns becomes the job's `result`. It may run more than once: it must be repeatable. */
export type JobWork<T extends JobType> = (payload: JobPayloads[T], context: JobContext) => Promise<unknown>;
