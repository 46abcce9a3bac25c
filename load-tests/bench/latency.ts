import { type Calls, capacityOf, clockUs, measure, round, sayRounds, warmUp } from './capacity.ts';
import { processorUs } from './machine.ts';
import { doubtsOf, type OpenLoopResult, runOpenLoop } from './open-loop.ts';
import type { Options } from './options.ts';
import { profileFlags } from './profile.ts';
import type { Rig, Server } from './rig.ts';
import { say } from './say.ts';
import { type LoadSpan, sayStalls } from './stalls.ts';
import { LATE_MS } from './world.ts';

const LOADS = [0.25, 0.5, 0.75, 0.9];
const ROUNDS = 3;
const WARM_SECONDS = 4;

/** Milliseconds; `load` is the share of the capacity, `rate` what was offered a second. */
export interface Point {
  readonly load: number;
  readonly rate: number;
  readonly p50: number;
  readonly p90: number;
  readonly p99: number;
  readonly p999: number;
  readonly max: number;
  readonly errors: number;
  readonly late: number;
}

export async function benchLatency(rig: Rig, options: Options): Promise<{ points: Point[] }> {
  const bidder = await rig.startBidder(options.stalls ? { flags: profileFlags(rig.folder) } : {});
  const calls: Calls = { next: 0 };
  const capacity = await capacityNow(rig, bidder, calls, options.seconds);
  const points: Point[] = [];
  const spans: LoadSpan[] = [];
  for (const load of options.loads ?? LOADS) {
    await meetLoad(rig, bidder, calls, {
      rate: capacity * load,
      seconds: Math.min(WARM_SECONDS, options.seconds),
      seed: options.seed,
    });
    const spent = await processorOf(bidder);
    const began = clockUs();
    const result = await runOpenLoop({
      port: bidder.port,
      message: from(rig, calls),
      rate: capacity * load,
      seconds: options.seconds,
      seed: options.seed,
      lateMs: LATE_MS,
    });
    calls.next += result.scheduled;
    points.push(pointOf(load, capacity * load, result));
    sayRun(`At ${Math.round(load * 100)} %`, result);
    spans.push({ load, answers: result.answered, from: began, to: clockUs() });
    const own = (await processorOf(bidder)) - spent;
    say(
      `  an answer took ${(own / Math.max(1, result.answered)).toFixed(1)} µs of the processor; it was busy for ${Math.round(own / 1e4 / result.seconds)} % of the time`,
    );
  }
  await bidder.stop();
  if (options.stalls) sayStalls(rig.folder, spans);
  return { points };
}

/** Of what is not counted: at another load other code is run often, which is compiled first. */
async function meetLoad(
  rig: Rig,
  { port }: Server,
  calls: Calls,
  load: { rate: number; seconds: number; seed: number },
): Promise<void> {
  const { scheduled } = await runOpenLoop({ ...load, port, message: from(rig, calls), lateMs: LATE_MS });
  calls.next += scheduled;
}

/** Microseconds that its processes have had. */
async function processorOf(server: Server): Promise<number> {
  return (await server.pids()).reduce((sum, pid) => sum + processorUs(pid), 0);
}

/** Closed-loop capacity, measured in the same run: the machine of an hour ago is another one. */
export async function capacityNow(rig: Rig, bidder: Server, calls: Calls, seconds: number): Promise<number> {
  await warmUp(rig, bidder, calls, Math.min(5, seconds));
  const rounds = [];
  for (let i = 0; i < ROUNDS; i++) rounds.push(await measure(rig, bidder, calls, seconds / 2));
  sayRounds('The bidder', rounds);
  return capacityOf(rounds).rate;
}

/** Messages that go on where earlier calls ended. */
export function from(rig: Rig, calls: Calls): (call: number) => Buffer {
  const first = calls.next;
  return (call) => rig.traffic.message(first + call);
}

export function sayRun(what: string, result: OpenLoopResult): void {
  const { service, lag, answered, bids, generatorCpu, generatorPauseMs } = result;
  const ms = (micros: number): string => `${(micros / 1_000).toFixed(2)} ms`;
  say(
    `${what}: ${answered.toLocaleString('en')} answers, ${Math.round((100 * bids) / Math.max(1, answered))} % bids; from the actual send p99 ${ms(service.getValueAtPercentile(99))}; generator lag p50 ${ms(lag.getValueAtPercentile(50))}, p99 ${ms(lag.getValueAtPercentile(99))}, worst ${ms(lag.maxValue)}, its collector at most ${generatorPauseMs.toFixed(1)} ms, ${Math.round(100 * generatorCpu)} % of its core`,
  );
  for (const doubt of doubtsOf(result)) say(`  NOT VALID: ${doubt}`);
}

function pointOf(load: number, rate: number, { latency, errors, late }: OpenLoopResult): Point {
  const at = (percentile: number): number => round(latency.getValueAtPercentile(percentile) / 1_000, 3);
  const max = round(latency.getValueAtPercentile(100) / 1_000, 3);
  return { load, rate: round(rate, 0), p50: at(50), p90: at(90), p99: at(99), p999: at(99.9), max, errors, late };
}
