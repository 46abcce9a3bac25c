import { setTimeout as sleep } from 'node:timers/promises';
import { type Calls, clockUs, round } from './capacity.ts';
import { capacityNow, from, sayRun } from './latency.ts';
import { type Answered, runOpenLoop } from './open-loop.ts';
import type { Options } from './options.ts';
import { profileFlags } from './profile.ts';
import type { Rig, Server } from './rig.ts';
import { say } from './say.ts';
import { type LoadSpan, sayStalls } from './stalls.ts';
import { LATE_MS } from './world.ts';
import { sayWorst } from './worst.ts';

const LOAD = 0.25;
const BEFORE_S = 5;
const AFTER_S = 15;
/** All is as before when in so many milliseconds at least this share of the bids of before is bid. */
const WINDOW_MS = 500;
const BACK = 0.8;
/** With `--stalls`: what the worker did so long before and after the return. */
const AROUND_MS = 1_000;

export interface OutageResult {
  /** Seconds without Redis. */
  readonly seconds: number;
  /** Of the calls that were due in that time. */
  readonly answered: number;
  /** After what their requests allow. */
  readonly late: number;
  readonly worstMs: number;
  /** The same of the calls that were due once it was back. */
  readonly lateAfter: number;
  readonly worstAfterMs: number;
  readonly bidRate: number;
  readonly bidRateBefore: number;
  /** Of the whole run: broken connections and statuses other than 200 and 204. */
  readonly errors: number;
  /** Milliseconds from Redis' return until bids come as before; null: not within the run. */
  readonly backMs: number | null;
}

/** A quarter of the load while Redis hangs, and while it is gone. `--seconds` is how long. */
export async function benchOutage(rig: Rig, options: Options): Promise<{ hangs: OutageResult; gone: OutageResult }> {
  const bidder = await rig.startBidder(options.stalls ? { flags: profileFlags(rig.folder) } : {});
  const calls: Calls = { next: 0 };
  const rate = LOAD * (await capacityNow(rig, bidder, calls, 4));
  const spans: LoadSpan[] = [];
  const load = { rig, bidder, calls, rate, options, spans };
  const hangs = await without(load, { away: rig.redisServer.freeze, back: rig.redisServer.thaw });
  say(`Redis hangs: ${JSON.stringify(hangs)}`);
  const gone = await without(load, { away: rig.redisServer.kill, back: rig.redisServer.restart });
  await bidder.stop();
  if (options.stalls) sayStalls(rig.folder, spans);
  return { hangs, gone };
}

interface Load {
  readonly rig: Rig;
  readonly bidder: Server;
  readonly calls: Calls;
  readonly rate: number;
  readonly options: Options;
  /** Around each return of Redis. */
  readonly spans: LoadSpan[];
}

async function without(load: Load, redis: { away: () => Promise<void>; back: () => Promise<void> }): Promise<OutageResult> {
  const { rig, bidder, calls, rate, options, spans } = load;
  const runs = BEFORE_S + options.seconds + AFTER_S;
  const answers = createAnswers(2 * rate * runs);
  const first = calls.next;
  let startedAt = 0;
  const running = runOpenLoop({
    port: bidder.port,
    message: from(rig, calls),
    rate,
    seconds: runs,
    seed: options.seed,
    lateMs: LATE_MS,
    onStart: (start) => {
      startedAt = start;
    },
    onAnswer: answers.note,
  });
  await sleep(BEFORE_S * 1_000);
  await redis.away();
  const away = performance.now() - startedAt;
  await sleep(options.seconds * 1_000);
  const back = performance.now() - startedAt;
  const backUs = clockUs();
  await redis.back();
  const result = await running;
  calls.next += result.scheduled;
  sayRun('With the outage', result);
  // Some of the corpus give a bidder a second, and it may take that for who they ask for.
  const all = answers.list().map((answer): Allowed => ({ ...answer, allowed: rig.traffic.allowedMs(first + answer.call) }));
  const within = (since: number, until: number) => all.filter(({ due }) => due >= since && due < until);
  const during = within(away, back);
  const after = within(back, Number.POSITIVE_INFINITY);
  sayWorst('before Redis went', within(0, away), away);
  sayWorst('without it', during, away);
  sayWorst('after it was back', after, back);
  const answersAround = within(back - AROUND_MS, back + AROUND_MS).length;
  spans.push({ load: LOAD, answers: answersAround, from: backUs - AROUND_MS * 1_000, to: backUs + AROUND_MS * 1_000 });
  const before = bidRateOf(within(0, away));
  let backAt: number | null = back;
  while (bidRateOf(within(backAt, backAt + WINDOW_MS)) < BACK * before && backAt < back + AFTER_S * 1_000)
    backAt += WINDOW_MS / 10;
  if (backAt >= back + AFTER_S * 1_000) backAt = null;
  return {
    seconds: options.seconds,
    answered: during.length,
    late: lateOf(during),
    worstMs: worstOf(during),
    lateAfter: lateOf(after),
    worstAfterMs: worstOf(after),
    bidRate: round(bidRateOf(during), 3),
    bidRateBefore: round(before, 3),
    errors: result.errors,
    backMs: backAt === null ? null : round(backAt - back, 0),
  };
}

interface Allowed extends Answered {
  /** What its request allows, milliseconds. */
  readonly allowed: number;
}

/** Answers of a run, as numbers outside the heap: as objects they held up the generator for 4 ms at a time, when its collector moved them. */
function createAnswers(most: number): { readonly note: (answer: Answered) => void; readonly list: () => Answered[] } {
  const columns = Array.from({ length: 5 }, () => new Float64Array(Math.ceil(most)));
  const [statuses, numbers, dues, sends, ends] = columns as [
    Float64Array,
    Float64Array,
    Float64Array,
    Float64Array,
    Float64Array,
  ];
  let count = 0;
  return {
    note: ({ status, call, due, sent, end }) => {
      statuses[count] = status;
      numbers[count] = call;
      dues[count] = due;
      sends[count] = sent;
      ends[count++] = end;
    },
    list: () =>
      Array.from({ length: count }, (_, at) => ({
        status: statuses[at] as number,
        call: numbers[at] as number,
        due: dues[at] as number,
        sent: sends[at] as number,
        end: ends[at] as number,
      })),
  };
}

function lateOf(answers: readonly Allowed[]): number {
  return answers.filter(({ due, end, allowed }) => end - due > allowed).length;
}

function worstOf(answers: readonly Answered[]): number {
  return round(
    answers.reduce((worst, { due, end }) => Math.max(worst, end - due), 0),
    1,
  );
}

function bidRateOf(answers: readonly { readonly status: number }[]): number {
  return answers.length === 0 ? 0 : answers.filter(({ status }) => status === 200).length / answers.length;
}
