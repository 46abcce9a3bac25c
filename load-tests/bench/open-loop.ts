import { constants, getPriority, setPriority } from 'node:os';
import { PerformanceObserver } from 'node:perf_hooks';
import { Worker } from 'node:worker_threads';
import { build, type Histogram } from 'hdr-histogram-js';
import { createDraw } from './draw.ts';
import { type Line, openLine } from './line.ts';
import { shareAsNiced } from './machine.ts';

export interface OpenLoopOptions {
  readonly port: number;
  /** The bytes of a call, by its number from 0. */
  readonly message: (call: number) => Buffer;
  /** Calls a second, at random (Poisson) moments. */
  readonly rate: number;
  readonly seconds: number;
  readonly seed: number;
  /** Connections kept open; waiting for a free one counts as latency. */
  readonly lines?: number;
  /** An answer that comes later after the intended moment is late, ms. */
  readonly lateMs: number;
  /** A caller that waits no longer: drops calls that are older, and throws away what is answered later, ms. Null: waits on. */
  readonly patienceMs?: number | null;
  /** How long a call waits for a free connection before it is left out, ms; null: as long as the caller's patience. */
  readonly queueMs?: number | null;
  /** Told of the start, as `performance.now()` has it: before the call returns. */
  readonly onStart?: (start: number) => void;
  /** Told of each answer: moments in ms since the start. */
  readonly onAnswer?: (answer: Answered) => void;
}

export interface Answered {
  readonly status: number;
  /** Of the call, from 0. */
  readonly call: number;
  readonly due: number;
  /** When it was really sent: later where the generator was held up, or no connection was free. */
  readonly sent: number;
  readonly end: number;
}

/** All times in microseconds, from the moment at which a call was to be sent unless said otherwise. */
export interface OpenLoopResult {
  readonly scheduled: number;
  readonly sent: number;
  readonly answered: number;
  /** Broken connections, and statuses other than 200 and 204. */
  readonly errors: number;
  /** Calls that the caller gave up. */
  readonly givenUp: number;
  /** Calls that were left out, because no connection was free in time. */
  readonly unsent: number;
  readonly late: number;
  readonly bids: number;
  readonly seconds: number;
  readonly latency: Histogram;
  /** From the moment at which it was really sent. */
  readonly service: Histogram;
  /** How much later than intended the generator came to it. */
  readonly lag: Histogram;
  /** Share of a core that the generator took. */
  readonly generatorCpu: number;
  /** The longest pause of the generator's own garbage collector, ms. */
  readonly generatorPauseMs: number;
}

const LINES = 128;
/** Shared with `pulse.mjs`. */
const [ARRIVED, TOLD] = [0, 1];
const CONNECT_MS = 2_000;
/** After the last call is due the slowest answer is waited for this long. */
const PATIENCE_AT_END_MS = 10_000;
const SWEEP_MS = 5;
/**
 * A connection is kept for the next call where the answer that nobody wants comes within so long after. To break it each time took the bidder and the generator more than
 * the call: a third of the generator's core.
 */
const BREAK_MS = 1_000;

/** Microseconds to a minute, three digits. */
export function createHistogram(): Histogram {
  return build({ lowestDiscernibleValue: 1, highestTrackableValue: 60_000_000, numberOfSignificantValueDigits: 3 });
}

/**
 * Sends on a schedule, whatever the server does: never skips a call, never waits for an answer before the next one. So a stall of
 * the server is felt by every call that it hits (Tene, "How NOT to Measure Latency").
 */
