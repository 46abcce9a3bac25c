import { describe, expect, it } from 'vitest';
import { type Admission, createAdmission, type EventLoop } from '../../bidder/admission.ts';
import { exchange } from './support/live.ts';

/** An event loop that a test turns. */
function testLoop() {
  let now = 1_000;
  let idle = 0;
  let turn = 1;
  let everyWindow: () => void = () => undefined;
  const loop: EventLoop = {
    now: () => now,
    idle: () => idle,
    turn: () => turn,
    every: (_ms, callback) => {
      everyWindow = callback;
      return () => undefined;
    },
  };
  return {
    loop,
    work: (ms: number) => {
      now += ms;
    },
    wait: (ms: number) => {
      now += ms;
      idle += ms;
    },
    endTurn: () => {
      turn++;
    },
    closeWindow: () => everyWindow(),
  };
}

const X = exchange('x');

/** Answers requests of `ms` each until a window is over: afterwards an answer is known to cost that. */
function learn(admission: Admission, turns: ReturnType<typeof testLoop>, ms: number): void {
  for (let window = 0; window < 30; window++) {
    for (let spent = 0; spent < 100; spent += ms) {
      admission.begin();
      turns.work(ms);
      admission.end();
    }
    turns.closeWindow();
  }
}

describe('the arrival of a request', () => {
  it('is now, where the loop had nothing to do', () => {
    const turns = testLoop();
    const admission = createAdmission({ workers: 1, loop: turns.loop });
    expect(admission.arrivalNow()).toBe(1_000);
    turns.work(4);
    expect(admission.arrivalNow()).toBe(1_000);
    turns.endTurn();
    turns.endTurn();
    turns.work(50);
    expect(admission.arrivalNow()).toBe(1_054);
  });

  it('is the middle of the turn in which it waited, where one follows another', () => {
    const turns = testLoop();
    const admission = createAdmission({ workers: 1, loop: turns.loop });
    for (const at of [1_000, 1_010, 1_030]) {
      expect(admission.arrivalNow()).toBe(at);
      turns.work(20);
      turns.endTurn();
    }
    turns.endTurn();
    expect(admission.arrivalNow()).toBe(1_060);
  });

  it('is now, where the loop has waited since', () => {
    const turns = testLoop();
    const admission = createAdmission({ workers: 1, loop: turns.loop });
    admission.arrivalNow();
    turns.work(20);
    turns.endTurn();
    turns.wait(5);
    expect(admission.arrivalNow()).toBe(1_025);
  });
});

