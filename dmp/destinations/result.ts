import { Type } from 'typebox';
import { oneOf } from '../http/schema.ts';
import { SENDABLE_KINDS } from '../identity/sendable.ts';
import type { Fault } from '../problem.ts';
import { type Answer, readAnswers, type Told } from './answers.ts';
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
    answers: Type.Optional(
      Type.Array(Type.Object({}, { additionalProperties: true }), {
        minItems: 1,
        maxItems: 1_000,
        description:
          'what the destination itself answered, each as it came, instead of counts: of Google a request status (Data Manager API) or an offline user data job, of Meta the answers to uploads, of Yandex the segment, of Xandr the job',
      }),
    ),
  },
  closed,
);

interface Counts {
  readonly received: number;
  readonly matched: number;
  readonly rejected: number;
}

export interface ToldResult extends Partial<Counts> {
  readonly kinds?: readonly (Omit<Counts, 'rejected'> & { readonly kind: string; readonly rejected?: number })[];
  readonly errors?: readonly { readonly code: string; readonly count: number }[];
  readonly batch_segment_upload_job?: Answer;
  readonly answers?: readonly Answer[];
}

type Read = { readonly result: Omit<ExportResult, 'at'> } | { readonly faults: Fault[] };

export function readResult(told: ToldResult, kind: Destination['kind']): Read {
  const job = told.batch_segment_upload_job;
  if (job !== undefined && kind !== 'xandr') return fault('/batch_segment_upload_job', 'unknown_property', 'is for xandr');
  const answers = job === undefined ? told.answers : [{ batch_segment_upload_job: job }];
  if (answers !== undefined) {
    const read = readAnswers(answers, kind);
    if (!Array.isArray(read)) return { result: read as Told };
    const pointerOf = (pointer: string): string => (job === undefined ? pointer : pointer.replace('/answers/0', ''));
    return { faults: read.map((one: Fault) => ({ ...one, pointer: pointerOf(one.pointer) })) };
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
