import { setTimeout as sleep } from 'node:timers/promises';
import type { Calls } from './capacity.ts';
import { round } from './capacity.ts';
import { capacityNow, from, sayRun } from './latency.ts';
import { runOpenLoop } from './open-loop.ts';
import type { Options } from './options.ts';
import { type Rig, servingVersions } from './rig.ts';
import { LATE_MS } from './world.ts';

const LOAD = 0.25;
const POLL_MS = 5;

/** A new snapshot under load: how long until every worker serves it, and the worst request around it and without it. */
export async function benchSwap(rig: Rig, options: Options): Promise<object> {
  const { seconds } = options;
  const bidder = await rig.startBidder();
  const calls: Calls = { next: 0 };
  const capacity = await capacityNow(rig, bidder, calls, Math.min(5, seconds));
  const ends: { due: number; end: number }[] = [];
  const startedAt = performance.now();
  const running = runOpenLoop({
    port: bidder.port,
    message: from(rig, calls),
    rate: capacity * LOAD,
    seconds,
    seed: options.seed,
    lateMs: LATE_MS,
    onAnswer: (_status, due, end) => void ends.push({ due, end }),
  });
  await sleep((seconds * 1_000) / 2);
  const from_ = performance.now() - startedAt;
  const liveMs = await publishAndWait(rig, seconds * 1_000);
  const until = performance.now() - startedAt;
  const result = await running;
  sayRun('Under the swap', result);
  await bidder.stop();
  const during = ends.filter(({ due, end }) => end >= from_ && due <= until + 500);
  const without = ends.filter(({ end }) => end < from_);
  return {
    lineItems: rig.size.lineItems,
    liveMs: round(liveMs, 0),
    worstMs: worstOf(during),
    worstWithoutMs: worstOf(without),
    errors: result.errors,
  };
}

const worstOf = (answers: readonly { due: number; end: number }[]): number =>
  round(
    answers.reduce((worst, { due, end }) => Math.max(worst, end - due), 0),
    3,
  );

/** Milliseconds from the announcement; infinite where it takes longer than the run and a minute. */
async function publishAndWait(rig: Rig, patience: number): Promise<number> {
  const version = rig.snapshot.version + 1;
  await rig.publish({ ...rig.snapshot, version });
  const since = performance.now();
  while (performance.now() - since < patience + 60_000) {
    if ((await servingVersions(rig.redis)).every((worker) => worker.version === version)) return performance.now() - since;
    await sleep(POLL_MS);
  }
  return Number.POSITIVE_INFINITY;
}
