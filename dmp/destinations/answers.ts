import type { Fault } from '../problem.ts';
import type { DestinationKind } from '../sources/purposes.ts';
import type { ExportResult } from './exports.ts';

/** What a destination answered, as JSON. */
export type Answer = Readonly<Record<string, unknown>>;
export type Told = Omit<ExportResult, 'at'>;

/** An answer that cannot be counted: which member, and why. */
class Unreadable extends Error {
  readonly pointer: string;
  readonly code: Fault['code'];

  constructor(pointer: string, code: Fault['code'], message: string) {
    super(message);
    this.pointer = pointer;
    this.code = code;
  }
}

type Reader = (answer: Answer) => Told;

const READERS: Readonly<Partial<Record<DestinationKind, Reader>>> = {
  google_customer_match: ofGoogle,
  meta_custom_audience: ofMeta,
  yandex_audience: ofYandex,
  xandr: ofXandr,
};

/** What the answers of a destination come to: a file may have been taken in several batches, each with an answer of its own. */
export function readAnswers(answers: readonly Answer[], kind: DestinationKind): Told | Fault[] {
  const reader = READERS[kind];
  if (reader === undefined)
    return [{ pointer: '/answers', code: 'unknown_property', message: `${kind} answers nothing that is read: tell the counts` }];
  const faults: Fault[] = [];
  const told: Told[] = [];
  for (const [at, answer] of answers.entries())
    try {
      told.push(reader(answer));
    } catch (error) {
      if (!(error instanceof Unreadable)) throw error;
      faults.push({ pointer: `/answers/${at}${error.pointer}`, code: error.code, message: error.message });
    }
  return faults.length > 0 ? faults : told.reduce(sumOf);
}

function sumOf(a: Told, b: Told): Told {
  const errors = new Map<string, number>();
  for (const { code, count } of [...(a.errors ?? []), ...(b.errors ?? [])]) errors.set(code, (errors.get(code) ?? 0) + count);
  const ranges = [a.range, b.range].filter((range) => range !== undefined);
  const sum = (x: number | null, y: number | null): number | null => (x === null || y === null ? null : x + y);
  return {
    ...{
      received: sum(a.received, b.received),
      matched: sum(a.matched, b.matched),
      rejected: a.rejected + b.rejected,
      kinds: [],
    },
    errors: sorted([...errors].map(([code, count]) => ({ code, count }))),
    ...(ranges.length === 0
      ? {}
      : { range: { from: Math.min(...ranges.map(({ from }) => from)), to: Math.max(...ranges.map(({ to }) => to)) } }),
  };
}

/**
 * Customer Match tells a range of the match rate and no count of matches: the status of a request of the Data Manager API
 * (developers.google.com/data-manager/api/reference/rest/v1/requestStatus/retrieve), or the job of the Google Ads API, alone or as its search
 * answers it (developers.google.com/google-ads/api/reference/rpc/latest/OfflineUserDataJob).
 */
function ofGoogle(answer: Answer): Told {
  const destinations = answer['requestStatusPerDestination'];
  if (Array.isArray(destinations)) return listOf(destinations, '/requestStatusPerDestination').map(ofRequest).reduce(sumOf);
  const { results } = answer;
  if (Array.isArray(results))
    return listOf(results, '/results')
      .map((row, at) => ofUserDataJob(objectIn(row, 'offlineUserDataJob', `/results/${at}`), `/results/${at}/offlineUserDataJob`))
      .reduce(sumOf);
  if (answer['offlineUserDataJob'] !== undefined)
    return ofUserDataJob(objectIn(answer, 'offlineUserDataJob', ''), '/offlineUserDataJob');
  if (answer['operationMetadata'] !== undefined || answer['status'] !== undefined) return ofUserDataJob(answer, '');
  throw new Unreadable('', 'shape', 'is neither a requestStatusPerDestination nor an offlineUserDataJob');
}

