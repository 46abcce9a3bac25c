import type { Redis } from 'ioredis';
import { campaignBudgetKey, dayBudgetKey, dayOf, lineItemBudgetKey } from '../proto/keys.ts';
import type { Micros } from '../proto/money.ts';
import { highestCost, type LineItem } from './core/index.ts';
import { DAY_MEMORY_S, LEASED_KEY, leaseEndsKey, leaseName, leasesKey, NO_DAY, REAPER_KEY } from './lease-keys.ts';
import type { Metrics } from './metrics.ts';
import { createScript } from './redis.ts';

/**
 * Spend leased to this worker, so that the request path asks nobody: a bid reserves its whole cost from the worker's lease.
 * Leases are asked for in the background, ahead of need. A lease is used for about two seconds, then its free rest goes back;
 * what its bids reserved goes back with their loss notices, with billing, or when the lease is reaped.
 */
export interface Leases {
  /** Micros free for a line item at a time. Remembers that there is demand, and asks for a lease where there is too little. */
  free(lineItem: LineItem, cost: Micros, now: number): Micros;
  /** Takes the cost from the lease and names it; null where it is not free. Call in the same tick as `free`. */
  reserve(lineItem: LineItem, cost: Micros, now: number): string | null;
  /** Undoes a reservation whose bid was not sent. */
  cancel(lineItem: LineItem, lease: string, cost: Micros): void;
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
  /** How long a lease is used, ms. */
  readonly usableMs?: number;
  /** How long a bid's fate may stay unknown before its reservation is given up, ms. */
  readonly reservationMs?: number;
}

interface Lease {
  readonly name: string;
  readonly granted: Micros;
  /** Monotonic ms. */
  readonly since: number;
  readonly until: number;
  free: Micros;
  returned: boolean;
}

/** A line item, or a line item's day where a daily budget limits it. */
interface Slot {
  lineItem: LineItem;
  readonly day: string;
  lease: Lease | null;
  asking: boolean;
  /** Monotonic ms of the latest demand, and before which nothing is asked again. */
  wantedAt: number;
  retryAt: number;
  /** Micros a ms that the bids of the latest lease reserved. */
  rate: number;
}

const TICK_MS = 200;
const REAP_MS = 1_000;
const RETRY_MS = 250;
const IDLE_MS = 2_000;
/** A lease should be good for this many of the dearest bids. */
const LEAST_BIDS = 10;
/** A campaign is watched for ended leases at least this long after its latest one. */
const WATCH_MS = 600_000;
const REAP_BATCH = 100;

