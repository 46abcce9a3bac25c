import type { Logger } from 'pino';
import { NO_BID } from '../../proto/no-bid.ts';
import { type Answer, type AuctionDeps, answerCall, type Call, countRefusal } from '../auction.ts';
import { isTokenOf } from '../exchange-token.ts';
import { createPace } from '../pace.ts';

/** What both of the bidder's HTTP faces do with a bid request: refuse it by its head, or answer it. */
export interface BidDoor {
  /** When the request whose head was just read may have come, monotonic ms. */
  arrivalNow(): number;
  /** Whether it is not considered: then it is counted, and answered with an empty no-bid before it is read. */
  refuses(exchange: string, token: unknown, arrival: number): boolean;
  /** Calls back once, at once where nobody needs to be asked. What we got wrong is a no-bid, and counted. */
  answer(call: Call, done: (answer: Answer) => void): void;
}

export function createBidDoor(auction: AuctionDeps, log: Logger): BidDoor {
  const { admission, metrics } = auction;
  const pace = createPace();
  return { arrivalNow, refuses, answer };

  function arrivalNow(): number {
    const arrival = admission?.arrivalNow() ?? performance.now();
    metrics.queueSeconds.observe((performance.now() - arrival) / 1_000);
    return arrival;
  }

  function refuses(id: string, token: unknown, arrival: number): boolean {
    const exchange = auction.current()?.exchanges.get(id);
    // Who does not know the token must not use up the exchange's limit.
    if (exchange === undefined || (exchange.tokenHash !== null && !isTokenOf(exchange, token))) return false;
    const refusal = admission?.refusalOf(exchange, arrival, pace.waiting) ?? null;
    if (refusal === null) return false;
    countRefusal(auction, exchange, refusal, arrival);
    return true;
  }

  function answer(call: Call, done: (answer: Answer) => void): void {
    if (pace.hasTime()) {
      answerNow(call, done);
      return;
    }
    // Its bytes are the connection's, until we return.
    const kept = { ...call, body: Buffer.from(call.body) };
    pace.later(() => {
      if (isTooOld(kept)) done(NOTHING);
      else answerNow(kept, done);
    });
  }

  /** It was in time when it came, and others took longer than foreseen. */
  function isTooOld({ exchange: id, token, arrival }: Call): boolean {
    const exchange = auction.current()?.exchanges.get(id);
    if (exchange === undefined || !isTokenOf(exchange, token) || admission?.isTooOld(exchange, arrival) !== true) return false;
    countRefusal(auction, exchange, 'time', arrival);
    return true;
  }

  function answerNow(call: Call, done: (answer: Answer) => void): void {
    admission?.begin();
    try {
      const given = answerCall(auction, call);
      if (given instanceof Promise) given.then(end, fail);
      else end(given);
    } catch (error) {
      fail(error);
    }

    function end(given: Answer): void {
      admission?.end();
      done(given);
    }

    function fail(error: unknown): void {
      metrics.errors.inc({ place: 'bid' });
      metrics.noBids.add('technical_error');
      const { technical_error: nbr } = NO_BID;
      log.error({ place: 'bid', reason: 'technical_error', nbr, error: (error as Error).stack }, 'a bug');
      end(NOTHING);
    }
  }
}

const NOTHING: Answer = { status: 204, body: null, format: 'json', gzip: 'never' };
