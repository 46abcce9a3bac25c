/**
 * Work of which a turn of the event loop takes a slice. Of hundreds of requests that are there at once the first are answered while the last still wait; where one
 * turn reads all of them and the next answers all, what comes in between waits for both, unseen, and twice as long as there is work. What waits here is
 * counted, and its age is known.
 */
export interface Pace {
  /** Whether the turn has time for one more now: nothing waits, and the slice is not over. */
  hasTime(): boolean;
  /** Does it in one of the next turns, in the order in which it came. */
  later(work: () => void): void;
  readonly waiting: number;
}

/** The event loop, as far as it concerns us. */
export interface Turns {
  now(): number;
  /** Number of the present turn. */
  turn(): number;
  /** Calls back at the end of the present turn, once sockets were read. */
  atEnd(callback: () => void): void;
}

const REAL: Turns = {
  now: () => performance.now(),
  turn: () => performance.nodeTiming.uvMetricsInfo.loopCount,
  atEnd: (callback) => void setImmediate(callback),
};

/** Some fifty requests are read in it. */
const SLICE_MS = 2;
/** What was done is forgotten when it is so much. */
const MOST_DONE = 1_024;

export function createPace(turns: Turns = REAL): Pace {
  let works: (() => void)[] = [];
  /** Of these so many are done. */
  let done = 0;
  let turn = -1;
  let until = 0;
  return {
    hasTime,
    later,
    get waiting() {
      return works.length - done;
    },
  };

  function hasTime(): boolean {
    if (works.length > 0) return false;
    const present = turns.turn();
    if (present === turn) return turns.now() < until;
    turn = present;
    until = turns.now() + SLICE_MS;
    return true;
  }

  function later(work: () => void): void {
    works.push(work);
    if (works.length === 1) turns.atEnd(goOn);
  }

  function goOn(): void {
    until = turns.now() + SLICE_MS;
    do (works[done++] as () => void)();
    while (done < works.length && turns.now() < until);
    if (done === works.length) {
      works = [];
      done = 0;
      return;
    }
    if (done >= MOST_DONE) {
      works = works.slice(done);
      done = 0;
    }
    turns.atEnd(goOn);
  }
}
