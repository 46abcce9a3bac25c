import { describe, expect, it } from 'vitest';
import { createPace } from '../../bidder/pace.ts';

/** An event loop that a test turns. */
function testTurns() {
  let now = 0;
  let turn = 0;
  let atEnd: (() => void)[] = [];
  return {
    turns: { now: () => now, turn: () => turn, atEnd: (callback: () => void) => void atEnd.push(callback) },
    work: (ms: number) => {
      now += ms;
    },
    endTurn: () => {
      const called = atEnd;
      atEnd = [];
      for (const callback of called) callback();
      turn++;
    },
    isDone: () => atEnd.length === 0,
  };
}

describe('the pace of a worker', () => {
  const COST_MS = 0.25;

  /** So many requests of one moment; after how many ms each was taken, in their order. */
  function takeAll(count: number) {
    const { turns, work, endTurn, isDone } = testTurns();
    const pace = createPace(turns);
    const taken: number[] = [];
    const order: number[] = [];
    const take = (request: number) => {
      order.push(request);
      taken.push(turns.now());
      work(COST_MS);
    };
    for (let request = 0; request < count; request++)
      if (pace.hasTime()) take(request);
      else pace.later(() => take(request));
    let ends = 0;
    while (!isDone() || ends === 0) {
      endTurn();
      ends++;
    }
    expect(pace.waiting).toBe(0);
    expect(order).toEqual(Array.from({ length: count }, (_, request) => request));
    return { taken, ends };
  }

  it('takes a few requests where they come, without another turn', () => {
    expect(takeAll(8)).toMatchObject({ taken: Array.from({ length: 8 }, (_, at) => at * COST_MS), ends: 1 });
  });

  it('takes of many two milliseconds a turn, in their order, so that others are answered in between', () => {
    const { ends, taken } = takeAll(400);
    // Eight where they came, eight at the end of each turn.
    expect(ends).toBe(49);
    expect(taken.at(-1)).toBe(399 * COST_MS);
  });

  it('keeps the order of those that come while others wait', () => {
    const { turns, work, endTurn } = testTurns();
    const pace = createPace(turns);
    const order: string[] = [];
    expect(pace.hasTime()).toBe(true);
    work(2);
    expect(pace.hasTime()).toBe(false);
    pace.later(() => {
      order.push('a');
      work(3);
    });
    pace.later(() => order.push('b'));
    endTurn();
    expect([pace.waiting, pace.hasTime()]).toEqual([1, false]);
    pace.later(() => order.push('c'));
    endTurn();
    expect(order).toEqual(['a', 'b', 'c']);
    expect([pace.waiting, pace.hasTime()]).toEqual([0, true]);
  });
});
