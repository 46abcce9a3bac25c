import type { Micros } from '../../proto/money.ts';
import type { Slot } from './slots.ts';

/** How long and how large leases are, and when they are looked at again. Times are monotonic ms. */

/** A lease should be good for this many of the dearest bids. */
export const LEAST_BIDS = 10;
/** A life is at most this many times the first one: a minute. */
const LONGEST_LIFE = 30;
/** The next lease is asked for so long before the end of the one before, or a quarter of its life. */
const LEAD_MS = 600;
/** Without demand for so long a line item does not sit on what others may need. */
const IDLE_MS = 2_000;
export const RETRY_MS = 250;
const LONGEST_RETRY_MS = 1_000;
const LONGEST_IDLE_RETRY_MS = 30_000;

/** Micros a ms that the bids of the lease reserved. */
export function rateOf({ lease, granted, free, since, until }: Slot, at: number): number {
  return lease === '' ? 0 : (granted - free) / Math.max(50, Math.min(at, until) - since);
}

/** As long as half of the least lease lasts, but at most twice as long as before, and short where there is little left. */
export function nextLife(slot: Slot, rate: number, firstLife: number): number {
  if (slot.scarce || slot.lease === '') return firstLife;
  const lasting = rate === 0 ? Number.POSITIVE_INFINITY : Math.trunc((LEAST_BIDS * slot.cost) / 2 / rate);
  return Math.max(firstLife, Math.min(lasting, longerLife(slot, firstLife)));
}

export function longerLife({ life }: Slot, firstLife: number): number {
  return Math.min(2 * life, LONGEST_LIFE * firstLife);
}

/** Micros. */
export function wantOf({ cost, need, life }: Slot, rate: number): Micros {
  return Math.max(LEAST_BIDS * cost, LEAST_BIDS, 2 * need, Math.ceil(rate * life * 2));
}

/** From when on the next lease is asked for. */
export function leadOf({ until, life }: Slot): number {
  return until - Math.min(LEAD_MS, life >> 2);
}

export function nextLook(slot: Slot): number {
  if (slot.lease === '') return Math.max(slot.retryAt, 0);
  const early = leadOf(slot);
  return slot.scarce && early < slot.retryAt ? Math.min(slot.retryAt, slot.until) : early;
}

export function isWanted({ wantedAt }: Slot, at: number): boolean {
  return at - wantedAt < IDLE_MS;
}

/** Too little for one bid, or Redis is away: asking on and on would bring no more. */
export function rest(slot: Slot, at: number): void {
  slot.retryAt = at + slot.pause;
  slot.pause = Math.min(2 * slot.pause, isWanted(slot, at) ? LONGEST_RETRY_MS : LONGEST_IDLE_RETRY_MS);
}