export function createLeases(redis: Redis, metrics: Metrics, options: LeaseOptions): Leases {
  const { usableMs = 2_000, reservationMs = 60_000, worker, workers } = options;
  const askLease = createScript(redis, 'lease');
  const settle = createScript(redis, 'settle');
  const reapLeases = createScript(redis, 'reap');
  const slots = new Map<string, Slot>();
  let counter = 0;
  const ticker = setInterval(tick, TICK_MS);
  const reaper = setInterval(() => void reap().catch(() => undefined), REAP_MS);
  return { free, reserve, cancel, reap, close };

  function slotOf(lineItem: LineItem, now: number): Slot {
    const day = lineItem.budget.daily === null ? NO_DAY : dayOf(now);
    const key = `${lineItem.id}:${day}`;
    let slot = slots.get(key);
    if (slot === undefined) {
      slot = { lineItem, day, lease: null, asking: false, wantedAt: 0, retryAt: 0, rate: 0 };
      slots.set(key, slot);
    }
    return slot;
  }

  function free(lineItem: LineItem, cost: Micros, now: number): Micros {
    const slot = slotOf(lineItem, now);
    const at = performance.now();
    slot.lineItem = lineItem;
    slot.wantedAt = at;
    const usable = usableOf(slot, at);
    if (usable < cost && !slot.asking && at >= slot.retryAt) void ask(slot);
    return usable;
  }

  function usableOf({ lease }: Slot, at: number): Micros {
    return lease !== null && at < lease.until ? lease.free : 0;
  }

  function reserve(lineItem: LineItem, cost: Micros, now: number): string | null {
    const slot = slotOf(lineItem, now);
    if (slot.lease === null || usableOf(slot, performance.now()) < cost) return null;
    slot.lease.free -= cost;
    return slot.lease.name;
  }

  function cancel(lineItem: LineItem, name: string, cost: Micros): void {
    for (const { lineItem: other, lease } of slots.values())
      if (other.id === lineItem.id && lease?.name === name) lease.free += cost;
  }

  /** Asks for the next lease and then lets go of the one before. */
  async function ask(slot: Slot): Promise<void> {
    slot.asking = true;
    const { lineItem, day } = slot;
    const name = `${day}.${worker}${(counter++).toString(36)}`;
    // Counted from before the call, so that our use ends before Redis thinks it does.
    const since = performance.now();
    try {
      const granted = await grant(lineItem, day, name, wantOf(slot, since));
      metrics.leases.inc({ result: granted > 0 ? 'granted' : 'empty' });
      metrics.leasedMicros.inc({ way: 'granted' }, granted);
      if (granted === 0) slot.retryAt = performance.now() + RETRY_MS;
      else replace(slot, { name, granted, since, until: since + usableMs, free: granted, returned: false });
    } catch {
      metrics.leases.inc({ result: 'failed' });
      slot.retryAt = performance.now() + RETRY_MS;
    } finally {
      slot.asking = false;
    }
  }

  /** What the line item used in the time of a lease, twice, so that it grows with the traffic. */
  function wantOf(slot: Slot, at: number): Micros {
    noteRate(slot, at);
    return Math.max(LEAST_BIDS * highestCost(slot.lineItem), Math.ceil(slot.rate * usableMs * 2), 1);
  }

  function noteRate(slot: Slot, at: number): void {
    const { lease } = slot;
    if (lease !== null) slot.rate = (lease.granted - lease.free) / Math.max(50, Math.min(at, lease.until) - lease.since);
  }

  async function grant({ id, campaign, budget, bid }: LineItem, day: string, name: string, want: Micros): Promise<Micros> {
    redis.zadd(LEASED_KEY, Date.now(), campaign).catch(() => undefined);
    const need = Math.max(1, Math.round(bid.maxCpm / 1000));
    const limits: (number | string)[] = [budget.campaign ?? '', budget.total ?? '', budget.daily ?? ''];
    const keys = [...budgetKeys(campaign, id, day), leasesKey(campaign), leaseEndsKey(campaign)];
    const life = usableMs + reservationMs;
    return Number(await askLease(keys, [want, need, 4 * workers, ...limits, leaseName(id, name), life, DAY_MEMORY_S]));
  }

  function replace(slot: Slot, lease: Lease): void {
    const before = slot.lease;
    slot.lease = lease;
    if (before !== null) void giveBack(slot, before);
  }

  /** If this fails, the reap does it. */
  async function giveBack({ lineItem: { id, campaign }, day }: Slot, lease: Lease): Promise<void> {
    if (lease.returned) return;
    lease.returned = true;
    const keys = [...budgetKeys(campaign, id, day), leasesKey(campaign), leaseEndsKey(campaign)];
    const rest = lease.free;
    lease.free = 0;
    try {
      const back = Number(await settle(keys, [leaseName(id, lease.name), rest, day === NO_DAY ? '0' : '1']));
      metrics.leasedMicros.inc({ way: 'returned' }, back);
    } catch {
      metrics.leases.inc({ result: 'failed' });
    }
  }

  function tick(): void {
    const at = performance.now();
    for (const [key, slot] of slots) {
      const { lease } = slot;
      if (at - slot.wantedAt < IDLE_MS) {
        const short = lease === null || at > lease.until - 3 * TICK_MS || lease.free * 2 < lease.granted;
        if (short && !slot.asking && at >= slot.retryAt) void ask(slot);
      } else if (lease !== null && at >= lease.until) {
        slot.lease = null;
        void giveBack(slot, lease);
      } else if (lease === null && !slot.asking) slots.delete(key);
    }
  }

  async function reap(): Promise<void> {
    if ((await redis.set(REAPER_KEY, worker, 'PX', REAP_MS - 100, 'NX')) === null) return;
    for (const campaign of await redis.zrange(LEASED_KEY, '0', '-1')) {
      const keys = [campaignBudgetKey(campaign), leasesKey(campaign), leaseEndsKey(campaign)];
      const [count, micros] = (await reapLeases(keys, [REAP_BATCH])) as [number, number, number];
      metrics.leases.inc({ result: 'reaped' }, count);
      metrics.leasedMicros.inc({ way: 'reaped' }, micros);
    }
    const forgotten = Date.now() - Math.max(WATCH_MS, 2 * (usableMs + reservationMs));
    await redis.zremrangebyscore(LEASED_KEY, '-inf', String(forgotten));
  }

  async function close(): Promise<void> {
    clearInterval(ticker);
    clearInterval(reaper);
    const open = [...slots.values()];
    slots.clear();
    await Promise.all(open.map((slot) => (slot.lease === null ? undefined : giveBack(slot, slot.lease))));
  }
}

function budgetKeys(campaign: string, lineItem: string, day: string): string[] {
  const dayKey = day === NO_DAY ? campaignBudgetKey(campaign) : dayBudgetKey(campaign, lineItem, day);
  return [campaignBudgetKey(campaign), lineItemBudgetKey(campaign, lineItem), dayKey];
}
