import { setTimeout as sleep } from 'node:timers/promises';
import type { LiveGeofence, LiveLineItem, LiveStore, Snapshot } from '../../proto/snapshot.ts';
import { splitSnapshot } from '../../proto/snapshot-parts.ts';
import { type Calls, round } from './capacity.ts';
import { capacityNow, from, sayRun } from './latency.ts';
import { residentMb } from './machine.ts';
import { countsBy, numberOf } from './metrics.ts';
import { runOpenLoop } from './open-loop.ts';
import type { Options } from './options.ts';
import { type Rig, type Server, servingVersions } from './rig.ts';
import { say } from './say.ts';
import { drawSnapshot, LATE_MS } from './world.ts';

const LOAD = 0.25;
const POLL_MS = 5;
/** A swap that takes longer than this after the run has failed. */
const PATIENCE_MS = 120_000;
/** After the last worker serves it, what it costs may still be felt. */
const AFTERMATH_MS = 500;

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
  const capacity = await capacityNow(rig, bidder, calls, Math.min(5, options.seconds));
  let version = rig.snapshot.version;
  const sizes: Record<string, SwapResult> = {};
  for (const size of options.sizes ?? [rig.size.lineItems]) {
    const isOwn = size === rig.size.lineItems;
    const snapshot = isOwn ? rig.snapshot : drawSnapshot(options.seed, { lineItems: size, fences: size });
    if (!isOwn) {
      const ms = await publishAndWait(rig, { ...snapshot, version: ++version });
      say(`The first swap to ${size.toLocaleString('en')} line items, without load: ${Math.round(ms)} ms`);
    }
    sizes[size] = await swapUnderLoad(rig, bidder, snapshot, version, { options, calls, rate: capacity * LOAD });
    version += 2;
    say(JSON.stringify(sizes[size]));
  }
  await bidder.stop();
  const [only] = Object.values(sizes) as [SwapResult];
  return options.sizes === null ? only : { sizes };
}

interface Load {
  readonly options: Options;
  readonly calls: Calls;
  readonly rate: number;
}

async function swapUnderLoad(rig: Rig, bidder: Server, before: Snapshot, version: number, load: Load): Promise<SwapResult> {
  const { options, calls, rate } = load;
  const { seconds, seed } = options;
  const renewed = { ...everythingNew(before), version: version + 1 };
  const whole = splitSnapshot(renewed);
  const edited = { ...oneEdited(renewed), version: version + 2 };
  const editedSplit = splitSnapshot(edited);
  const ends: { due: number; end: number }[] = [];
  const startedAt = performance.now();
  const running = runOpenLoop({
    port: bidder.port,
    message: from(rig, calls),
    rate,
    seconds: 2 * seconds,
    seed,
    lateMs: LATE_MS,
    onAnswer: (_status, due, end) => void ends.push({ due, end }),
  });
  await stallOf(bidder);
  await sleep(seconds * 1_000);
  const stallWithoutMs = await stallOf(bidder);
  const since = performance.now() - startedAt;
  const liveMs = await publishAndWait(rig, renewed, whole);
  await saySteps(bidder, 'everything', liveMs);
  const until = performance.now() - startedAt + AFTERMATH_MS;
  await sleep(AFTERMATH_MS);
  const stallMs = await stallOf(bidder);
  const editMs = await publishAndWait(rig, edited, editedSplit);
  await saySteps(bidder, 'one line item', editMs);
  const result = await running;
  calls.next += result.scheduled;
  sayRun(`Under the swap to ${before.lineItems.length.toLocaleString('en')} line items`, result);
  return {
    lineItems: before.lineItems.length,
    snapshotMb: round([...whole.parts.values()].reduce((sum, { length }) => sum + length, 0) / 2 ** 20, 1),
    liveMs: round(liveMs, 0),
    editMs: round(editMs, 0),
    worstMs: worstOf(ends.filter(({ due, end }) => end >= since && due <= until)),
    worstWithoutMs: worstOf(ends.filter(({ end }) => end < since)),
    stallMs,
    stallWithoutMs,
    errors: result.errors,
    rssMb: Math.max(...(await bidder.pids()).map(residentMb)),
  };
}

/** Nothing of it is known from before: each line item ends a millisecond earlier, each fence is wider by a hair. */
function everythingNew(snapshot: Snapshot): Snapshot {
  const wider = <Place extends LiveStore | LiveGeofence>(place: Place): Place =>
    place.fence.type === 'circle' ? { ...place, fence: { ...place.fence, radius: place.fence.radius + 1e-6 } } : place;
  return {
    ...snapshot,
    stores: snapshot.stores.map(wider),
    geofences: snapshot.geofences.map(wider),
    lineItems: snapshot.lineItems.map((lineItem) => ({ ...lineItem, end: lineItem.end - 1 })),
  };
}

function oneEdited(snapshot: Snapshot): Snapshot {
  const [first, ...others] = snapshot.lineItems as [LiveLineItem, ...LiveLineItem[]];
  return { ...snapshot, lineItems: [{ ...first, end: first.end - 1 }, ...others] };
}

/** Where the time from publication to the swap went, as the bidder tells it. */
async function saySteps(bidder: Server, what: string, liveMs: number): Promise<void> {
  const metrics = await bidder.metrics();
  const steps = [...countsBy(metrics, 'walkin_snapshot_step_seconds', 'step')];
  const thread = 1_000 * numberOf(metrics, 'walkin_snapshot_swap_seconds');
  const compiler = steps.map(([step, seconds]) => `${step} ${Math.round(1_000 * seconds)} ms`).join(', ');
  const rest = liveMs - steps.reduce((sum, [, seconds]) => sum + 1_000 * seconds, 0);
  say(
    `Changed: ${what}. Live after ${Math.round(liveMs)} ms: ${compiler}, all else (writing to Redis, announcing, reading the file) ${Math.round(rest)} ms, of which the worker's thread ${thread.toFixed(1)} ms`,
  );
}

function worstOf(answers: readonly { due: number; end: number }[]): number {
  const worst = answers.reduce((most, { due, end }) => Math.max(most, end - due), 0);
  return round(worst, 3);
}

/** The longest that the event loop stood still since the last time that this was asked, milliseconds. */
async function stallOf(bidder: Server): Promise<number> {
  return round(1_000 * numberOf(await bidder.metrics(), 'nodejs_eventloop_lag_max_seconds'), 1);
}

/** Milliseconds from the publication; infinite where it takes too long. */
async function publishAndWait(rig: Rig, snapshot: Snapshot, split = splitSnapshot(snapshot)): Promise<number> {
  const since = performance.now();
  await rig.publish(snapshot, split);
  while (performance.now() - since < PATIENCE_MS) {
    if ((await servingVersions(rig.redis)).every((worker) => worker.version === snapshot.version))
      return performance.now() - since;
    await sleep(POLL_MS);
  }
  return Number.POSITIVE_INFINITY;
}
