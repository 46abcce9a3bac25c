import type { Redis } from 'ioredis';
import type { Logger } from 'pino';
import { Registry } from 'prom-client';
import type { DebugAnswer, DebugBid, DebugQuestion } from '../../proto/debug.ts';
import type { Consents } from '../../proto/privacy/permission.ts';
import { type Index, twinOf } from '../core/index.ts';
import type { EncodeOptions } from '../encode.ts';
import { createMetrics } from '../metrics.ts';
import { createUsers } from '../users.ts';
import { createBudgetsLeft } from './budgets-left.ts';
import { createCounts } from './counts.ts';
import { debugBid } from './debug-bid.ts';
import { createPersonOf } from './person-of.ts';
import type { RequestSample } from './sample.ts';

export interface DebuggerDeps {
  readonly current: () => Index | null;
  /** Not the connection that auctions read by. */
  readonly redis: Redis;
  readonly pepper: string;
  readonly consents: Consents;
  readonly encode: Omit<EncodeOptions, 'noticeSecret'>;
  readonly sample: RequestSample;
  readonly log: Logger;
}

/** Answers what operators and marketers ask of a worker. Auctions go first, and see nothing of it. */
export interface Debugger {
  /** To be told of every index that is served from now on. */
  swapped(index: Index): void;
  /** Never rejects. */
  answer(question: DebugQuestion): Promise<DebugReply>;
}

/** An answer, or why there is none: nobody serves this exchange or anything yet; too many ask; a bug. */
export type DebugReply = DebugAnswer | { readonly fault: 'unknown_exchange' | 'no_snapshot' | 'busy' | 'failed' };

const MOST_WAITING = 16;

export function createDebugger({ current, redis, pepper, consents, encode, sample, log }: DebuggerDeps): Debugger {
  // Reads count as nobody's.
  const users = createUsers(redis, createMetrics(new Registry()), { cacheMs: 0 });
  const bidDeps = { pepper, consents, encode, budgetsLeft: createBudgetsLeft(redis), personOf: createPersonOf(users, pepper) };
  const counts = createCounts();
  const since = Date.now();
  /** Auctions and questions do not share what an index is matched by. */
  let twin: Index | null = null;
  let tail: Promise<unknown> = Promise.resolve();
  let waiting = 0;
  return { swapped, answer: (question) => answer(question).catch(failed) };

  function swapped(index: Index): void {
    // What it was asked for last must not keep an index in memory that nobody serves.
    twin = null;
    counts.swapped(index);
  }

  function failed(error: Error): DebugReply {
    log.error({ place: 'debugger', error: error.stack }, 'a bug');
    return { fault: 'failed' };
  }

  async function answer(question: DebugQuestion): Promise<DebugReply> {
    switch (question.kind) {
      case 'bid':
        return inTurn(question);
      case 'counts':
        return { since, ...counts.served(), lineItems: counts.of(question.lineItems) };
      case 'requests': {
        const { id } = question;
        return { requests: sample.list().filter((request) => id === null || request.id === id) };
      }
    }
  }

  /** One at a time: two would take twice as much of each turn from the auctions. */
  async function inTurn(question: DebugBid): Promise<DebugReply> {
    if (waiting === MOST_WAITING) return { fault: 'busy' };
    waiting++;
    const asked = tail.then(async () => {
      const index = current();
      if (index === null) return { fault: 'no_snapshot' } as const;
      if (twin?.version !== index.version) twin = twinOf(index);
      return (await debugBid(twin, question, bidDeps)) ?? ({ fault: 'unknown_exchange' } as const);
    });
    tail = asked.catch(() => undefined);
    return asked.finally(() => void waiting--);
  }
}
