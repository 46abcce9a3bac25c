import { type CpuProfile, ownShares, readProfile, stacksOf } from './profile.ts';
import { say } from './say.ts';

/** A load of `latency`, in microseconds of the clock that never jumps. */
export interface LoadSpan {
  readonly load: number;
  readonly answers: number;
  readonly from: number;
  readonly to: number;
}

/** Time in which the worker did not wait for events once: what came meanwhile waited. */
export interface Stretch {
  /** Milliseconds since the span began. */
  readonly at: number;
  readonly ms: number;
  /** Milliseconds of it in each part, the largest first. */
  readonly parts: readonly (readonly [part: string, ms: number])[];
}

/** What a stack is part of, by the outermost of these that is in it. */
const PARTS: readonly (readonly [part: string, name: RegExp])[] = [
  ['garbage collector', /^\(garbage collector\)/],
  ['leases', /bidder\/lease/],
  ['outbox', /bidder\/outbox/],
  ['metrics', /prom-client|bidder\/metrics/],
  ['debugger', /bidder\/debug/],
  ['decisions', /^bidOn bidder\/auction/],
  ['people', /bidder\/users/],
  ['requests', /bidder\/http/],
  ['Redis', /ioredis/],
];
const LONGEST = 8;
const LEAST_MS = 10;
const TOP = 25;

/** For each load what an answer took by function, and the longest stretches without a pause. */
export function sayStalls(folder: string, spans: readonly LoadSpan[]): void {
  const profile = readProfile(folder);
  if (profile === null) return;
  for (const span of spans) {
    say(`At ${Math.round(100 * span.load)} %, microseconds of an answer:`);
    for (const [name, us] of ownUs(profile, span).slice(0, TOP)) say(`  ${us.toFixed(2).padStart(6)}  ${name}`);
    const stretches = stretchesOf(profile, span).filter(({ ms }) => ms >= LEAST_MS);
    say(`  ${stretches.length} stretches of ${LEAST_MS} ms and more without a pause, the longest:`);
    for (const { at, ms, parts } of [...stretches].sort((a, b) => b.ms - a.ms).slice(0, LONGEST))
      say(`  ${ms.toFixed(0)} ms at ${at.toFixed(0)}: ${parts.map(([part, own]) => `${part} ${own.toFixed(1)}`).join(', ')}`);
  }
}

function ownUs(profile: CpuProfile, span: LoadSpan): [name: string, us: number][] {
  const stacks = stacksOf(profile);
  let busy = 0;
  eachSample(profile, span, (_at, id, micros) => {
    if (stacks.get(id)?.at(-1) !== IDLE) busy += micros;
  });
  return ownShares(profile, [span]).map(([name, share]) => [name, (share * busy) / Math.max(1, span.answers)]);
}

/** In their order. */
export function stretchesOf(profile: CpuProfile, span: Pick<LoadSpan, 'from' | 'to'>): Stretch[] {
  const stacks = stacksOf(profile);
  const stretches: Stretch[] = [];
  let spent = new Map<string, number>();
  let since = 0;
  let until = 0;
  const end = (): void => {
    if (spent.size > 0) stretches.push({ at: since, ms: until - since, parts: [...spent].sort((a, b) => b[1] - a[1]) });
    spent = new Map();
  };
  eachSample(profile, span, (at, id, micros) => {
    const stack = stacks.get(id) ?? [];
    if (stack.at(-1) === IDLE) {
      end();
      return;
    }
    if (spent.size === 0) since = (at - micros - span.from) / 1_000;
    until = (at - span.from) / 1_000;
    const part = partOf(stack);
    spent.set(part, (spent.get(part) ?? 0) + micros / 1_000);
  });
  end();
  return stretches;
}

const IDLE = '(idle)';

function partOf(stack: readonly string[]): string {
  return PARTS.find(([, name]) => stack.some((each) => name.test(each)))?.[0] ?? 'other';
}

function eachSample(
  { startTime, samples, timeDeltas }: CpuProfile,
  { from, to }: Pick<LoadSpan, 'from' | 'to'>,
  take: (at: number, id: number, micros: number) => void,
): void {
  let at = startTime;
  samples.forEach((id, sample) => {
    const micros = timeDeltas[sample] ?? 0;
    at += micros;
    if (at >= from && at <= to) take(at, id, micros);
  });
}