describe('a request', () => {
  it('is refused where what is under way leaves no time for it', () => {
    const turns = testLoop();
    const admission = createAdmission({ workers: 1, loop: turns.loop });
    learn(admission, turns, 1);
    // It had nothing to do for a while.
    turns.wait(100);
    turns.closeWindow();
    admission.allowed('x', 80);
    const arrival = turns.loop.now();
    let taken = 0;
    while (admission.refusalOf(X, arrival) === null && taken < 1_000) {
      admission.begin();
      taken++;
    }
    // 75 ms at 1 ms each.
    expect(taken).toBeGreaterThan(70);
    expect(taken).toBeLessThan(76);
    expect(admission.canAnswerBy(arrival + 80)).toBe(true);
    expect(admission.canAnswerBy(arrival + 30)).toBe(false);
  });

  it('is refused where it has waited too long already, but for the only one', () => {
    const turns = testLoop();
    const admission = createAdmission({ workers: 1, loop: turns.loop });
    expect(admission.refusalOf(X, turns.loop.now() - 90)).toBeNull();
    admission.begin();
    expect(admission.refusalOf(X, turns.loop.now() - 90), 'nothing is known of its tmax').toBeNull();
    admission.allowed('x', 80);
    expect(admission.refusalOf(X, turns.loop.now() - 90)).toBe('time');
    expect(admission.refusalOf(X, turns.loop.now() - 10)).toBeNull();
    expect(admission.refusalOf({ ...X, simulated: true }, turns.loop.now() - 90)).toBeNull();
  });

  it('is refused for those who wait before it, too', () => {
    const turns = testLoop();
    const admission = createAdmission({ workers: 1, loop: turns.loop });
    learn(admission, turns, 1);
    turns.wait(100);
    turns.closeWindow();
    admission.allowed('x', 80);
    expect(admission.refusalOf(X, turns.loop.now(), 60)).toBeNull();
    expect(admission.refusalOf(X, turns.loop.now(), 80)).toBe('time');
  });

  it('is too old at its turn where nobody could answer it in time any more', () => {
    const turns = testLoop();
    const admission = createAdmission({ workers: 1, loop: turns.loop });
    expect(admission.isTooOld(X, turns.loop.now() - 500), 'nothing is known of its tmax').toBe(false);
    admission.allowed('x', 80);
    expect(admission.isTooOld(X, turns.loop.now() - 70)).toBe(false);
    expect(admission.isTooOld(X, turns.loop.now() - 75)).toBe(true);
    expect(admission.isTooOld({ ...X, simulated: true }, turns.loop.now() - 75)).toBe(false);
  });

  it('does not seem dear because refusing many others takes long on a slow machine', () => {
    const turns = testLoop();
    const admission = createAdmission({ workers: 1, loop: turns.loop });
    learn(admission, turns, 0.4);
    admission.allowed('x', 80);
    for (let window = 0; window < 50; window++) {
      for (let answer = 0; answer < 20; answer++) {
        admission.begin();
        turns.work(0.4);
        admission.end();
      }
      for (let refusal = 0; refusal < 766; refusal++) {
        admission.isTooOld(X, turns.loop.now() - 90);
        turns.work(0.12);
      }
      turns.closeWindow();
    }
    for (let begun = 0; begun < 100; begun++) admission.begin();
    expect(admission.canAnswerBy(turns.loop.now() + 40)).toBe(true);
  });

  it('may wait less for a while where others came too late', () => {
    const turns = testLoop();
    const admission = createAdmission({ workers: 1, loop: turns.loop });
    admission.allowed('x', 80);
    admission.begin();
    const after60 = () => admission.refusalOf(X, turns.loop.now() - 60);
    expect(after60()).toBeNull();
    admission.missed();
    turns.wait(100);
    turns.closeWindow();
    expect(after60()).toBe('time');
    for (let window = 0; window < 6; window++) turns.closeWindow();
    expect(after60()).toBeNull();
  });

  it('waits less while the worker has no idle time, and least of an exchange that brings less', () => {
    const turns = testLoop();
    const admission = createAdmission({ workers: 1, loop: turns.loop });
    const Y = exchange('y');
    for (const { id } of [X, Y]) admission.allowed(id, 80);
    for (const each of [X, Y]) for (let i = 0; i < 10; i++) admission.refusalOf(each, turns.loop.now());
    admission.earned('x', 1_000);
    admission.begin();
    turns.wait(100);
    turns.closeWindow();
    const tooOld = (ms: number) => [X, Y].map((each) => admission.isTooOld(each, turns.loop.now() - ms));
    expect(tooOld(65)).toEqual([false, false]);
    turns.work(100);
    turns.closeWindow();
    expect(tooOld(25)).toEqual([false, false]);
    expect(tooOld(45)).toEqual([false, true]);
    expect(tooOld(65)).toEqual([true, true]);
    expect(admission.refusalOf(Y, turns.loop.now() - 65), 'it may be in time yet').toBeNull();
  });

  it('may take what most of its exchange do: a few that may take a second say nothing of the others', () => {
    const turns = testLoop();
    const admission = createAdmission({ workers: 1, loop: turns.loop });
    for (let n = 0; n < 2_000; n++) admission.allowed('x', n % 20 === 0 ? 980 : 80);
    admission.begin();
    const waited = (ms: number) => admission.refusalOf(X, turns.loop.now() - ms);
    expect(waited(72)).toBeNull();
    expect(waited(80)).toBe('time');
    // It has another rule from now on.
    for (let n = 0; n < 1_000; n++) admission.allowed('x', 200);
    expect(waited(150)).toBeNull();
  });
});

describe('the limit of an exchange', () => {
  it('is shared by the workers, and evened out over a tenth of a second', () => {
    const turns = testLoop();
    const admission = createAdmission({ workers: 4, loop: turns.loop });
    const limited = exchange('x', { qps: 400 });
    const taken = { steady: 0, burst: 0 };
    for (let ms = 0; ms < 1_000; ms++) {
      turns.wait(1);
      if (admission.refusalOf(limited, turns.loop.now()) === null) taken.steady++;
    }
    expect(taken.steady).toBeGreaterThan(95);
    expect(taken.steady).toBeLessThan(112);
    turns.wait(10_000);
    for (let i = 0; i < 100; i++) if (admission.refusalOf(limited, turns.loop.now()) === null) taken.burst++;
    expect(taken.burst).toBe(10);
  });

  it('of less than one a second for each worker still lets one through now and then', () => {
    const turns = testLoop();
    const admission = createAdmission({ workers: 10, loop: turns.loop });
    let taken = 0;
    for (let second = 0; second < 100; second++) {
      turns.wait(1_000);
      if (admission.refusalOf(exchange('x', { qps: 1 }), turns.loop.now()) === null) taken++;
    }
    expect(taken).toBeGreaterThanOrEqual(10);
    expect(taken).toBeLessThan(13);
  });
});
