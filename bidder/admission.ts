import type { LiveExchange } from '../proto/snapshot.ts';

/**
 * Which bid requests are considered at all. A worker has one core: what waits longer than its deadline allows is of no use to
 * anybody and takes the time from what could still be answered, so it is answered with no bid before it is read.
 *
 * - Each exchange may send `qps` requests a second, over all workers.
 * - A request is refused at once where its time in the queue, and the work that waits and is under way before it, leave no time for its own answer.
 * - While the event loop has no idle time the queue is kept short, and shorter for exchanges that bring less for a request: what waited too long is refused when its
 *   turn comes, and not before. A connection that waits brings nothing else meanwhile; with refusals at once an exchange that sends three times the capacity sent all of it, and to
 *   refuse took the time of two thirds of the answers.
 *
 * Times are monotonic ms.
 */
export interface Admission {
  /** When a request whose head has just been read may have reached the socket. */
  arrivalNow(): number;
  /** Null: it is considered. `waiting`: requests that wait before it and that nothing was done for. */
  refusalOf(exchange: LiveExchange, arrival: number, waiting?: number): Refusal | null;
  /** Whether one that waited is to be answered with no bid, now that its turn has come. */
  isTooOld(exchange: LiveExchange, arrival: number): boolean;
  /** Whether what is under way leaves time for an answer by then. */
  canAnswerBy(deadline: number): boolean;
  /** How long a request that was read might take, ms: what is told of the next before it is read. */
  allowed(exchange: string, ms: number): void;
  /** A request that was considered came too late all the same. */
  missed(): void;
  /** Around each request that is considered. */
  begin(): void;
  end(): void;
  /** What an exchange has billed, micros. */
  earned(exchange: string, micros: number): void;
  close(): void;
}

export type Refusal = 'time' | 'qps';

export interface AdmissionOptions {
  /** That share the exchanges' limits. */
  readonly workers: number;
  readonly loop?: EventLoop;
}

/** The event loop, as far as it can be watched. */
export interface EventLoop {
  now(): number;
  /** Ms since the start that it waited for events. */
  idle(): number;
  /** Number of the present turn. */
  turn(): number;
  /** Calls back every `ms`; returns what stops it. */
  every(ms: number, callback: () => void): () => void;
}

const REAL: EventLoop = {
  now: () => performance.now(),
  idle: () => performance.nodeTiming.idleTime,
  // 0.1 µs, where a callback at the end of each turn made the loop go round twice more for a request that came alone.
  turn: () => performance.nodeTiming.uvMetricsInfo.loopCount,
  every: (ms, callback) => {
    const timer = setInterval(callback, ms).unref();
    return () => clearInterval(timer);
  },
};

const WINDOW_MS = 100;
/** What is left of a deadline when an answer leaves: sockets, and what was not foreseen. */
const SAFETY_MS = 5;
/**
 * Of what an answer takes so much goes into a refusal (measured: 25 to 30 of 120 µs). A share, since on a machine that is slow both are: with 30 µs everywhere the rest of what
 * refusals took there was laid upon the few answers, which made these seem dearer, so that more was refused, until hardly anything was answered.
 */
const REFUSAL_SHARE = 0.25;
const LEAST_SERVICE_MS = 0.02;
const MOST_SERVICE_MS = 5;
/** Windows with fewer answers say little of what one costs. */
const FEWEST_ANSWERS = 10;
const SMOOTHING = 0.3;
/**
 * By how much what is expected of the next request goes down with one that may take less, and up with one that may take more: so it is what the lower third of
 * them may take. In the mean, one in twenty that may take a second made 125 ms of the 80 that all others have, and these were answered late.
 */
const LESS_ALLOWED = 0.99;
const MORE_ALLOWED = 1.005;
/** Share of the answers of a window that may come too late; then less is believed of what is expected, and more by and by. */
const MISSES = 0.02;
const LESS = 0.7;
const MORE = 0.05;
const LEAST_CONFIDENCE = 0.2;
/** Share of its time that a worker is busy when it is called overloaded. */
const BUSY = 0.9;
/**
 * Parts of the deadline that a request of the best exchange may wait for its turn, and one of that with the least value, while the worker has no idle time. A longer
 * queue answers no more of them, only later.
 */
const MOST_PATIENCE = 0.8;
const LEAST_PATIENCE = 0.45;
/** What an exchange brought counts half after 7 s. */
const FADING = 0.99;
/** An exchange's unused limit is kept this long. */
const BURST_SECONDS = 0.1;

interface Account {
  /** What its requests may take as a rule, ms; null: none has been read yet. */
  allowedMs: number | null;
  tokens: number;
  filledAt: number;
  /** Fading sums. */
  requests: number;
  earned: number;
  /** 0 … 1: how much it brings for a request, against the best. */
  standing: number;
}

