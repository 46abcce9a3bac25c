import { setTimeout as sleep } from 'node:timers/promises';
import { type Calls, round } from './capacity.ts';
import { capacityNow, from, sayRun } from './latency.ts';
import { type Answered, runOpenLoop } from './open-loop.ts';
import type { Options } from './options.ts';
import type { Rig, Server } from './rig.ts';
import { say } from './say.ts';
import { LATE_MS } from './world.ts';
import { sayWorst } from './worst.ts';

const LOAD = 0.25;
const BEFORE_S = 5;
const AFTER_S = 15;
/** All is as before when in so many milliseconds at least this share of the bids of before is bid. */
const WINDOW_MS = 500;
const BACK = 0.8;

export interface OutageResult {
  /** Seconds without Redis. */
  readonly seconds: number;
  /** Of the calls that were due in that time. */
  readonly answered: number;
  /** After what their requests allow. */
  readonly late: number;
  readonly worstMs: number;
  readonly bidRate: number;
  readonly bidRateBefore: number;
  /** Of the whole run: broken connections and statuses other than 200 and 204. */
  readonly errors: number;
  /** Milliseconds from Redis' return until bids come as before; null: not within the run. */
  readonly backMs: number | null;
}

/** A quarter of the load while Redis hangs, and while it is gone. `--seconds` is how long. */
export async function benchOutage(rig: Rig, options: Options): Promise<{ hangs: OutageResult; gone: OutageResult }> {
  const bidder = await rig.startBidder();
  const calls: Calls = { next: 0 };
  const rate = LOAD * (await capacityNow(rig, bidder, calls, 4));
  const load = { rig, bidder, calls, rate, options };
  const hangs = await without(load, { away: rig.redisServer.freeze, back: rig.redisServer.thaw });
  say(`Redis hangs: ${JSON.stringify(hangs)}`);
  const gone = await without(load, { away: rig.redisServer.kill, back: rig.redisServer.restart });
  await bidder.stop();
  return { hangs, gone };
}

interface Load {
  readonly rig: Rig;
  readonly bidder: Server;
  readonly calls: Calls;
  readonly rate: number;
  readonly options: Options;
}

async function without(load: Load, redis: { away: () => Promise<void>; back: () => Promise<void> }): Promise<OutageResult> {
  const { rig, bidder, calls, rate, options } = load;
  const answers: (Answered & { readonly allowed: number })[] = [];
  const first = calls.next;
  const startedAt = performance.now();
  const running = runOpenLoop({
    port: bidder.port,
    message: from(rig, calls),
    rate,
    seconds: BEFORE_S + options.seconds + AFTER_S,
    seed: options.seed,
    lateMs: LATE_MS,
    // Some of the corpus give a bidder a second, and it may take that for who they ask for.
    onAnswer: (answer) => void answers.push({ ...answer, allowed: rig.traffic.allowedMs(first + answer.call) }),
  });
  await sleep(BEFORE_S * 1_000);
  await redis.away();
  const away = performance.now() - startedAt;
  await sleep(options.seconds * 1_000);
  const back = performance.now() - startedAt;
  await redis.back();
  const result = await running;
  calls.next += result.scheduled;
  sayRun('With the outage', result);
  const within = (since: number, until: number) => answers.filter(({ due }) => due >= since && due < until);
  const during = within(away, back);
  sayWorst('before Redis went', within(0, away), away);
  sayWorst('without it', during, away);
  sayWorst('after it was back', within(back, Number.POSITIVE_INFINITY), back);
  const before = bidRateOf(within(0, away));
  let backAt: number | null = back;
  while (bidRateOf(within(backAt, backAt + WINDOW_MS)) < BACK * before && backAt < back + AFTER_S * 1_000)
    backAt += WINDOW_MS / 10;
  if (backAt >= back + AFTER_S * 1_000) backAt = null;
  return {
    seconds: options.seconds,
    answered: during.length,
    late: during.filter(({ due, end, allowed }) => end - due > allowed).length,
    worstMs: round(
      during.reduce((worst, { due, end }) => Math.max(worst, end - due), 0),
      1,
    ),
    bidRate: round(bidRateOf(during), 3),
    bidRateBefore: round(before, 3),
    errors: result.errors,
    backMs: backAt === null ? null : round(backAt - back, 0),
  };
}

function bidRateOf(answers: readonly { readonly status: number }[]): number {
  return answers.length === 0 ? 0 : answers.filter(({ status }) => status === 200).length / answers.length;
}
