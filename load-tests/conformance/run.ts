import { allowsBid } from './chances.ts';
import type { Sample } from './corpus.ts';
import { asProtobuf, examine, type Result, type Send } from './examine.ts';
import type { Terms } from './judge/case.ts';

export interface RunOptions {
  readonly protobuf: boolean;
  readonly gzip: boolean;
  readonly terms: Terms;
}

export interface Outcome {
  readonly passed: number;
  /** One line each. */
  readonly failures: readonly string[];
  /** Requests whose format and privacy allow a bid, and how many of them got one. */
  readonly chances: { readonly allowed: number; readonly bid: number; readonly without: readonly string[] };
  /** What could not be sent as protobuf, with the reason. */
  readonly notCarried: readonly string[];
  /** Milliseconds of the answers, sorted. */
  readonly times: readonly number[];
}

/** Sends every sample in every way and judges each answer; a way other than the first must decide as the first did. */
export async function runConformance(samples: readonly Sample[], send: Send, options: RunOptions): Promise<Outcome> {
  const failures: string[] = [];
  const notCarried: string[] = [];
  const times: number[] = [];
  const without: string[] = [];
  let [passed, allowed, bid] = [0, 0, 0];
  const note = (result: Result, way: string, extra: readonly string[] = []): void => {
    times.push(result.milliseconds);
    const faults = [...result.faults, ...extra];
    if (faults.length === 0) passed++;
    else failures.push(`FAIL ${result.file}${way}: ${faults.join('; ')}`);
  };
  for (const sample of samples) {
    const first = await examine(sample, false, send, options.terms);
    note(first, '');
    if (allowsBid(sample)) {
      allowed++;
      if (first.bids.length > 0) bid++;
      else without.push(sample.file);
    }
    for (const [way, other, gzip] of waysOf(sample, options)) {
      if (typeof other === 'string') notCarried.push(`${sample.file} ${other}`);
      else {
        const result = await examine(other, gzip, send, options.terms);
        note(result, way, compare(first, result));
      }
    }
  }
  times.sort((a, b) => a - b);
  return { passed, failures, chances: { allowed, bid, without }, notCarried, times };
}

function waysOf(sample: Sample, { protobuf, gzip }: RunOptions): [name: string, sample: Sample | string, gzip: boolean][] {
  const ways: [string, Sample | string, boolean][] = [];
  const converted = protobuf ? asProtobuf(sample) : '';
  if (gzip) ways.push([' (gzip)', sample, true]);
  if (protobuf) ways.push([' (protobuf)', converted, false]);
  if (protobuf && gzip && typeof converted !== 'string') ways.push([' (protobuf, gzip)', converted, true]);
  return ways;
}

function compare(first: Result, other: Result): string[] {
  if (first.decision === other.decision) return [];
  return [`decided "${other.decision}", but "${first.decision}" on the file as it is`];
}
