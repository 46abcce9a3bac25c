import type { Redis } from 'ioredis';
import { type Identifier, keyIdentifier } from '../proto/identifier.ts';
import { capsKey, profileKey } from '../proto/keys.ts';
import { decodeProfile } from '../proto/profile.ts';
import { NOBODY, type Person, UNREAD } from './core/person.ts';
import type { Metrics } from './metrics.ts';
import type { BidRequest } from './openrtb/request.ts';
import { createScript } from './redis.ts';

/** Who a request is about: profile and caps, read in one round trip for all requests of an event-loop tick. */
export interface Users {
  /**
   * The person behind the identifier keys, in the order in which they are tried. `unread` where the answer is not there by
   * `deadline` (monotonic ms). Never rejects.
   */
  read(identifiers: readonly string[], deadline: number): Promise<Person>;
}

/**
 * Keys of the identifiers by which a request names a person: the device's advertising id, then our own id, then the
 * exchange's.
 */
export function identifiersOf(request: BidRequest, exchange: string, pepper: string): string[] {
  const named: Identifier[] = [];
  if (request.device.ifa !== '') named.push({ kind: 'ifa', value: request.device.ifa });
  if (request.buyeruid !== '') named.push({ kind: 'cookie', value: request.buyeruid });
  if (request.userId !== '') named.push({ kind: 'exchange', value: `${exchange}:${request.userId}` });
  const keys: string[] = [];
  for (const identifier of named) {
    const key = keyIdentifier(identifier, pepper);
    if (key !== null) keys.push(key);
  }
  return keys;
}

interface Waiting {
  readonly identifiers: readonly string[];
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

  function read(identifiers: readonly string[], deadline: number): Promise<Person> {
    if (identifiers.length === 0) return Promise.resolve(NOBODY);
    return new Promise((resolve) => {
      const waiting = { identifiers, deadline, resolve, done: false };
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
      const counts = batch.map(({ identifiers }) => identifiers.length);
      const found = (await readPersons(keys, [profileKey(''), capsKey(''), ...counts])) as Found[];
      metrics.profileSeconds.observe((performance.now() - since) / 1000);
      batch.forEach((waiting, at) => {
        settle(waiting, personOf(waiting.identifiers, found[at] as Found));
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

function personOf(identifiers: readonly string[], [position, value, caps]: Found): Person {
  const identifier = identifiers[position - 1] as string;
  const profile = value === null ? null : decodeProfile(value);
  return {
    state: profile === null ? 'unknown' : 'known',
    identifier,
    anchor: profile?.anchor ?? identifier,
    segments: profile?.segments ?? [],
    caps: countsOf(caps),
  };
}

function countsOf(caps: readonly Buffer[]): Map<string, number> {
  const counts = new Map<string, number>();
  for (let at = 0; at + 1 < caps.length; at += 2) counts.set(String(caps[at]), Number(String(caps[at + 1])));
  return counts;
}
