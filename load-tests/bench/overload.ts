import { type Calls, round } from './capacity.ts';
import { capacityNow, from, sayRun } from './latency.ts';
import { countsBy, sayMetrics } from './metrics.ts';
import { createHistogram, runOpenLoop } from './open-loop.ts';
import type { Options } from './options.ts';
import type { Rig } from './rig.ts';
import { LATE_MS } from './world.ts';

const TIMES = 3;
const LINES = 512;
/** As long as an exchange waits. */
const PATIENCE_MS = 100;
/**
 * As long as an exchange waits for a connection: it asks others then. It would make the answer late to queue an auction before a
 * bidder for longer, and no bidder could do anything about that.
 */
const QUEUE_MS = 10;

/**
 * Three times the capacity. Goodput is what is answered in time and was decided: a shed request is a no-bid on the wire, so the
 * bidder's own count of them is taken off.
 */
export async function benchOverload(rig: Rig, options: Options): Promise<object> {
  const bidder = await rig.startBidder();
  const calls: Calls = { next: 0 };
  const capacity = await capacityNow(rig, bidder, calls, options.seconds);
  const inTime = { answers: 0 };
  const answered = createHistogram();
  const before = await bidder.metrics();
  const result = await runOpenLoop({
    port: bidder.port,
    message: from(rig, calls),
    rate: capacity * TIMES,
    seconds: options.seconds,
    seed: options.seed,
    lines: LINES,
    lateMs: LATE_MS,
    patienceMs: PATIENCE_MS,
    queueMs: QUEUE_MS,
    onAnswer: ({ due, end }) => {
      answered.recordValue(Math.max(1, Math.round((end - due) * 1_000)));
      if (end - due <= LATE_MS) inTime.answers++;
    },
  });
  sayRun('At three times the capacity', result);
  const after = await bidder.metrics();
  sayMetrics(before, after);
  const shed = ['shed', 'deadline'].reduce((sum, reason) => sum + since(before, after, reason), 0);
  await bidder.stop();
  const goodput = Math.max(0, inTime.answers - shed) / options.seconds;
  return {
    capacity: round(capacity, 0),
    offered: round(result.scheduled / options.seconds, 0),
    goodput: round(goodput, 0),
    share: round(goodput / capacity, 3),
    answeredP99: round(answered.getValueAtPercentile(99) / 1_000, 3),
    late: result.late,
    shed,
    givenUp: result.givenUp,
    leftOut: result.unsent,
    errors: result.errors,
  };
}

function since(before: string, after: string, reason: string): number {
  const count = (text: string): number => countsBy(text, 'walkin_no_bids_total', 'reason').get(reason) ?? 0;
  return count(after) - count(before);
}
