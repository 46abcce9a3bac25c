import type { Redis } from 'ioredis';
import { capsKey, profileKey } from '../proto/keys.ts';
import { createBreaker } from './breaker.ts';
import { type Person, UNREAD } from './core/person.ts';
import type { Metrics } from './metrics.ts';
import { foundAt, personOf } from './person-reply.ts';
import type { Permission } from './privacy.ts';
import { createScript } from './redis.ts';

/** People who are looked up in the store: all of an event-loop tick in one round trip. */
export interface Lookups {
  /** `UNREAD` where the answer is not there by the deadline. Never rejects. */
  find(wanted: Wanted): Promise<Person>;
}

export interface Wanted {
  /** Under which what is found is kept. */
  readonly key: string;
  readonly identifiers: readonly string[];
  readonly permission: Permission;
  /** Monotonic ms. */
  readonly deadline: number;
}

interface Waiting extends Wanted {
  readonly resolve: (person: Person) => void;
  done: boolean;
}

/** Requests that share a round trip. */
interface Batch {
  readonly people: readonly Waiting[];
  /** The earliest of them. */
  deadline: number;
  failed: boolean;
}

interface LookupOptions {
  /** Is given what was found: under its key the identifier that counts and the bytes from `start` to `end`. */
  readonly keep: (key: string, identifier: string, reply: Buffer, start: number, end: number, now: number) => void;
  /** See `APART_MS`. */
  readonly apartMs?: number;
}

/**
 * Round trips that may be under way. What comes meanwhile waits for one to end and goes as one, so under load batches grow in
 * place of their number.
 */
const MOST_BATCHES = 4;
/**
 * Batches of fewer than enough begin so far apart. A round trip for each request that comes alone made an answer at half of the capacity 1.5 times as dear as at
 * all of it, so that the worker was busy most of the time, and a disturbance of any kind held up requests for tens of milliseconds.
 */
const APART_MS = 1;
const ENOUGH = 8;
/** How often deadlines are looked at, while anybody waits: one timer for all, so a person is given up up to this much earlier. */
const SWEEP_MS = 5;
/** What is done for one who was given up. All who met a store that had just stopped are given up at the same moment, and the last must be in time. */
const ANSWER_MS = 0.05;
/**
 * So many do not wait for the end of the tick: of hundreds of requests that are read in one tick the first are looked up while the others
 * are decoded, and not when all are.
 */
const LARGE_BATCH = 32;
/** Batches that failed in a row, and how long nothing is asked for after. */
const FAILURES = 5;
const OPEN_MS = 500;