function ofRequest(status: Answer, at: number): Told {
  const pointer = `/requestStatusPerDestination/${at}`;
  if (status['requestStatus'] === 'PROCESSING') throw new Unreadable(`${pointer}/requestStatus`, 'conflict', STILL);
  const counted = firstObject(status, ['audienceMembersIngestionStatus', 'audienceMembersRemovalStatus']);
  const of = counted === null ? null : firstObject(counted, Object.keys(counted));
  if (of === null) throw new Unreadable(pointer, 'required', 'counts no audience members');
  const info = status['errorInfo'];
  const listed =
    isObject(info) && Array.isArray(info['errorCounts']) ? listOf(info['errorCounts'], `${pointer}/errorInfo/errorCounts`) : [];
  const errors = listed.map((one, n) => ({
    code: String(one['reason'] ?? 'UNKNOWN').slice(0, 200),
    count: numberIn(one, 'recordCount', `${pointer}/errorInfo/errorCounts/${n}`),
  }));
  return {
    ...{ received: numberIn(of, 'recordCount', `${pointer}/…`), matched: null, kinds: [], errors: sorted(errors) },
    rejected: errors.reduce((sum, { count }) => sum + count, 0),
    ...rangeOf(of['uploadMatchRateRange'], 'MATCH_RATE_RANGE_', `${pointer}/…/uploadMatchRateRange`),
  };
}

function ofUserDataJob(job: Answer, pointer: string): Told {
  const { status, failureReason, operationMetadata } = job;
  if (status === 'PENDING' || status === 'RUNNING') throw new Unreadable(`${pointer}/status`, 'conflict', STILL);
  if (status === 'FAILED')
    throw new Unreadable(
      `${pointer}/status`,
      'conflict',
      `the upload failed: ${String(failureReason ?? 'no reason is told').slice(0, 100)}`,
    );
  const range = isObject(operationMetadata) ? operationMetadata['matchRateRange'] : undefined;
  const read = rangeOf(range, 'MATCH_RANGE_', `${pointer}/operationMetadata/matchRateRange`);
  if (read.range === undefined)
    throw new Unreadable(`${pointer}/operationMetadata/matchRateRange`, 'required', 'no match rate is told yet');
  return { received: null, matched: null, rejected: 0, kinds: [], errors: [], ...read };
}

/** `…LESS_THAN_20`, `…20_TO_30`: of a range the end is its last whole per cent. Google tells none for few, and for devices. */
function rangeOf(told: unknown, prefix: string, pointer: string): Pick<Told, 'range'> {
  if (told === undefined || told === 'UNSPECIFIED' || told === 'UNKNOWN') return {};
  const [, least, from, to] = /^([A-Z_]+?_)(?:LESS_THAN_20|(\d+)_TO_(\d+))$/.exec(String(told)) ?? [];
  if (told === `${prefix}UNKNOWN` || told === `${prefix}NOT_ELIGIBLE`) return {};
  if (least !== prefix) throw new Unreadable(pointer, 'enum', `${String(told).slice(0, 100)} is no range of a match rate`);
  return { range: from === undefined ? { from: 0, to: 0.19 } : { from: Number(from) / 100, to: Number(to) / 100 } };
}

/**
 * Meta says how many of a batch it could read, and never how many it knows
 * (developers.facebook.com/docs/marketing-api/reference/custom-audience/users).
 */
function ofMeta(answer: Answer): Told {
  const { error } = answer;
  if (isObject(error))
    throw new Unreadable('/error', 'conflict', `the upload failed: ${String(error['message'] ?? '').slice(0, 200)}`);
  const received = numberIn(answer, 'num_received', '');
  const rejected = numberIn(answer, 'num_invalid_entries', '');
  if (rejected > received) throw new Unreadable('/num_received', 'minimum', 'is less than num_invalid_entries');
  const errors = rejected === 0 ? [] : [{ code: 'num_invalid_entries', count: rejected }];
  return { received, matched: null, rejected, kinds: [], errors };
}