export function createAdmission({ workers, loop = REAL }: AdmissionOptions): Admission {
  const accounts = new Map<string, Account>();
  let underWay = 0;
  /** What an answer takes, and what a request takes of those that are answered and those that are refused. */
  let serviceMs = 0.1;
  let eachMs = 0.1;
  let isBusy = false;
  // Of the present window.
  let windowAt = loop.now();
  let windowIdle = loop.idle();
  let answers = 0;
  let refusals = 0;
  let misses = 0;
  /** What refused requests and others take is not foreseen: a part of the time that there is, by what came of it. */
  let confidence = 1;
  // The latest turn of the event loop in which requests were read.
  let turn = -1;
  let turnIdle = 0;
  let turnAt = windowAt;
  let arrival = windowAt;
  const stop = loop.every(WINDOW_MS, closeWindow);
  return { arrivalNow, refusalOf, isTooOld, canAnswerBy, allowed, missed, begin, end, earned, close: stop };

  /**
   * Node does not tell when bytes came. Those that are read in the turn right after another one came while that was worked off: the
   * middle is taken. Otherwise the loop had nothing to do, and they came just now.
   */
  function arrivalNow(): number {
    const present = loop.turn();
    if (present === turn) return arrival;
    const [now, idle] = [loop.now(), loop.idle()];
    arrival = present === turn + 1 && idle === turnIdle ? (turnAt + now) / 2 : now;
    turn = present;
    turnIdle = idle;
    turnAt = now;
    return arrival;
  }

  function refusalOf(exchange: LiveExchange, arrivedAt: number, waiting = 0): Refusal | null {
    const account = accountOf(exchange.id);
    account.requests++;
    if (exchange.qps !== null && !takeToken(account, exchange.qps / workers)) return refuse('qps');
    // Simulated time does not wait.
    const before = underWay + waiting;
    if (exchange.simulated || before === 0 || account.allowedMs === null) return null;
    const expected = loop.now() - arrivedAt + (before + 1) * eachMs;
    return expected > (account.allowedMs - SAFETY_MS) * confidence ? refuse('time') : null;
  }

  function isTooOld({ id, simulated }: LiveExchange, arrivedAt: number): boolean {
    const { allowedMs, standing } = accountOf(id);
    if (simulated || allowedMs === null) return false;
    const patience = isBusy ? LEAST_PATIENCE + (MOST_PATIENCE - LEAST_PATIENCE) * standing : 1;
    const expected = loop.now() - arrivedAt + (underWay + 1) * serviceMs;
    if (expected <= (allowedMs - SAFETY_MS) * patience * confidence) return false;
    refuse('time');
    return true;
  }

  function refuse(refusal: Refusal): Refusal {
    refusals++;
    return refusal;
  }

  function takeToken(account: Account, rate: number): boolean {
    const now = loop.now();
    const most = Math.max(1, rate * BURST_SECONDS);
    account.tokens = Math.min(most, account.tokens + ((now - account.filledAt) / 1_000) * rate);
    account.filledAt = now;
    if (account.tokens < 1) return false;
    account.tokens--;
    return true;
  }

  /** Of the work under way about half is done: its requests have been read. */
  function canAnswerBy(deadline: number): boolean {
    return loop.now() + (underWay * serviceMs) / 2 < deadline;
  }

  function allowed(exchange: string, ms: number): void {
    const account = accountOf(exchange);
    const before = account.allowedMs ?? ms;
    account.allowedMs = ms < before ? Math.max(ms, before * LESS_ALLOWED) : Math.min(ms, before * MORE_ALLOWED);
  }

  function missed(): void {
    misses++;
  }

  function begin(): void {
    underWay++;
  }

  function end(): void {
    underWay--;
    answers++;
  }

  function earned(exchange: string, micros: number): void {
    accountOf(exchange).earned += micros;
  }

  function accountOf(exchange: string): Account {
    let account = accounts.get(exchange);
    if (account === undefined) {
      account = { allowedMs: null, tokens: 1, filledAt: loop.now(), requests: 0, earned: 0, standing: 1 };
      accounts.set(exchange, account);
    }
    return account;
  }

  function closeWindow(): void {
    const [now, idle] = [loop.now(), loop.idle()];
    const passed = now - windowAt;
    const busy = Math.max(0, passed - (idle - windowIdle));
    isBusy = busy > BUSY * passed;
    const served = answers + REFUSAL_SHARE * refusals;
    if (served >= FEWEST_ANSWERS) {
      serviceMs = smoothed(serviceMs, busy / served);
      eachMs = smoothed(eachMs, busy / (answers + refusals));
    }
    confidence = misses > MISSES * answers ? Math.max(LEAST_CONFIDENCE, confidence * LESS) : Math.min(1, confidence + MORE);
    [windowAt, windowIdle, answers, refusals, misses] = [now, idle, 0, 0, 0];
    rank();
  }

  function rank(): void {
    let best = 0;
    for (const account of accounts.values()) {
      account.requests *= FADING;
      account.earned *= FADING;
      best = Math.max(best, worthOf(account));
    }
    for (const account of accounts.values()) account.standing = best === 0 ? 1 : worthOf(account) / best;
  }
}

function smoothed(before: number, measured: number): number {
  return before + SMOOTHING * (Math.min(MOST_SERVICE_MS, Math.max(LEAST_SERVICE_MS, measured)) - before);
}

function worthOf({ earned, requests }: Account): number {
  return requests < 1 ? 0 : earned / requests;
}
