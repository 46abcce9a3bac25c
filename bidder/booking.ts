import type { Redis } from 'ioredis';
import { type AdEvent, type BidRecord, encodeAdEvent } from '../proto/ad-event.ts';
import {
  AD_EVENT_STREAM,
  campaignBudgetKey,
  capsKey,
  dayBudgetKey,
  dayOf,
  lineItemBudgetKey,
  NOTICE_MEMORY_S,
  noticeKey,
} from '../proto/keys.ts';
import { type DataPrice, dataCost, impressionCost } from '../proto/money.ts';
import type { FrequencyCap } from '../proto/snapshot.ts';
import { DAY_MEMORY_S, isDayLease, leaseEndsKey, leaseName, leasesKey } from './leases/keys.ts';
import { createScript } from './redis.ts';

export interface BookingOptions {
  /** Whether this event ends the bid's reservation. */
  readonly settles: boolean;
  /** Caps whose counters this event moves. */
  readonly caps: readonly FrequencyCap[];
  /** What the line item's data cost beside, by which the bid was reserved; absent: nothing. */
  readonly data?: DataPrice | null;
}

/**
 * Books an event of a bid: mark, money, caps and event in one atomic call. False where it was booked before. Rejects where
 * Redis is away or slow; then the caller must ask for a repetition, which is harmless.
 */
export type Book = (event: AdEvent, options: BookingOptions) => Promise<boolean>;

/** @param onCost told of each amount that an exchange has billed, micros */
export function createBooking(redis: Redis, onCost: (exchange: string, micros: number) => void = () => undefined): Book {
  const bookNotice = createScript(redis, 'notice');
  return async (event, { settles, caps, data }) => {
    const { bid, campaign, lineItem, lease, at } = event;
    const keys = [
      noticeKey(campaign, bid, event.detail === undefined ? event.type : `${event.type}:${event.detail}`),
      noticeKey(campaign, bid, 'settled'),
      AD_EVENT_STREAM,
      campaignBudgetKey(campaign),
      lineItemBudgetKey(campaign, lineItem),
      dayBudgetKey(campaign, lineItem, dayOf(event.bidAt)),
      leasesKey(campaign),
      leaseEndsKey(campaign),
      capsKey(event.anchor),
    ];
    const windows = event.anchor === '' ? [] : uniqueWindows(caps).flatMap((ms) => [ms, Math.floor(at / ms)]);
    const offered = settles ? impressionCost(event.price, event.multiplier) : 0;
    const reserved = settles ? offered + dataCost(data, offered) : 0;
    const spent = event.cost + (event.data ?? 0);
    const name = lease === '' ? '' : leaseName(lineItem, lease);
    const args = [NOTICE_MEMORY_S, encodeAdEvent(event), spent, reserved, name, isDayLease(lease) ? '1' : '0', DAY_MEMORY_S];
    const booked = (await bookNotice(keys, [...args, lineItem, ...windows])) === 1;
    if (booked && event.cost > 0) onCost(event.exchange, event.cost);
    return booked;
  };
}

function uniqueWindows(caps: readonly FrequencyCap[]): number[] {
  return [...new Set(caps.map(({ windowMs }) => windowMs))];
}

/** The event of a bid; what is not given is not known. */
export function eventOf(record: BidRecord, type: AdEvent['type'], at: number, more: Partial<AdEvent> = {}): AdEvent {
  const { clearing = null, cost = 0, lossReason = null, minToWin = null, metres = null, exposures, detail } = more;
  // The spread stands last: fields that are written behind one made of this 7 µs instead of 0.5.
  const event = { type, at, clearing, cost, lossReason, minToWin, metres, ...record };
  return exposures === undefined && detail === undefined && more.data === undefined ? event : { ...event, ...more };
}
