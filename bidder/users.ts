import type { Redis } from 'ioredis';
import { type Identifier, identifierKey, keyIdentifier, normalizeIdentifier } from '../proto/identifier.ts';
import { capsKey, dayOf, profileKey } from '../proto/keys.ts';
import { anchorIn, isProfile } from '../proto/profile.ts';
import { NOBODY, type Person, UNREAD, WITHHELD } from './core/person.ts';
import type { Metrics } from './metrics.ts';
import type { BidRequest } from './openrtb/request.ts';
import type { Permission } from './privacy.ts';
import { createScript } from './redis.ts';

/** Who a request is about: profile and caps, read in one round trip for all requests of an event-loop tick. */
export interface Users {
  /**
   * The person behind the identifier keys, in the order in which they are tried. `unread` where the answer is not there by
   * `deadline` (monotonic ms). Of what `permission` does not allow nothing is asked for: without `profile` the impressions are
   * counted, and nothing else is known. Never rejects.
   */
  read(identifiers: readonly string[], permission: Permission, deadline: number): Promise<Person>;
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
    if (key !== null) keys.push(key);
  }
  return keys;
}

/** A key that nothing else is kept under, and that is another one tomorrow. */
function dayKeys({ kind, value }: Identifier, pepper: string, now: number): string[] {
  const normalized = normalizeIdentifier(kind, value);
  return normalized === null ? [] : [identifierKey(kind, `${normalized}\n${dayOf(now)}`, pepper)];
}

interface Waiting {
  readonly identifiers: readonly string[];
  readonly permission: Permission;
  readonly deadline: number;
  readonly resolve: (person: Person) => void;
  done: boolean;
}

/** Reply of `lua/persons.lua` for one person. */
type Found = [position: number, profile: Buffer | null, caps: Buffer[]];

/** Batches that may be under way: more means that Redis hangs, and asking on would only fill the memory. */
const MOST_BATCHES = 64;

export function createUsers(redis: Redis, metrics: Metrics): Users {
  const readPersons = createScript(redis, 'persons', { buffers: true });
  let gathering: Waiting[] | null = null;
  let underWay = 0;
  return { read };

  function read(identifiers: readonly string[], permission: Permission, deadline: number): Promise<Person> {
    if (permission.caps === null && !permission.profile) return Promise.resolve(WITHHELD);
    if (identifiers.length === 0) return Promise.resolve(permission.profile ? NOBODY : WITHHELD);
    return new Promise((resolve) => {
      const waiting = { identifiers, permission, deadline, resolve, done: false };
      if (gathering !== null) gathering.push(waiting);
      else {
        gathering = [waiting];
        setImmediate(sendGathered);
      }
    });
  }

  function sendGathered(): void {
    const batch = gathering ?? [];
    gathering = null;
    void send(batch);
  }

  async function send(batch: readonly Waiting[]): Promise<void> {
    if (redis.status !== 'ready') return giveUp(batch, 'away');
    if (underWay >= MOST_BATCHES) return giveUp(batch, 'overload');
    const timer = watch(batch);
    const since = performance.now();
    underWay++;
    try {
      const keys = batch.flatMap(({ identifiers }) => identifiers.map(profileKey));
      const counts = batch.map(({ identifiers, permission }) => (permission.profile ? identifiers.length : -identifiers.length));
      const found = (await readPersons(keys, [profileKey(''), capsKey(''), ...counts])) as Found[];
      metrics.profileSeconds.observe((performance.now() - since) / 1000);
      batch.forEach((waiting, at) => {
        settle(waiting, personOf(waiting, found[at] as Found));
      });
    } catch {
      giveUp(batch, 'away');
    } finally {
      underWay--;
      timer.stop();
    }
  }

  /** Gives up on each request at its deadline, the earliest first, with one timer. */
  function watch(batch: readonly Waiting[]): { stop(): void } {
    let timer: NodeJS.Timeout | undefined;
    const arm = (): void => {
      const now = performance.now();
      giveUp(
        batch.filter(({ deadline }) => deadline <= now),
        'timeout',
      );
      const open = batch.filter(({ done }) => !done);
      if (open.length === 0) return;
      timer = setTimeout(arm, Math.max(1, Math.min(...open.map(({ deadline }) => deadline)) - now));
    };
    arm();
    return { stop: () => clearTimeout(timer) };
  }

  function giveUp(batch: readonly Waiting[], cause: 'timeout' | 'away' | 'overload'): void {
    for (const waiting of batch) if (settle(waiting, UNREAD)) metrics.profileFailures.inc({ cause });
  }
}

function settle(waiting: Waiting, person: Person): boolean {
  if (waiting.done) return false;
  waiting.done = true;
  waiting.resolve(person);
  return true;
}

function personOf({ identifiers, permission }: Waiting, [position, value, counts]: Found): Person {
  const key = identifiers[position - 1] as string;
  const identifier = permission.identifiers ? key : '';
  const caps = countsOf(counts);
  if (!permission.profile) return { state: 'counted', identifier, anchor: key, memberships: [], caps };
  if (value === null || !isProfile(value)) return { state: 'unknown', identifier, anchor: key, memberships: [], caps };
  return { state: 'known', identifier, anchor: anchorIn(value), memberships: [value], caps };
}

function countsOf(caps: readonly Buffer[]): Map<string, number> {
  const counts = new Map<string, number>();
  for (let at = 0; at + 1 < caps.length; at += 2) counts.set(String(caps[at]), Number(String(caps[at + 1])));
  return counts;
}
