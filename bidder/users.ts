import type { Redis } from 'ioredis';
import type { Changed } from './changed.ts';
import { NOBODY, type Person, UNREAD, WITHHELD } from './core/person.ts';
import { createLookups } from './lookups.ts';
import type { Metrics } from './metrics.ts';
import type { BidRequest } from './openrtb/request.ts';
import { createPersonCache } from './person-cache.ts';
import { identifiersOf, memoryKeyOf } from './person-keys.ts';
import { foundAt, personOf } from './person-reply.ts';
import type { Permission } from './privacy.ts';

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

interface UsersOptions {
  /** How long a person is known without being read again, ms; see `person-cache`. 0: not at all. */
  readonly cacheMs?: number;
  /** Of whom what is known from before is too old. */
  readonly changed?: Changed;
  /** Batches of few people begin so far apart, ms; see `lookups`. */
  readonly apartMs?: number;
}

const CACHED_PEOPLE = 20_000;
/** A key, as text. */
const IDENTIFIER_BYTES = 36;

export function createUsers(redis: Redis, metrics: Metrics, { cacheMs = 1_000, changed, apartMs }: UsersOptions = {}): Users {
  const cache = createPersonCache({ lifeMs: cacheMs, most: CACHED_PEOPLE });
  const lookups = createLookups(redis, metrics, { keep: cache.set, ...(apartMs === undefined ? {} : { apartMs }) });
  return { read };

  function read(request: BidRequest, { exchange, pepper, permission, now, deadline }: Asking): Person | Promise<Person> {
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
    if (redis.status !== 'ready') {
      metrics.profileFailures.inc({ cause: 'away' });
      return UNREAD;
    }
    metrics.profileCache.add('miss');
    return lookups.find({ key, identifiers, permission, deadline });
  }
}
