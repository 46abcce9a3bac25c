import type { Redis } from 'ioredis';
import type { Micros } from '../../proto/money.ts';
import type { Metrics } from '../metrics.ts';
import { createLeaseBook } from './book.ts';
import { createLeaseCalls, type Told } from './calls.ts';
import { createRenewal } from './renewal.ts';
import { createSlots, type Slot } from './slots.ts';
import type { Spender } from './spender.ts';
import { isWanted, RETRY_MS } from './terms.ts';
import { createUpkeep } from './upkeep.ts';

/**
 * Spend leased to this worker, so that the request path asks nobody: a bid reserves its whole cost from the worker's lease.
 * Leases are asked for in the background, ahead of need. A lease is used for about two seconds, then its free rest goes back; of a
 * line item that is seldom bid it is used for longer and longer, up to a minute, and while nothing of it was used it is only extended.
 * What its bids reserved goes back with their loss notices, with billing, or when the lease is reaped.
 */
export interface Leases {
  /** Micros free for a line item at a time. Remembers that there is demand, and asks for a lease where there is too little. */
  free(lineItem: Spender, cost: Micros, now: number): Micros;
  /** Takes the cost from the lease and names it; null where it is not free. Call in the same tick as `free`. */
  reserve(lineItem: Spender, cost: Micros, now: number): string | null;
  /** Undoes a reservation whose bid was not sent. */
  cancel(lineItem: Spender, lease: string, cost: Micros): void;
  /**
   * From now on holds allowances for these line items, positions 0 to `size` − 1 (null: it has no budget), so that the first bid after a quiet time does not miss
   * it. They are asked for one after the other, a few at a time.
   */
  keepWarm(size: number, at: (position: number) => Spender | null): void;
  /** Gives back what ended leases of dead workers hold. */
  reap(): Promise<void>;
  /** Stops, and gives back what is free. */
  close(): Promise<void>;
}

export interface LeaseOptions {
  /** Part of lease names, unique over all workers and time. */
  readonly worker: string;
  /** Workers that share the budgets. */
  readonly workers: number;
  /** How long a lease is used at first, ms. */
  readonly usableMs?: number;
  /** At most so many line items are kept warm, the first ones; others have leases from their first demand on. */
  readonly warm?: number;
  /** How long a bid's fate may stay unknown before its reservation is given up, ms. */
  readonly reservationMs?: number;
}

/** Short, so that what is due in one turn of the event loop holds up no request: 40 calls every 50 ms were a millisecond at once. */
const TICK_MS = 10;
const REAP_MS = 1_000;

export function createLeases(redis: Redis, metrics: Metrics, options: LeaseOptions): Leases {
  const { usableMs = 2_000, reservationMs = 60_000, warm = 100_000, worker, workers } = options;
  const book = createLeaseBook(redis, metrics, { worker, workers, reservationMs, reapMs: REAP_MS });
  const slots = createSlots({ life: usableMs, pause: RETRY_MS });
  const calls = createLeaseCalls({ book, settle, onSent: slots.drop });
  const renewal = createRenewal(calls, { worker, usableMs });
  const upkeep = createUpkeep(slots, renewal);
  const ticker = setInterval(tick, TICK_MS);
  const reaper = setInterval(() => void reap().catch(() => undefined), REAP_MS);
  return { free, reserve, cancel, keepWarm: (size, at) => upkeep.keepWarm(Math.min(size, warm), at), reap, close };

  function free(lineItem: Spender, cost: Micros, now: number): Micros {
    const slot = slots.of(lineItem, now);
    const at = Math.trunc(performance.now());
    slots.refresh(slot, lineItem);
    // What had to wait while nobody wanted it need not wait any longer.
    if (!isWanted(slot, at)) {
      slot.retryAt = 0;
      slot.pause = RETRY_MS;
    }
    slot.wantedAt = at;
    if (cost > slot.need) slot.need = cost;
    const usable = at < slot.until ? slot.free : 0;
    if (usable < cost && !slot.asking && at >= slot.retryAt) askSoon(slot, at);
    return usable;
  }

  function reserve(lineItem: Spender, cost: Micros, now: number): string | null {
    const slot = slots.of(lineItem, now);
    const at = Math.trunc(performance.now());
    if (slot.lease === '' || at >= slot.until || slot.free < cost) return null;
    slot.free -= cost;
    const halfUsed = slot.free * 2 < slot.granted;
    if (halfUsed && !slot.asking && at >= slot.retryAt && (!slot.scarce || at - slot.since >= RETRY_MS)) askSoon(slot, at);
    return slot.lease;
  }

  function cancel({ id }: Spender, name: string, cost: Micros): void {
    for (let slot = slots.first(id); slot !== null; slot = slot.next) if (slot.lease === name) slot.free += cost;
  }

  function askSoon(slot: Slot, at: number): void {
    renewal.ask(slot, at);
    calls.flushSoon();
  }

  function settle(told: Told): void {
    renewal.settle(told);
    upkeep.later(told.slot, told.at);
  }

  function tick(): void {
    upkeep.warmMore();
    // No more than can be sent: what is due stays so.
    if (calls.hasRoom()) upkeep.attendDue(Math.trunc(performance.now()), Date.now());
    calls.flush();
  }

  function reap(): Promise<void> {
    return book.reap();
  }

  async function close(): Promise<void> {
    clearInterval(ticker);
    clearInterval(reaper);
    upkeep.stop();
    // What is being granted right now would otherwise be nobody's until it is reaped.
    await calls.ended();
    for (const { slots: held } of slots.campaigns()) for (const slot of held) if (slot.lease !== '') renewal.giveBack(slot);
    slots.clear();
    await calls.end(slots.campaigns());
  }
}
