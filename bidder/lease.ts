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
  /** From now on holds an allowance for these, so that the first bid after a quiet time does not miss it. */
  keepWarm(lineItems: Iterable<LineItem>): void;
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
  /** At most so many line items are kept warm; of more only those with demand have leases. */
  readonly warm?: number;
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
  /** Cost of the dearest bid that was asked for since the latest lease: a screen costs for all who see it. */
  need: Micros;
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
  const { usableMs = 2_000, reservationMs = 60_000, warm = 200, worker, workers } = options;
  const askLease = createScript(redis, 'lease');
  const settle = createScript(redis, 'settle');
  const reapLeases = createScript(redis, 'reap');
  const slots = new Map<string, Slot>();
  const asked = new Set<Promise<void>>();
  let warmed: LineItem[] = [];
  let counter = 0;
  const ticker = setInterval(tick, TICK_MS);
  const reaper = setInterval(() => void reap().catch(() => undefined), REAP_MS);
  return { free, reserve, cancel, keepWarm, reap, close };

  function slotOf(lineItem: LineItem, now: number): Slot {
    const day = lineItem.budget.daily === null ? NO_DAY : dayOf(now);
    const key = `${lineItem.id}:${day}`;
    let slot = slots.get(key);
    if (slot === undefined) {
      slot = { lineItem, day, lease: null, asking: false, wantedAt: 0, retryAt: 0, need: 0, rate: 0 };
      slots.set(key, slot);
    }
    return slot;
  }

  function free(lineItem: LineItem, cost: Micros, now: number): Micros {
    const slot = slotOf(lineItem, now);
    const at = performance.now();
    slot.lineItem = lineItem;
    slot.wantedAt = at;
    if (cost > slot.need) slot.need = cost;
    const usable = usableOf(slot, at);
    if (usable < cost && !slot.asking && at >= slot.retryAt) ask(slot);
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

  function ask(slot: Slot): void {
    slot.asking = true;
    const asking = askNext(slot).finally(() => {
      slot.asking = false;
      asked.delete(asking);
    });
    asked.add(asking);
  }

  /** Asks for the next lease and then lets go of the one before. Never rejects. */
  async function askNext(slot: Slot): Promise<void> {
    const { lineItem, day } = slot;
    const name = `${day}.${worker}${(counter++).toString(36)}`;
    // Counted from before the call, so that our use ends before Redis thinks it does.
    const since = performance.now();
    const want = wantOf(slot, since);
    const need = needOf(slot);
    slot.need = 0;
    try {
      if (slot.lease !== null && since >= slot.lease.until) await letGo(slot, slot.lease);
      const granted = await grant(lineItem, day, name, want, need);
      metrics.leases.inc({ result: granted > 0 ? 'granted' : 'empty' });
      metrics.leasedMicros.inc({ way: 'granted' }, granted);
      // Too little for one bid: asking on and on would bring no more.
      if (granted < need) slot.retryAt = performance.now() + RETRY_MS;
      if (granted > 0) replace(slot, { name, granted, since, until: since + usableMs, free: granted, returned: false });
    } catch {
      metrics.leases.inc({ result: 'failed' });
      slot.retryAt = performance.now() + RETRY_MS;
    }
  }

  /** What the line item used in the time of a lease, twice, so that it grows with the traffic. */
  function wantOf(slot: Slot, at: number): Micros {
    noteRate(slot, at);
    return Math.max(LEAST_BIDS * highestCost(slot.lineItem), LEAST_BIDS, 2 * slot.need, Math.ceil(slot.rate * usableMs * 2));
  }

  function noteRate(slot: Slot, at: number): void {
    const { lease } = slot;
    if (lease !== null) slot.rate = (lease.granted - lease.free) / Math.max(50, Math.min(at, lease.until) - lease.since);
  }

  async function grant(lineItem: LineItem, day: string, name: string, want: Micros, need: Micros): Promise<Micros> {
    const { id, campaign, budget } = lineItem;
    redis.zadd(LEASED_KEY, Date.now(), campaign).catch(() => undefined);
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

  /** The rest of an ended lease may be the last of the budget: back with it before more is asked for. */
  function letGo(slot: Slot, lease: Lease): Promise<void> {
    slot.lease = null;
    return giveBack(slot, lease);
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

  function keepWarm(lineItems: Iterable<LineItem>): void {
    warmed = [...lineItems].filter(({ limited }) => limited);
    touchWarm(performance.now());
  }

  function touchWarm(at: number): void {
    if (warmed.length > warm) return;
    const now = Date.now();
    for (const lineItem of warmed) if (now >= lineItem.start && now < lineItem.end) slotOf(lineItem, now).wantedAt = at;
  }

  function tick(): void {
    const at = performance.now();
    touchWarm(at);
    for (const [key, slot] of slots) {
      const { lease } = slot;
      if (at - slot.wantedAt < IDLE_MS) {
        const short = lease === null || at > lease.until - 3 * TICK_MS || lease.free * 2 < lease.granted;
        if (short && !slot.asking && at >= slot.retryAt) ask(slot);
      } else if (lease !== null && at >= lease.until) {
        void letGo(slot, lease);
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
    // What is being granted right now would otherwise be nobody's until it is reaped.
    await Promise.all(asked);
    await Promise.all(open.map((slot) => (slot.lease === null ? undefined : giveBack(slot, slot.lease))));
  }
}

/** Micros that one bid of a line item needs at most, as far as is known. */
function needOf({ lineItem, need }: Slot): Micros {
  return Math.max(1, highestCost(lineItem), need);
}

function budgetKeys(campaign: string, lineItem: string, day: string): string[] {
  const dayKey = day === NO_DAY ? campaignBudgetKey(campaign) : dayBudgetKey(campaign, lineItem, day);
  return [campaignBudgetKey(campaign), lineItemBudgetKey(campaign, lineItem), dayKey];
}
