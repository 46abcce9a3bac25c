import type { Redis } from 'ioredis';
import { dayOf, NAMED_REQUESTS_MEMORY_S, namedRequestsKey } from '../proto/keys.ts';
import type { Person } from './core/person.ts';
import type { Metrics } from './metrics.ts';
import type { BidRequest } from './openrtb/request.ts';

/** Counts requests about somebody who may be named, and how many of these are about somebody we know: the match rate of an exchange. */
export interface MatchCounts {
  /** `now`: epoch ms. */
  count(exchange: string, request: Pick<BidRequest, 'buyeruid' | 'test'>, person: Person, now: number): void;
  /** Writes now what is counted; what cannot be written is kept. */
  flush(): Promise<void>;
  close(): Promise<void>;
}

interface Counted {
  named: number;
  matched: number;
}

const FLUSH_MS = 2_000;
const DAY_MS = 86_400_000;

/** Bounded by the exchanges of the snapshot and the days that are not written yet. */
export function createMatchCounts(redis: Redis, metrics: Pick<Metrics, 'namedRequests'>, flushMs = FLUSH_MS): MatchCounts {
  let counted = new Map<string, Map<string, Counted>>();
  // A date is made once a day and not at each request.
  let number = Number.NaN;
  let day = '';
  const timer = setInterval(() => void flush(), flushMs);
  timer.unref();
  return { count, flush, close };

  /** Matched: the exchange sends our own id, or the person has a profile under one of theirs. */
  function count(exchange: string, { buyeruid, test }: Pick<BidRequest, 'buyeruid' | 'test'>, person: Person, now: number): void {
    if (test || person.identifier === '') return;
    const isMatched = buyeruid !== '' || person.state === 'known';
    const row = rowOf(today(now), exchange);
    row.named++;
    if (isMatched) row.matched++;
    metrics.namedRequests.add(exchange, isMatched ? 'yes' : 'no');
  }

  function today(now: number): string {
    const at = Math.floor(now / DAY_MS);
    if (at !== number) [number, day] = [at, dayOf(now)];
    return day;
  }

  function rowOf(of: string, exchange: string): Counted {
    const known = counted.get(of)?.get(exchange);
    if (known !== undefined) return known;
    const row = { named: 0, matched: 0 };
    const rows = counted.get(of) ?? new Map<string, Counted>();
    counted.set(of, rows.set(exchange, row));
    return row;
  }

  async function flush(): Promise<void> {
    const days = counted;
    if (days.size === 0) return;
    counted = new Map();
    const writing = redis.multi();
    for (const [of, rows] of days) {
      const key = namedRequestsKey(of);
      for (const [exchange, { named, matched }] of rows) {
        writing.hincrby(key, `${exchange}:named`, named);
        writing.hincrby(key, `${exchange}:matched`, matched);
      }
      writing.expire(key, NAMED_REQUESTS_MEMORY_S);
    }
    try {
      await writing.exec();
    } catch {
      keep(days);
    }
  }

  function keep(days: typeof counted): void {
    for (const [of, rows] of days)
      for (const [exchange, { named, matched }] of rows) {
        const row = rowOf(of, exchange);
        row.named += named;
        row.matched += matched;
      }
  }

  async function close(): Promise<void> {
    clearInterval(timer);
    await flush();
  }
}