/** Of the whole segment there, as every answer about it (yandex.ru/dev/audience/en/ref/openapi/segments/confirm). */
function ofYandex(answer: Answer): Told {
  const segment = objectIn(answer, 'segment', '');
  const { status } = segment;
  if (status === 'uploaded' || status === 'is_processed' || status === 'is_updated')
    throw new Unreadable('/segment/status', 'conflict', STILL);
  if (status === 'processing_failed') throw new Unreadable('/segment/status', 'conflict', 'the segment could not be processed');
  if (status !== 'processed' && status !== 'few_data')
    throw new Unreadable('/segment/status', 'enum', 'is neither processed nor few_data');
  const count = (name: string): number => numberIn(segment, name, '/segment');
  const [received, valid, matched] = [count('item_quantity'), count('valid_unique_quantity'), count('matched_quantity')];
  if (valid > received) throw new Unreadable('/segment/item_quantity', 'minimum', 'is less than valid_unique_quantity');
  if (matched > valid) throw new Unreadable('/segment/valid_unique_quantity', 'minimum', 'is less than matched_quantity');
  const rejected = received - valid;
  const errors = [
    ...(rejected === 0 ? [] : [{ code: 'invalid_or_repeated', count: rejected }]),
    ...(status === 'few_data' ? [{ code: 'few_data', count: matched }] : []),
  ];
  return { received, matched, rejected, kinds: [], errors };
}

/**
 * `num_valid` counts the pairs of user and segment that were taken, every other `num_…` those that were not
 * (learn.microsoft.com/xandr/digital-platform-api/batch-segment-service).
 */
function ofXandr(answer: Answer): Told {
  const response = isObject(answer['response']) ? answer['response'] : answer;
  const at = response === answer ? '' : '/response';
  const job = objectIn(response, 'batch_segment_upload_job', at);
  const pointer = `${at}/batch_segment_upload_job`;
  const { phase } = job;
  if (phase !== undefined && phase !== 'completed') throw new Unreadable(`${pointer}/phase`, 'conflict', STILL);
  const matched = numberIn(job, 'num_valid', pointer);
  const refused = Object.keys(job).filter((name) => /^num_(invalid|unauth|inactive|past|other)_/.test(name));
  const errors = sorted(refused.map((code) => ({ code, count: numberIn(job, code, pointer) })).filter(({ count }) => count > 0));
  const rejected = errors.reduce((sum, { count }) => sum + count, 0);
  return { received: matched + rejected, matched, rejected, kinds: [], errors };
}

const STILL = 'the destination is still at it: ask it again when it is done';

const sorted = (errors: readonly { readonly code: string; readonly count: number }[]) =>
  [...errors].sort((a, b) => b.count - a.count);
const isObject = (value: unknown): value is Answer => typeof value === 'object' && value !== null && !Array.isArray(value);

function firstObject(from: Answer, names: readonly string[]): Answer | null {
  return names.map((name) => from[name]).find(isObject) ?? null;
}

function objectIn(from: Answer, name: string, pointer: string): Answer {
  const value = from[name];
  if (!isObject(value))
    throw new Unreadable(`${pointer}/${name}`, value === undefined ? 'required' : 'type', 'must be an object');
  return value;
}

function listOf(values: readonly unknown[], pointer: string): Answer[] {
  if (values.length === 0) throw new Unreadable(pointer, 'required', 'is empty');
  return values.map((value, at) => {
    if (!isObject(value)) throw new Unreadable(`${pointer}/${at}`, 'type', 'must be an object');
    return value;
  });
}

/** Counts come as numbers, and 64-bit ones as texts. */
function numberIn(from: Answer, name: string, pointer: string): number {
  const value = from[name];
  const number = typeof value === 'string' && /^\d{1,15}$/.test(value) ? Number(value) : value;
  if (typeof number === 'number' && Number.isSafeInteger(number) && number >= 0) return number;
  throw new Unreadable(`${pointer}/${name}`, value === undefined ? 'required' : 'type', 'must be a count');
}