export function createLookups(redis: Redis, metrics: Metrics, { keep, apartMs = APART_MS }: LookupOptions): Lookups {
  const readPersons = createScript(redis, 'persons', { buffers: true });
  const breaker = createBreaker({
    failures: FAILURES,
    openMs: OPEN_MS,
    onChange: (state) => {
      metrics.profileBreaker.set(state === 'closed' ? 0 : 1);
      if (state === 'open') metrics.profileBreakerOpened.inc();
    },
  });
  // Not a Set: where it makes room its old table keeps who was in it and points to the new one, so from the first of them that is moved to the old generation on all are held until the next mark.
  let underWay: readonly Batch[] = [];
  let gathering: Waiting[] = [];
  let isSending = false;
  let pacer: NodeJS.Timeout | null = null;
  let sentAt = Number.NEGATIVE_INFINITY;
  let sweeper: NodeJS.Timeout | null = null;
  return { find };

  function find({ key, identifiers, permission, deadline }: Wanted): Promise<Person> {
    return new Promise((resolve) => {
      gathering.push({ key, identifiers, permission, deadline, resolve, done: false });
      sweepLater();
      sendLater();
    });
  }

  function sendLater(): void {
    if (underWay.length >= MOST_BATCHES) return;
    if (gathering.length >= LARGE_BATCH) sendGathered();
    if (isSending) return;
    if (gathering.length < ENOUGH && performance.now() - sentAt < apartMs) {
      pacer ??= setTimeout(sendPaced, apartMs);
      return;
    }
    if (pacer !== null) clearTimeout(pacer);
    pacer = null;
    isSending = true;
    setImmediate(sendNow);
  }

  function sendPaced(): void {
    pacer = null;
    sendGathered();
  }

  function sendNow(): void {
    isSending = false;
    sendGathered();
  }

  function sendGathered(): void {
    if (underWay.length >= MOST_BATCHES) return;
    const people = gathering.filter(({ done }) => !done);
    gathering = [];
    if (people.length === 0) return;
    const closed = redis.status !== 'ready' ? 'away' : breaker.allows(performance.now()) ? null : 'open';
    if (closed !== null) {
      giveUp(people, closed);
      return;
    }
    // A probe costs one person their profile, and not all who came at the same moment.
    if (breaker.state === 'half_open') giveUp(people.splice(1), 'open');
    const batch: Batch = { people, deadline: earliest(people), failed: false };
    underWay = [...underWay, batch];
    const since = performance.now();
    sentAt = since;
    ask(people).then(
      (reply) => {
        metrics.profileSeconds.observe((performance.now() - since) / 1000);
        // Whoever asked before has been given up meanwhile: it works again all the same.
        if (!batch.failed || breaker.state !== 'closed') breaker.succeeded();
        end(batch);
        take(people, reply);
      },
      () => {
        fail(batch);
        end(batch);
        giveUp(people, 'away');
      },
    );
  }

  function ask(people: readonly Waiting[]): Promise<Buffer> {
    let identifiers = '';
    let counts = '';
    for (const { identifiers: own, permission } of people) {
      for (const identifier of own) identifiers += identifier;
      counts += (permission.profile ? COUNTS : COUNTS_WITHOUT_PROFILE)[own.length];
    }
    return readPersons([], [PROFILE_PREFIX, CAPS_PREFIX, identifiers, counts]) as Promise<Buffer>;
  }

  function take(people: readonly Waiting[], reply: Buffer): void {
    const now = performance.now();
    let at = 0;
    for (const waiting of people) {
      const found = foundAt(reply, at);
      const identifier = waiting.identifiers[found.identifier] as string;
      keep(waiting.key, identifier, reply, at, found.end, now);
      at = found.end;
      settle(waiting, personOf(identifier, waiting.permission, found, metrics));
    }
  }

  function end(batch: Batch): void {
    underWay = underWay.filter((other) => other !== batch);
    if (gathering.length > 0) sendLater();
  }

  /** One failure a batch, whether it ends in an error or is never heard of again. */
  function fail(batch: Batch): void {
    if (batch.failed) return;
    batch.failed = true;
    breaker.failed(performance.now());
  }

  function sweepLater(): void {
    // After a turn that took long, replies may be there that nobody has read: they are read before anybody is given up.
    sweeper ??= setTimeout(() => void setImmediate(sweep), SWEEP_MS);
  }

  function sweep(): void {
    let waiting = gathering.length;
    for (const { people } of underWay) waiting += people.length;
    const due = performance.now() + SWEEP_MS + waiting * ANSWER_MS;
    // To the end of what there is by then: where one ends another may begin at once.
    for (let at = 0; at < underWay.length; at++) {
      const batch = underWay[at] as Batch;
      if (batch.deadline > due) continue;
      const late = batch.people.filter(({ done, deadline }) => !done && deadline <= due);
      if (late.length > 0) fail(batch);
      giveUp(late, 'timeout');
      batch.deadline = earliest(batch.people);
      // It may never come: others must not wait for its place. Should it come after all, it is taken.
      if (batch.deadline !== Number.POSITIVE_INFINITY) continue;
      end(batch);
      at--;
    }
    giveUp(
      gathering.filter(({ done, deadline }) => !done && deadline <= due),
      'timeout',
    );
    if (gathering.length > 0 && gathering.every(({ done }) => done)) gathering = [];
    if (gathering.length > 0 || underWay.length > 0) (sweeper as NodeJS.Timeout).refresh();
    else sweeper = null;
  }

  function giveUp(people: readonly Waiting[], cause: FailureCause): void {
    for (const waiting of people) if (settle(waiting, UNREAD)) metrics.profileFailures.inc({ cause });
  }
}

type FailureCause = 'timeout' | 'away' | 'open';

const PROFILE_PREFIX = profileKey('');
const CAPS_PREFIX = capsKey('');
/** By number of identifiers, as `lua/persons.lua` takes them. */
const COUNTS = '0123456789';
const COUNTS_WITHOUT_PROFILE = '`abcdefghi';

/** Infinity where all of them have been answered. */
function earliest(people: readonly Waiting[]): number {
  let least = Number.POSITIVE_INFINITY;
  for (const { done, deadline } of people) if (!done && deadline < least) least = deadline;
  return least;
}

function settle(waiting: Waiting, person: Person): boolean {
  if (waiting.done) return false;
  waiting.done = true;
  waiting.resolve(person);
  return true;
}
