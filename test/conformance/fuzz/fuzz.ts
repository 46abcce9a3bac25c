import { gunzipSync } from 'node:zlib';
import type { Sample } from '../../../load-tests/conformance/corpus.ts';
import { examine } from '../../../load-tests/conformance/examine.ts';
import { parseObject } from '../../../load-tests/conformance/judge/read.ts';
import { decodeRequest } from '../../../load-tests/conformance/protobuf.ts';
import { AD_EVENT_STREAM } from '../../../proto/keys.ts';
import type { AlwaysBidder } from '../support/always.ts';
import { chanceOf } from './chance.ts';
import { mutate } from './mutate.ts';

export interface FuzzReport {
  readonly mutants: number;
  /** The first ones: number of the mutant, its faults and what was sent. */
  readonly failures: readonly { readonly mutant: number; readonly faults: readonly string[]; readonly sent: string }[];
  readonly failed: number;
  readonly answers: Readonly<Record<string, number>>;
  /** Errors that the bidder itself counted as bugs. */
  readonly bugs: number;
  readonly slowest: number;
  /** Resident megabytes after a quarter of the mutants, and at the end. */
  readonly memory: { readonly quarter: number; readonly end: number };
}

const KEPT_FAILURES = 20;
/** Events of bids that nobody takes are dropped now and then, or Redis would grow. */
const CLEAR_EVERY = 5_000;

/** Sends mutants of the corpus to a bidder in this process and judges each answer; never stops at a fault. */
export async function fuzz(always: AlwaysBidder, corpus: readonly Sample[], mutants: number, seed: number): Promise<FuzzReport> {
  const failures: FuzzReport['failures'][number][] = [];
  const answers: Record<string, number> = {};
  const redis = always.redis.connect();
  let [failed, slowest, quarter] = [0, 0, 0];
  for (let mutant = 0; mutant < mutants; mutant++) {
    const sample = readable(mutate(corpus, chanceOf(Math.imul(seed, 1_000_003) + mutant)));
    const { faults, decision, milliseconds } = await examine(sample, false, always.send, always.terms);
    const kind = decision === 'refused' || decision === 'no bid' ? decision : 'bid';
    answers[kind] = (answers[kind] ?? 0) + 1;
    slowest = Math.max(slowest, milliseconds);
    if (faults.length > 0) {
      failed++;
      if (failures.length < KEPT_FAILURES) failures.push({ mutant, faults, sent: sample.body.toString('latin1') });
    }
    if (mutant % CLEAR_EVERY === 0) await redis.del(AD_EVENT_STREAM);
    if (mutant === Math.floor(mutants / 4)) quarter = residentMb();
  }
  const bugs = await always.bidder.count('errors');
  return { mutants, failures, failed, answers, bugs, slowest, memory: { quarter, end: residentMb() } };
}

/** Whole gzip is known by its first bytes, so the judge must read what is in it. */
function readable(sample: Sample): Sample {
  if (sample.body[0] !== 0x1f || sample.body[1] !== 0x8b) return sample;
  try {
    const plain = gunzipSync(sample.body);
    return { ...sample, request: sample.contentType === 'application/json' ? parseObject(plain) : decodeRequest(plain) };
  } catch {
    return sample;
  }
}

function residentMb(): number {
  return Math.round(process.memoryUsage.rss() / 2 ** 20);
}