export async function runOpenLoop(options: OpenLoopOptions): Promise<OpenLoopResult> {
  const { port, message, lines: count = LINES, lateMs, patienceMs = null, queueMs = patienceMs, onAnswer } = options;
  const due = dueTimes(options);
  const progress = new Int32Array(new SharedArrayBuffer(8));
  const lines = Array.from({ length: count }, () => openLine(port));
  await callEach(lines, message);
  const free = lines.map((_line, index) => index);
  /** By line, NaN where there is none: when the call under way was due; since when an answer is waited for that nobody wants any more. */
  const [underWay, abandoned] = [new Float64Array(count).fill(Number.NaN), new Float64Array(count).fill(Number.NaN)];
  const [latency, service, lag] = [createHistogram(), createHistogram(), createHistogram()];
  const tally = { sent: 0, answered: 0, errors: 0, givenUp: 0, unsent: 0, late: 0, bids: 0 };
  /** Calls that are due, first come first served; [head, arrived) wait for a connection. */
  let head = 0;
  let arrived = 0;
  let settled = 0;
  let finish: () => void = () => undefined;
  const finished = new Promise<void>((resolve) => {
    finish = resolve;
  });
  const cpu = process.cpuUsage();
  const yieldCore = takeCore();
  const collector = watchCollector();
  const startNs = process.hrtime.bigint() + 50_000_000n;
  const start = performance.now() + 50;
  options.onStart?.(start);
  const elapsed = (): number => performance.now() - start;
  const pulse = new Worker(new URL('./pulse.mjs', import.meta.url), { workerData: { due, progress, startNs } });
  pulse.on('message', onPulse);
  const sweeper = patienceMs === null ? null : setInterval(() => sweep(patienceMs), SWEEP_MS);
  const lastDue = due[due.length - 1] ?? 0;
  const lastCall = setTimeout(finish, 50 + lastDue + PATIENCE_AT_END_MS);
  if (due.length === 0) finish();
  await finished;
  yieldCore();
  collector.stop();
  clearTimeout(lastCall);
  if (sweeper !== null) clearInterval(sweeper);
  const used = process.cpuUsage(cpu);
  const seconds = Math.max(1e-3, elapsed() / 1_000);
  for (const line of lines) line.close();
  await pulse.terminate();
  // Calls that never came back are as slow as we waited for them, not absent.
  const lost = due.length - settled;
  for (let i = 0; i < lost; i++) latency.recordValue(micros(elapsed() - lastDue));
  const errors = tally.errors + lost;
  const generatorCpu = (used.user + used.system) / 1e6 / seconds;
  return {
    ...tally,
    errors,
    scheduled: due.length,
    seconds,
    latency,
    service,
    lag,
    generatorCpu,
    generatorPauseMs: collector.longest(),
  };

  function onPulse(): void {
    Atomics.store(progress, TOLD, 0);
    dispatch();
  }

  /** What is due by now, also where an answer and not the pulse has woken us. */
  function arrive(): void {
    const now = elapsed();
    const before = arrived;
    for (; arrived < due.length && (due[arrived] as number) <= now; arrived++)
      lag.recordValue(micros(now - (due[arrived] as number)));
    if (arrived > before) Atomics.store(progress, ARRIVED, arrived);
  }

  function dispatch(): void {
    arrive();
    if (queueMs !== null) leaveOut(queueMs);
    while (head < arrived) {
      const index = free.pop();
      if (index === undefined) return;
      sendOn(index, head++);
    }
  }

  function sendOn(index: number, call: number): void {
    const at = elapsed();
    tally.sent++;
    underWay[index] = due[call] as number;
    (lines[index] as Line).send(message(call), (reply) => {
      if (Number.isNaN(abandoned[index])) take(call, at, reply?.status ?? 0);
      abandoned[index] = underWay[index] = Number.NaN;
      free.push(index);
      dispatch();
    });
  }

  function take(call: number, at: number, status: number): void {
    const end = elapsed();
    const intended = due[call] as number;
    if (status === 200 || status === 204) {
      tally.answered++;
      if (status === 200) tally.bids++;
      if (end - intended > lateMs) tally.late++;
      onAnswer?.({ status, call, due: intended, sent: at, end });
    } else tally.errors++;
    latency.recordValue(micros(end - intended));
    service.recordValue(micros(end - at));
    settle();
  }

  function settle(): void {
    if (++settled === due.length) finish();
  }

  function leaveOut(after: number): void {
    const now = elapsed();
    for (; head < arrived && now - (due[head] as number) > after; head++) {
      tally.unsent++;
      settle();
    }
  }

  function sweep(patience: number): void {
    leaveOut(queueMs ?? patience);
    const now = elapsed();
    // Nothing is greater than NaN.
    lines.forEach((line, index) => {
      if (now - (abandoned[index] as number) > BREAK_MS) line.giveUp();
      const waited = now - (underWay[index] as number);
      if (waited > patience) giveUp(index, waited, now);
    });
  }

  function giveUp(index: number, waited: number, now: number): void {
    underWay[index] = Number.NaN;
    abandoned[index] = now;
    tally.givenUp++;
    latency.recordValue(micros(waited));
    settle();
  }
}

