import { Type } from 'typebox';
import { oneOf } from '../http/schema.ts';
import { SENDABLE_KINDS } from '../identity/sendable.ts';
import type { Fault } from '../problem.ts';
import type { Destination } from './destination.ts';
import type { ExportResult } from './exports.ts';

const closed = { additionalProperties: false } as const;
const count = Type.Integer({ minimum: 0, maximum: 0xffff_ffff });
const COUNTS = { received: count, matched: count, rejected: Type.Optional({ ...count, default: 0 }) };

/** What somebody tells of an export: its counts, or what the destination itself answered. */
export const ResultBody = Type.Object(
  {
    received: Type.Optional(count),
    matched: Type.Optional(count),
    rejected: COUNTS.rejected,
    kinds: Type.Optional(
      Type.Array(Type.Object({ kind: oneOf(SENDABLE_KINDS), ...COUNTS }, closed), {
        maxItems: SENDABLE_KINDS.length,
        description: 'the same by kind of identifier; the counts above may be left out then, and are their sum',
      }),
    ),
    errors: Type.Optional(
      Type.Array(Type.Object({ code: Type.String({ minLength: 1, maxLength: 200 }), count }, closed), {
        maxItems: 100,
        description: 'what was refused, by its reason there',
      }),
    ),
    batch_segment_upload_job: Type.Optional(
      Type.Object(
        {},
        { additionalProperties: true, description: 'xandr: the job as the batch segment service answers it, instead of counts' },
      ),
    ),
  },
  closed,
);

type Counts = Pick<ExportResult, 'received' | 'matched' | 'rejected'>;

export interface ToldResult extends Partial<Counts> {
  readonly kinds?: readonly (Omit<Counts, 'rejected'> & { readonly kind: string; readonly rejected?: number })[];
  readonly errors?: readonly { readonly code: string; readonly count: number }[];
  readonly batch_segment_upload_job?: Readonly<Record<string, unknown>>;
}

type Read = { readonly result: Omit<ExportResult, 'at'> } | { readonly faults: Fault[] };

export function readResult(told: ToldResult, kind: Destination['kind']): Read {
  const job = told.batch_segment_upload_job;
  if (job !== undefined) {
    if (kind !== 'xandr') return fault('/batch_segment_upload_job', 'unknown_property', 'is for xandr');
    if (typeof job['num_valid'] !== 'number') return fault('/batch_segment_upload_job/num_valid', 'required', 'is missing');
    return { result: ofJob(job) };
  }
  const kinds = (told.kinds ?? []).map(({ rejected = 0, ...one }) => ({ ...one, rejected }));
  const sum = (of: (one: Counts) => number): number => kinds.reduce((total, one) => total + of(one), 0);
  const { errors = [], rejected = 0 } = told;
  const isSum = kinds.length > 0 && told.received === undefined && told.matched === undefined;
  if (!isSum && told.received === undefined) return fault('/received', 'required', 'is missing');
  if (!isSum && told.matched === undefined) return fault('/matched', 'required', 'is missing');
  const all: Counts = isSum
    ? { received: sum((one) => one.received), matched: sum((one) => one.matched), rejected: sum((one) => one.rejected) }
    : { received: told.received as number, matched: told.matched as number, rejected };
  const wrong = [...kinds.map((one, at) => [one, `/kinds/${at}/received`] as const), [all, '/received'] as const];
  const faults = wrong
    .filter(([one]) => one.matched + one.rejected > one.received)
    .map(([, pointer]): Fault => ({ pointer, code: 'minimum', message: 'is less than matched and rejected together' }));
  return faults.length > 0 ? { faults } : { result: { ...all, kinds, errors: [...errors] } };
}

function fault(pointer: string, code: Fault['code'], message: string): Read {
  return { faults: [{ pointer, code, message }] };
}

/**
 * `num_valid` counts the pairs of user and segment that were taken, every other `num_…` those that were not
 * (learn.microsoft.com/xandr/digital-platform-api/batch-segment-service).
 */
function ofJob(job: Readonly<Record<string, unknown>>): Omit<ExportResult, 'at'> {
  const refused = Object.entries(job).filter(
    (entry): entry is [string, number] =>
      /^num_(invalid|unauth|inactive|past|other)_/.test(entry[0]) && typeof entry[1] === 'number' && entry[1] > 0,
  );
  const rejected = refused.reduce((sum, [, n]) => sum + n, 0);
  const matched = job['num_valid'] as number;
  const errors = refused.map(([code, n]) => ({ code, count: n })).sort((a, b) => b.count - a.count);
  return { received: matched + rejected, matched, rejected, kinds: [], errors };
}
