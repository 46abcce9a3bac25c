import { describe, expect, it } from 'vitest';
import { createAdmission } from '../../bidder/admission.ts';
import { createPace } from '../../bidder/pace.ts';
import { exchange } from './support/live.ts';

/**
 * A worker and an exchange that sends it more than it can answer, in a time of their own: admission and pace are the real ones, and what requests take is what was
 * measured. So it says the same on every machine; `npm run bench overload` says what a machine makes of it.
 */
interface Simulated {
  /** Of the capacity. */
  readonly load: number;
  readonly connections: number;
  /** How many times slower the machine is. */
  readonly slower?: number;
}

/** What a request takes, ms: its head, a refusal by it or at its turn, reading it, and deciding and answering. */
const COSTS = { head: 0.012, refuse: 0.015, turnAway: 0.018, read: 0.047, decide: 0.063 };
const REDIS_MS = 1;
const REDIS_MS_A_PERSON = 0.012;
const MOST_BATCHES = 4;
const SECONDS = 6;
/** As in the bench: the answer is late after 80 ms, given up after 100, and a call that has no connection after 10 is not sent. */
const LATE_MS = 80;
const PATIENCE_MS = 100;
const QUEUE_MS = 10;
const NETWORK_MS = 20;
/** One in twenty may take so long. */
const LONG_MS = 1_000;
const X = exchange('x');

interface Call {
  readonly due: number;
  readonly allowed: number;
  arrival: number;
}

function simulate({ load, connections, slower = 1 }: Simulated) {
  let [now, idle, turn, windowAt, seed] = [0, 0, 0, 0, 1];
  let closeWindow: () => void = () => undefined;
  let atEnd: (() => void)[] = [];
  const clock = { now: () => now, turn: () => turn };
  const every = (_ms: number, callback: () => void) => {
    closeWindow = callback;
    return () => undefined;
  };
  const admission = createAdmission({ workers: 1, loop: { ...clock, idle: () => idle, every } });
  const pace = createPace({ ...clock, atEnd: (callback) => void atEnd.push(callback) });
  const work = (cost: keyof typeof COSTS): void => {
    now += COSTS[cost] * slower;
  };
  const capacity = 1_000 / slower / (COSTS.head + COSTS.read + COSTS.decide);
  const random = (): number => {
    seed = (Math.imul(seed, 1_664_525) + 1_013_904_223) >>> 0;
    return (seed + 1) / 2 ** 32;
  };
  let nextDue = 0;
  let free = connections;
  const queued: Call[] = [];
  const sent: Call[] = [];
  let gathered: Call[] = [];
  const batches: { readonly at: number; readonly people: readonly Call[] }[] = [];
  const latencies: number[] = [];
  const counts = { good: 0, late: 0, shed: 0 };

  while (now < SECONDS * 1_000) {
    const before = now;
    takeTurn();
    turn++;
    if (now === before) wait();
    for (; now - windowAt >= 100; windowAt += 100) closeWindow();
  }
  latencies.sort((a, b) => a - b);
  const p99 = latencies[Math.floor(latencies.length * 0.99)] as number;
  return { ...counts, share: counts.good / SECONDS / capacity, p99 };

  function send(): void {
    for (; nextDue <= now; nextDue += (-Math.log(1 - random()) / (load * capacity)) * 1_000)
      queued.push({ due: nextDue, allowed: (random() < 0.05 ? LONG_MS : PATIENCE_MS) - NETWORK_MS, arrival: 0 });
    while (queued[0] !== undefined && now - queued[0].due > QUEUE_MS) queued.shift();
    for (; free > 0 && queued.length > 0; free--) sent.push(queued.shift() as Call);
  }

  function takeTurn(): void {
    send();
    for (const call of sent.splice(0)) {
      work('head');
      call.arrival = admission.arrivalNow();
      if (admission.refusalOf(X, call.arrival, pace.waiting) !== null) shed(call, 'refuse');
      else if (pace.hasTime()) read(call);
      else
        pace.later(() => {
          if (admission.isTooOld(X, call.arrival)) shed(call, 'turnAway');
          else read(call);
        });
    }
    while (batches[0] !== undefined && batches[0].at <= now) for (const call of batches.shift()?.people ?? []) decide(call);
    const ended = atEnd;
    atEnd = [];
    for (const callback of ended) callback();
    if (gathered.length === 0 || batches.length === MOST_BATCHES) return;
    batches.push({ at: now + REDIS_MS + REDIS_MS_A_PERSON * gathered.length, people: gathered });
    gathered = [];
  }

  function read(call: Call): void {
    admission.begin();
    work('read');
    admission.allowed(X.id, call.allowed);
    if (admission.canAnswerBy(call.arrival + call.allowed)) gathered.push(call);
    else {
      admission.end();
      shed(call, 'turnAway');
    }
  }

  function decide(call: Call): void {
    work('decide');
    admission.end();
    if (end(call)) counts.good++;
  }

  function shed(call: Call, cost: 'refuse' | 'turnAway'): void {
    work(cost);
    counts.shed++;
    end(call);
  }

  /** Whether it is in time. */
  function end({ due }: Call): boolean {
    free++;
    const ms = now - due;
    if (ms <= PATIENCE_MS) latencies.push(ms);
    if (ms > LATE_MS) counts.late++;
    return ms <= LATE_MS;
  }

  function wait(): void {
    const next = Math.min(now + 5, batches[0]?.at ?? Number.POSITIVE_INFINITY, Math.max(nextDue, now + 0.01));
    idle += next - now;
    now = next;
  }
}

describe('a worker that is sent three times what it can answer', () => {
  it('answers nine tenths of its capacity in time, and nobody late', () => {
    for (const connections of [128, 512]) {
      const { share, p99, late } = simulate({ load: 3, connections });
      expect(share).toBeGreaterThan(0.9);
      expect(p99).toBeLessThan(LATE_MS);
      expect(late).toBe(0);
    }
  });

  it('is on time on a machine half as fast too, and answers most of what it can', () => {
    const { share, p99, late } = simulate({ load: 3, connections: 512, slower: 2 });
    expect(share).toBeGreaterThan(0.6);
    expect(p99).toBeLessThan(LATE_MS);
    expect(late).toBeLessThan(10);
  });

  it('does not collapse where hundreds of connections more bring requests', () => {
    const { share, p99 } = simulate({ load: 3, connections: 2_048 });
    expect(share).toBeGreaterThan(0.3);
    expect(p99).toBeLessThan(LATE_MS);
  });
});

it('a worker that has time refuses nobody', () => {
  const { share, late, shed } = simulate({ load: 0.9, connections: 512 });
  expect(share).toBeGreaterThan(0.88);
  expect([late, shed]).toEqual([0, 0]);
});
