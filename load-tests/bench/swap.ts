import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { type Calls, round } from './capacity.ts';
import { capacityNow, from, sayRun } from './latency.ts';
import { processorUs, residentMb, waitedUs } from './machine.ts';
import { countsBy, numberOf } from './metrics.ts';
import { type Answered, runOpenLoop } from './open-loop.ts';
import type { Options } from './options.ts';
import { type Rig, type Server, servingVersions } from './rig.ts';
import { say } from './say.ts';
import { type PublisherCall, type SwapPublisher, startSwapPublisher } from './swap-published.ts';
import { LATE_MS } from './world.ts';
import { sayWorst } from './worst.ts';

const LOAD = 0.25;
const POLL_MS = 5;
/** A swap that takes longer than this after the run has failed. */
const PATIENCE_MS = 120_000;
/** After the last worker serves it, what it costs may still be felt. */
const AFTERMATH_MS = 500;
/** Connections are opened, and a generator that has not sent for a while is cold. */
const START_MS = 1_000;

export interface SwapResult {
  readonly lineItems: number;
  /** Megabytes of the snapshot as published. */
  readonly snapshotMb: number;
  /** Milliseconds from the publication until every worker serves it: of a snapshot in which everything is new, and of one changed line item. */
  readonly liveMs: number;
  readonly editMs: number;
  /** The worst request, milliseconds from its intended moment: between publication and half a second after the swap, and before. */
  readonly worstMs: number;
  readonly worstWithoutMs: number;
  /** Of that time the generator's: the most by which it sent a call late in the same spans. */
  readonly lagMs: number;
  readonly lagWithoutMs: number;
  /** The longest time in the same spans for which a worker's event loop stood still. */
  readonly stallMs: number;
  readonly stallWithoutMs: number;
  readonly errors: number;
  /** Of the largest worker. */
  readonly rssMb: number;
}

/** New snapshots under load: the rig's own, or of the sizes that are given, each first put in place and then swapped. */
export async function benchSwap(rig: Rig, options: Options): Promise<SwapResult | { sizes: Record<string, SwapResult> }> {
  const bidder = await rig.startBidder();
  const calls: Calls = { next: 0 };
  const rate = LOAD * (await capacityNow(rig, bidder, calls, Math.min(5, options.seconds)));
  const publisher = startSwapPublisher(join(rig.folder, 'redis.sock'), options.env);
  let version = rig.snapshot.version;
  const sizes: Record<string, SwapResult> = {};
  for (const lineItems of options.sizes ?? [rig.size.lineItems]) {
    const { mb } = await publisher.call({ type: 'draw', seed: options.seed, lineItems, version: ++version });
    const swap: Swap = { rig, bidder, publisher, version, lineItems, snapshotMb: round(mb, 1) };
    const ms = await publishAndWait(swap, 'first', version);
    say(`The first swap to ${lineItems.toLocaleString('en')} line items, without load: ${Math.round(ms)} ms`);
    sizes[lineItems] = await swapUnderLoad(swap, { options, calls, rate });
    version += 2;
    say(JSON.stringify(sizes[lineItems]));
  }
  publisher.stop();
  await bidder.stop();
  const [only] = Object.values(sizes) as [SwapResult];
  return options.sizes === null ? only : { sizes };
}

interface Swap {
  readonly rig: Rig;
  readonly bidder: Server;
  readonly publisher: SwapPublisher;
  /** Of the snapshot that is there first. */
  readonly version: number;
  readonly lineItems: number;
  readonly snapshotMb: number;
}

interface Load {
  readonly options: Options;
  readonly calls: Calls;
  readonly rate: number;
}

