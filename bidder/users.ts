import type { Redis } from 'ioredis';
import { type Identifier, identifierKey, keyIdentifier, normalizeIdentifier } from '../proto/identifier.ts';
import { capsKey, dayOf, profileKey } from '../proto/keys.ts';
import { olderPeppers } from '../proto/pepper.ts';
import { anchorIn, isOptedOut, isProfile } from '../proto/profile.ts';
import { createBreaker } from './breaker.ts';
import type { Changed } from './changed.ts';
import { NOBODY, type Person, UNREAD, WITHHELD } from './core/person.ts';
import type { Metrics } from './metrics.ts';
import type { BidRequest } from './openrtb/request.ts';
import { createPersonCache } from './person-cache.ts';
import type { Permission } from './privacy.ts';
import { createScript } from './redis.ts';

/** Who a request is about: profile and caps, read in one round trip for all requests of an event-loop tick. */
export interface Users {
  /**
   * The person whom a request names; at once where nobody needs to be asked. `unread` where the answer is not there by `deadline`
   * (monotonic ms). Of what `permission` does not allow nothing is asked for: without `profile` the impressions are counted, and
   * nothing else is known. Never rejects.
   */
  read(request: BidRequest, asking: Asking): Person | Promise<Person>;
}

export interface Asking {
  readonly exchange: string;
  readonly pepper: string;
  readonly permission: Permission;
  /** Epoch ms of the request. */
  readonly now: number;
  /** Monotonic ms. */
  readonly deadline: number;
}

/**
 * Keys of the identifiers under which a request's person may be looked up: the device's advertising id, then our own id, then the
 * exchange's; as far as the permission goes.
 */
export function identifiersOf(
  { device, buyeruid, userId }: BidRequest,
  exchange: string,
  pepper: string,
  { caps }: Permission,
  now: number,
): string[] {
  if (caps === null) return [];
  const ours: Identifier = { kind: 'cookie', value: buyeruid };
  const theirs: Identifier = { kind: 'exchange', value: `${exchange}:${userId}` };
  if (caps === 'own') return keysOf([ours], pepper);
  if (caps === 'day') return dayKeys(theirs, pepper, now);
  return keysOf([{ kind: 'ifa', value: device.ifa }, ours, theirs], pepper);
}

function keysOf(identifiers: readonly Identifier[], pepper: string): string[] {
  const keys: string[] = [];
  for (const identifier of identifiers) {
    const key = identifier.value === '' ? null : keyIdentifier(identifier, pepper);
    if (key === null) continue;
    addOlder(keys, pepper, (older) => keyIdentifier(identifier, older));
    keys.push(key);
  }
  return keys;
}

/**
 * Keys under peppers that are still honoured, the oldest first: whom nobody knows stays in the holdout bucket and keeps the caps that
 * hang on the first key.
 */
function addOlder(keys: string[], pepper: string, keyOf: (older: string) => string | null): void {
  const older = olderPeppers(pepper);
  for (let at = older.length - 1; at >= 0; at--) {
    const key = keyOf(older[at] as string);
    if (key !== null) keys.push(key);
  }
}

/** A key that nothing else is kept under, and that is another one tomorrow. */
function dayKeys({ kind, value }: Identifier, pepper: string, now: number): string[] {
  const normalized = normalizeIdentifier(kind, value);
  if (normalized === null) return [];
  const today = `${normalized}\n${dayOf(now)}`;
  const keys: string[] = [];
  addOlder(keys, pepper, (older) => identifierKey(kind, today, older));
  keys.push(identifierKey(kind, today, pepper));
  return keys;
}

interface Waiting {
  readonly key: string;
  readonly identifiers: readonly string[];
  readonly permission: Permission;
  readonly deadline: number;
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

interface UsersOptions {
  /** How long a person is known without being read again, ms; see `person-cache`. 0: not at all. */
  readonly cacheMs?: number;
  /** Of whom what is known from before is too old. */
  readonly changed?: Changed;
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
const CACHED_PEOPLE = 20_000;
/** Batches that failed in a row, and how long nothing is asked for after. */
const FAILURES = 5;
const OPEN_MS = 500;

export function createUsers(
  redis: Redis,
  metrics: Metrics,
  { cacheMs = 1_000, changed, apartMs = APART_MS }: UsersOptions = {},
): Users {
  const readPersons = createScript(redis, 'persons', { buffers: true });
  const cache = createPersonCache({ lifeMs: cacheMs, most: CACHED_PEOPLE });
  const breaker = createBreaker({
    failures: FAILURES,
    openMs: OPEN_MS,
    onChange: (state) => {
      metrics.profileBreaker.set(state === 'closed' ? 0 : 1);
      if (state === 'open') metrics.profileBreakerOpened.inc();
    },
  });
  const underWay = new Set<Batch>();
  let gathering: Waiting[] = [];
  let isSending = false;
  let pacer: NodeJS.Timeout | null = null;
  let sentAt = Number.NEGATIVE_INFINITY;
  let sweeper: NodeJS.Timeout | null = null;
  return { read };

  function read(request: BidRequest, asking: Asking): Person | Promise<Person> {
    const { exchange, pepper, permission, now, deadline } = asking;
    if (permission.caps === null) return permission.profile ? NOBODY : WITHHELD;
    const key = memoryKeyOf(request, exchange, permission, now);
    const known = cache.get(key, performance.now());
    const identifier = known?.toString('latin1', 0, IDENTIFIER_BYTES) ?? '';
    if (known !== null && changed?.has(identifier) !== true) {
      metrics.profileCache.add('hit');
      return personOf(identifier, permission, foundAt(known, IDENTIFIER_BYTES), null);
    }
    const identifiers = identifiersOf(request, exchange, pepper, permission, now);
    if (identifiers.length === 0) return permission.profile ? NOBODY : WITHHELD;
    if (redis.status !== 'ready') return unread('away');
    metrics.profileCache.add('miss');
    return new Promise((resolve) => {
      gathering.push({ key, identifiers, permission, deadline, resolve, done: false });
      sweepLater();
      sendLater();
    });
  }

  function unread(cause: FailureCause): Person {
    metrics.profileFailures.inc({ cause });
    return UNREAD;
  }

  function sendLater(): void {
    if (underWay.size >= MOST_BATCHES) return;
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
    if (underWay.size >= MOST_BATCHES) return;
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
    underWay.add(batch);
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
      cache.set(waiting.key, identifier, reply, at, found.end, now);
      at = found.end;
      settle(waiting, personOf(identifier, waiting.permission, found, metrics));
    }
  }