/**
 * One call on each connection, of which nothing is counted: exchanges keep theirs for minutes, and what it takes a cluster to hand over so many at once (0.2 ms each)
 * is felt by more than one in a hundred of the calls of eight seconds. A server that does not answer is not waited for.
 */
async function callEach(lines: readonly Line[], message: (call: number) => Buffer): Promise<void> {
  const answers = lines.map((line) => new Promise<void>((resolve) => line.send(message(0), () => resolve())));
  const patience = setTimeout(() => {
    for (const line of lines) if (line.busy) line.giveUp();
  }, CONNECT_MS);
  await Promise.all(answers);
  clearTimeout(patience);
}

function dueTimes({ rate, seconds, seed }: OpenLoopOptions): Float64Array {
  const draw = createDraw(seed, 5);
  const times: number[] = [];
  for (let at = 0; ; ) {
    at += (-Math.log(1 - draw.next()) / rate) * 1_000;
    if (at >= seconds * 1_000) break;
    times.push(at);
  }
  const due = new Float64Array(new SharedArrayBuffer(times.length * 8));
  due.set(times);
  return due;
}

/**
 * Redis has the same core, and a batch of profiles takes it for a millisecond or two: a generator that waits for its turn sends
 * late. Where the system allows it goes first, for the length of a run. Returns what undoes it.
 */
function takeCore(): () => void {
  const before = getPriority();
  try {
    setPriority(Math.max(constants.priority.PRIORITY_HIGHEST, before + constants.priority.PRIORITY_HIGH));
  } catch {
    return () => undefined;
  }
  shareAsNiced(process.pid);
  return () => {
    setPriority(before);
    shareAsNiced(process.pid);
  };
}

/** The collector's pauses in this process, ms: until `stop` is called. */
function watchCollector(): { readonly longest: () => number; readonly stop: () => void } {
  let longest = 0;
  const observer = new PerformanceObserver((list) => {
    for (const { duration } of list.getEntries()) longest = Math.max(longest, duration);
  });
  observer.observe({ entryTypes: ['gc'] });
  return { longest: () => longest, stop: () => observer.disconnect() };
}

function micros(ms: number): number {
  return Math.min(60_000_000, Math.max(1, Math.round(ms * 1_000)));
}

/** Why a run must not be believed, as sentences; empty where it may. */
export function doubtsOf(result: OpenLoopResult): string[] {
  const { scheduled, sent, answered, errors, givenUp, unsent, latency, service, lag, generatorCpu } = result;
  const doubts: string[] = [];
  const lagP99 = lag.getValueAtPercentile(99) / 1_000;
  if (lagP99 >= 1) doubts.push(`the generator's lag p99 is ${lagP99.toFixed(2)} ms`);
  if (sent + unsent !== scheduled) doubts.push(`${sent} calls were sent of ${scheduled}`);
  if (answered + errors + givenUp + unsent !== scheduled) doubts.push('answers, errors and timeouts are not the calls');
  if (latency.totalCount + unsent !== scheduled || service.totalCount > sent)
    doubts.push('there are more or fewer samples than calls');
  if (generatorCpu > 0.7) doubts.push(`the generator took ${Math.round(generatorCpu * 100)} % of a core`);
  return doubts;
}