async function swapUnderLoad(swap: Swap, { options, calls, rate }: Load): Promise<SwapResult> {
  const { rig, bidder, version, lineItems, snapshotMb } = swap;
  const { seconds, seed } = options;
  const answers: Answered[] = [];
  let startedAt = 0;
  const running = runOpenLoop({
    port: bidder.port,
    message: from(rig, calls),
    rate,
    seconds: 2 * seconds,
    seed,
    lateMs: LATE_MS,
    onStart: (start) => {
      startedAt = start;
    },
    onAnswer: (answer) => void answers.push(answer),
  });
  await stallOf(bidder);
  await sleep(START_MS);
  const workers = await bidder.pids();
  const now = (): Moment => ({ at: performance.now() - startedAt, us: sum(workers, processorUs) });
  const begun = now();
  await sleep(seconds * 1_000 - START_MS);
  const stallWithoutMs = await stallOf(bidder);
  const published = now();
  const since = published.at;
  const liveMs = await timed(swap, 'renewed', version + 1, 'everything');
  const live = now();
  const until = live.at + AFTERMATH_MS;
  await sleep(AFTERMATH_MS);
  const stallMs = await stallOf(bidder);
  const editMs = await timed(swap, 'edited', version + 2, 'one line item');
  const result = await running;
  calls.next += result.scheduled;
  sayRun(`Under the swap to ${lineItems.toLocaleString('en')} line items`, result);
  const during = answers.filter(({ due, end }) => end >= since && due <= until);
  const before = answers.filter(({ due, end }) => due >= START_MS && end < since);
  const cost = (from: Moment, to: Moment): string => {
    const count = answers.filter(({ end }) => end >= from.at && end < to.at).length;
    return `${Math.round((to.us - from.us) / Math.max(1, count))} µs`;
  };
  say(`An answer took the worker ${cost(begun, published)} of the processor before the swap, ${cost(published, live)} during it`);
  sayWorst('with the swap', during, since);
  sayWorst('without', before, since);
  return {
    lineItems,
    snapshotMb,
    liveMs: round(liveMs, 0),
    editMs: round(editMs, 0),
    worstMs: longest(during, 'end'),
    worstWithoutMs: longest(before, 'end'),
    lagMs: longest(during, 'sent'),
    lagWithoutMs: longest(before, 'sent'),
    stallMs,
    stallWithoutMs,
    errors: result.errors,
    rssMb: Math.max(...(await bidder.pids()).map(residentMb)),
  };
}

/** Milliseconds since the start, and microseconds of the processor that the workers have had. */
interface Moment {
  readonly at: number;
  readonly us: number;
}

/** Publishes, and tells where the time until the swap went, as the bidder and the system tell it. */
async function timed(swap: Swap, which: Published, version: number, what: string): Promise<number> {
  const { bidder } = swap;
  const processes = { compiler: await bidder.beside(), worker: await bidder.pids() };
  const spent = (): Spent => ({
    compiler: sum(processes.compiler, processorUs),
    compilerWaited: sum(processes.compiler, waitedUs),
    worker: sum(processes.worker, processorUs),
    workerWaited: sum(processes.worker, waitedUs),
  });
  const before = spent();
  const liveMs = await publishAndWait(swap, which, version);
  saySteps(await bidder.metrics(), what, liveMs, before, spent());
  return liveMs;
}

/** Microseconds. */
interface Spent {
  readonly compiler: number;
  readonly worker: number;
  /** For their core. */
  readonly compilerWaited: number;
  readonly workerWaited: number;
}

function saySteps(metrics: string, what: string, liveMs: number, before: Spent, after: Spent): void {
  const steps = [...countsBy(metrics, 'walkin_snapshot_step_seconds', 'step')];
  const thread = 1_000 * numberOf(metrics, 'walkin_snapshot_swap_seconds');
  const compiler = steps.map(([step, seconds]) => `${step} ${Math.round(1_000 * seconds)} ms`).join(', ');
  const rest = liveMs - steps.reduce((total, [, seconds]) => total + 1_000 * seconds, 0);
  const ms = (of: keyof Spent): string => `${Math.round((after[of] - before[of]) / 1_000)} ms`;
  say(
    `Changed: ${what}. Live after ${Math.round(liveMs)} ms: ${compiler}, all else (writing to Redis, announcing, reading the file) ${Math.round(rest)} ms, of which the worker's thread ${thread.toFixed(1)} ms; of the processor the compiler had ${ms('compiler')} and waited ${ms('compilerWaited')} for it, the worker ${ms('worker')} and ${ms('workerWaited')}`,
  );
}

function longest(answers: readonly Answered[], until: 'sent' | 'end'): number {
  return round(
    answers.reduce((most, answer) => Math.max(most, answer[until] - answer.due), 0),
    3,
  );
}

function sum(pids: readonly number[], of: (pid: number) => number): number {
  return pids.reduce((total, pid) => total + of(pid), 0);
}

/** The longest that the event loop stood still since the last time that this was asked, milliseconds. */
async function stallOf(bidder: Server): Promise<number> {
  return round(1_000 * numberOf(await bidder.metrics(), 'nodejs_eventloop_lag_max_seconds'), 1);
}

type Published = Extract<PublisherCall, { type: 'publish' }>['which'];

/** Milliseconds from the publication; infinite where it takes too long. */
async function publishAndWait({ rig, publisher }: Swap, which: Published, version: number): Promise<number> {
  const since = performance.now();
  const published = publisher.call({ type: 'publish', which });
  while (performance.now() - since < PATIENCE_MS) {
    if ((await servingVersions(rig.redis)).every((worker) => worker.version === version)) {
      const ms = performance.now() - since;
      await published;
      return ms;
    }
    await sleep(POLL_MS);
  }
  return Number.POSITIVE_INFINITY;
}