  function end(batch: Batch): void {
    underWay.delete(batch);
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
    for (const batch of underWay) {
      if (batch.deadline > due) continue;
      const late = batch.people.filter(({ done, deadline }) => !done && deadline <= due);
      if (late.length > 0) fail(batch);
      giveUp(late, 'timeout');
      batch.deadline = earliest(batch.people);
      // It may never come: others must not wait for its place. Should it come after all, it is taken.
      if (batch.deadline === Number.POSITIVE_INFINITY) end(batch);
    }
    giveUp(
      gathering.filter(({ done, deadline }) => !done && deadline <= due),
      'timeout',
    );
    if (gathering.length > 0 && gathering.every(({ done }) => done)) gathering = [];
    if (gathering.length > 0 || underWay.size > 0) (sweeper as NodeJS.Timeout).refresh();
    else sweeper = null;
  }

  function giveUp(people: readonly Waiting[], cause: FailureCause): void {
    for (const waiting of people) if (settle(waiting, UNREAD)) metrics.profileFailures.inc({ cause });
  }
}

/** What the person depends on, before any key is made of it: who is known already costs no HMAC. */
function memoryKeyOf({ device, buyeruid, userId }: BidRequest, exchange: string, permission: Permission, now: number): string {
  const { caps, profile, identifiers } = permission;
  const rights = `${caps === 'day' ? Math.floor(now / DAY_MS) : caps}${profile ? 'p' : ''}${identifiers ? 'i' : ''}`;
  return `${rights}\n${exchange}\n${device.ifa}\n${buyeruid}\n${userId}`;
}

type FailureCause = 'timeout' | 'away' | 'open';

const DAY_MS = 86_400_000;
/** A key, as text. */
const IDENTIFIER_BYTES = 36;
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

/** What the store told of one person. */
interface Found {
  /** Which of the identifiers counts. */
  readonly identifier: number;
  readonly profiles: readonly Buffer[];
  readonly caps: ReadonlyMap<string, number>;
  /** Where the next person begins. */
  readonly end: number;
}

const NO_CAPS: ReadonlyMap<string, number> = new Map();

/** Reads one person out of the reply of `lua/persons.lua`. */
function foundAt(reply: Buffer, start: number): Found {
  const identifier = (reply[start] as number) - 1;
  const profiles: Buffer[] = [];
  let at = start + 4;
  for (let left = reply[start + 1] as number; left > 0; left--) {
    const length = reply.readUInt32LE(at);
    profiles.push(reply.subarray(at + 4, at + 4 + length));
    at += 4 + length;
  }
  const fields = reply.readUInt16LE(start + 2);
  if (fields === 0) return { identifier, profiles, caps: NO_CAPS, end: at };
  const caps = new Map<string, number>();
  for (let left = fields; left > 0; left--) {
    const fieldEnd = at + 1 + (reply[at] as number);
    const end = fieldEnd + 1 + (reply[fieldEnd] as number);
    const field = reply.toString('utf8', at + 1, fieldEnd);
    caps.set(field, (caps.get(field) ?? 0) + Number(reply.toString('latin1', fieldEnd + 1, end)));
    at = end;
  }
  return { identifier, profiles, caps, end: at };
}

/** @param metrics null: it was counted when it was read */
function personOf(key: string, permission: Permission, { profiles, caps }: Found, metrics: Metrics | null): Person {
  const identifier = permission.identifiers ? key : '';
  if (!permission.profile) return { state: 'counted', identifier, anchor: key, memberships: [], caps };
  const memberships = profiles.filter(isProfile);
  if (memberships.length < profiles.length) metrics?.profileCorrupt.inc(profiles.length - memberships.length);
  const [first] = memberships;
  if (first === undefined) return { state: 'unknown', identifier, anchor: key, memberships, caps };
  if (memberships.some(isOptedOut)) return WITHHELD;
  return { state: 'known', identifier, anchor: anchorIn(first), memberships, caps };
}
