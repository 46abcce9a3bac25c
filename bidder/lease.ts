import type { Redis } from 'ioredis';
import { dayOf } from '../proto/keys.ts';
import type { Micros } from '../proto/money.ts';
import { highestCost } from './core/index.ts';
import { createLeaseBook, type Entry } from './lease-book.ts';
import { NO_DAY } from './lease-keys.ts';
import { createWheel } from './lease-wheel.ts';
import type { Metrics } from './metrics.ts';
import type { Spender } from './spender.ts';

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

/** A line item, or a line item's day where a daily budget limits it, and its lease. Whole numbers of ms and micros: 200 bytes. */
interface Slot {
  readonly id: string;
  readonly campaign: Campaign;
  readonly day: string;
  readonly dayNumber: number;
  /** Another day of the same line item. */
  next: Slot | null;
  budget: Spender['budget'];
  /** Micros of its dearest impression. */
  cost: Micros;
  /** Epoch ms, half open: outside of it nothing is kept warm. */
  start: number;
  end: number;
  /** Name of the lease, '' none. */
  lease: string;
  granted: Micros;
  free: Micros;
  /** Monotonic ms. */
  since: number;
  until: number;
  life: number;
  /** Whether less was granted than was wanted: there is little left. */
  scarce: boolean;
  asking: boolean;
  /** Monotonic ms of the latest demand, and before which nothing is asked again, and how long the pause is the next time. */
  wantedAt: number;
  retryAt: number;
  pause: number;
  /** Cost of the dearest bid that was asked for since the latest lease: a screen costs for all who see it. */
  need: Micros;
  /** The latest `keepWarm` that named it, 0 none. */
  warm: number;
  dueAt: number;
}

/** Line items of a campaign are leased together. */
interface Campaign {
  readonly id: string;
  /** Its budget as the newest index has it. */
  limit: Micros | null;
  readonly slots: Set<Slot>;
  /** What goes to Redis with the next call. */
  entries: Entry[];
  /** Slots of the entries that ask or extend; null: an entry that gives back. */
  askers: (Slot | null)[];
}

/** Short, so that what is due in one turn of the event loop holds up no request: 40 calls every 50 ms were a millisecond at once. */
const TICK_MS = 10;
/** Within which leases are due together. */
const WHEEL_MS = 50;
const REAP_MS = 1_000;
/** Slots looked at, line items made warm and calls to Redis begun in one tick: requests are served in between. */
const SLOTS_A_TICK = 100;
const WARMED_A_TICK = 20;
const CALLS_A_TICK = 8;
/** Entries in one call, since Redis does nothing else meanwhile. */
const ENTRIES_A_CALL = 50;
const RETRY_MS = 250;
const LONGEST_RETRY_MS = 1_000;
const LONGEST_IDLE_RETRY_MS = 30_000;
/** Without demand for so long a line item does not sit on what others may need; after more it is forgotten. */
const IDLE_MS = 2_000;
const REMEMBERED_MS = 600_000;
/** A life is at most this many times the first one: a minute. */
const LONGEST_LIFE = 30;
/** A lease should be good for this many of the dearest bids. */
const LEAST_BIDS = 10;
/** The next lease is asked for so long before the end of the one before, or a quarter of its life. */
const LEAD_MS = 600;
const DAY_MS = 86_400_000;
const NEVER = -1e9;

export function createLeases(redis: Redis, metrics: Metrics, options: LeaseOptions): Leases {
  const { usableMs = 2_000, reservationMs = 60_000, warm = 100_000, worker, workers } = options;
  const book = createLeaseBook(redis, metrics, { worker, workers, reservationMs, reapMs: REAP_MS });
  const slots = new Map<string, Slot>();
  const campaigns = new Map<string, Campaign>();
  const wheel = createWheel<Slot>(WHEEL_MS);
  /** Campaigns with entries, those with the oldest first. */
  const waiting = new Set<Campaign>();
  const calls = new Set<Promise<void>>();
  let warming: Iterator<void> | null = null;
  let generation = 0;
  let counter = 0;
  let flushing = false;
  const ticker = setInterval(tick, TICK_MS);
  const reaper = setInterval(() => void reap().catch(() => undefined), REAP_MS);
  return { free, reserve, cancel, keepWarm, reap, close };

  function slotOf(lineItem: Spender, now: number): Slot {
    const dayNumber = lineItem.budget.daily === null ? -1 : Math.floor(now / DAY_MS);
    const first = slots.get(lineItem.id) ?? null;
    for (let slot = first; slot !== null; slot = slot.next) if (slot.dayNumber === dayNumber) return slot;
    const { id, budget, start, end } = lineItem;
    return addSlot(lineItem.campaign, { id, budget, start, end, cost: highestCost(lineItem), warm: 0 }, dayNumber, first);
  }

  type Known = Pick<Slot, 'id' | 'budget' | 'start' | 'end' | 'cost' | 'warm'>;

  function addSlot(campaignId: string, known: Known, dayNumber: number, next: Slot | null): Slot {
    let campaign = campaigns.get(campaignId);
    if (campaign === undefined) {
      campaign = { id: campaignId, limit: known.budget.campaign, slots: new Set(), entries: [], askers: [] };
      campaigns.set(campaignId, campaign);
    }
    const slot: Slot = {
      id: known.id,
      campaign,
      day: dayNumber < 0 ? NO_DAY : dayOf(dayNumber * DAY_MS),
      dayNumber,
      next,
      budget: known.budget,
      cost: known.cost,
      start: known.start,
      end: known.end,
      lease: '',
      granted: 0,
      free: 0,
      since: 0,
      until: 0,
      life: usableMs,
      scarce: false,
      asking: false,
      wantedAt: NEVER,
      retryAt: 0,
      pause: RETRY_MS,
      need: 0,
      warm: known.warm,
      dueAt: NEVER,
    };
    slots.set(known.id, slot);
    campaign.slots.add(slot);
    return slot;
  }

  function refresh(slot: Slot, lineItem: Spender): void {
    slot.budget = lineItem.budget;
    slot.campaign.limit = lineItem.budget.campaign;
    slot.cost = highestCost(lineItem);
    slot.start = lineItem.start;
    slot.end = lineItem.end;
  }

  function forget(slot: Slot): void {
    const { id, campaign } = slot;
    wheel.drop(slot);
    campaign.slots.delete(slot);
    if (campaign.slots.size === 0 && campaign.entries.length === 0) campaigns.delete(campaign.id);
    const first = slots.get(id);
    if (first === slot) {
      if (slot.next === null) slots.delete(id);
      else slots.set(id, slot.next);
      return;
    }
    for (let before = first ?? null; before !== null; before = before.next) if (before.next === slot) before.next = slot.next;
  }

  function free(lineItem: Spender, cost: Micros, now: number): Micros {
    const slot = slotOf(lineItem, now);
    const at = Math.trunc(performance.now());
    refresh(slot, lineItem);
    // What had to wait while nobody wanted it need not wait any longer.
    if (at - slot.wantedAt >= IDLE_MS) {
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
    const slot = slotOf(lineItem, now);
    const at = Math.trunc(performance.now());
    if (slot.lease === '' || at >= slot.until || slot.free < cost) return null;
    slot.free -= cost;
    const halfUsed = slot.free * 2 < slot.granted;
    if (halfUsed && !slot.asking && at >= slot.retryAt && (!slot.scarce || at - slot.since >= RETRY_MS)) askSoon(slot, at);
    return slot.lease;
  }

  function cancel({ id }: Spender, name: string, cost: Micros): void {
    for (let slot = slots.get(id) ?? null; slot !== null; slot = slot.next) if (slot.lease === name) slot.free += cost;
  }

  /** All that the requests of this turn of the event loop need goes in one call a campaign. */
  function askSoon(slot: Slot, at: number): void {
    ask(slot, at);
    if (flushing) return;
    flushing = true;
    setImmediate(() => {
      flushing = false;
      flush();
    });
  }

  /** Asks for the next lease; an ended one goes back with the same call, since its rest may be the last of the budget. */
  function ask(slot: Slot, at: number): void {
    const rate = rateOf(slot, at);
    if (slot.lease !== '' && at >= slot.until) giveBack(slot);
    slot.life = lifeOf(slot, rate);
    const want = Math.max(LEAST_BIDS * slot.cost, LEAST_BIDS, 2 * slot.need, Math.ceil(rate * slot.life * 2));
    const need = Math.max(1, slot.cost, slot.need);
    slot.need = 0;
    send(slot, slot, 'ask', `${slot.day}.${worker}${(counter++).toString(36)}`, want, need);
  }

  /** Micros a ms that the bids of the lease reserved. */
  function rateOf({ lease, granted, free: rest, since, until }: Slot, at: number): number {
    return lease === '' ? 0 : (granted - rest) / Math.max(50, Math.min(at, until) - since);
  }

  /** As long as half of the least lease lasts, but at most twice as long as before, and short where there is little left. */
  function lifeOf(slot: Slot, rate: number): number {
    if (slot.scarce || slot.lease === '') return usableMs;
    const lasting = rate === 0 ? Number.POSITIVE_INFINITY : Math.trunc((LEAST_BIDS * slot.cost) / 2 / rate);
    return Math.max(usableMs, Math.min(lasting, 2 * slot.life, LONGEST_LIFE * usableMs));
  }

  function extend(slot: Slot): void {
    slot.life = Math.min(2 * slot.life, LONGEST_LIFE * usableMs);
    send(slot, slot, 'extend', slot.lease, slot.granted, 0);
  }

  function giveBack(slot: Slot): void {
    const { lease, free: rest } = slot;
    slot.lease = '';
    slot.free = 0;
    if (rest > 0) send(slot, null, 'back', lease, rest, 0);
  }

  function send(slot: Slot, asker: Slot | null, way: Entry['way'], name: string, micros: Micros, need: Micros): void {
    const { id, campaign, day, budget, life } = slot;
    if (asker !== null) asker.asking = true;
    campaign.entries.push({ way, lineItem: id, day, budget, name, micros, need, life });
    campaign.askers.push(asker);
    waiting.add(campaign);
  }

  function flush(): void {
    let begun = 0;
    for (const campaign of waiting) {
      while (campaign.entries.length > 0 && begun < CALLS_A_TICK) {
        begun++;
        begin(campaign, campaign.entries.splice(0, ENTRIES_A_CALL), campaign.askers.splice(0, ENTRIES_A_CALL));
      }
      if (campaign.entries.length > 0) return;
      waiting.delete(campaign);
      if (campaign.slots.size === 0 && campaigns.get(campaign.id) === campaign) campaigns.delete(campaign.id);
    }
  }

  function begin(campaign: Campaign, entries: readonly Entry[], askers: readonly (Slot | null)[]): void {
    // Counted from before the call, so that our use ends before Redis thinks it does.
    const since = Math.floor(performance.now());
    const call = book.turn(campaign, entries).then((results) => {
      calls.delete(call);
      const at = Math.trunc(performance.now());
      askers.forEach((slot, index) => {
        if (slot !== null) settle(slot, entries[index] as Entry, results === null ? null : (results[index] as Micros), since, at);
      });
    });
    calls.add(call);
  }

  function settle(slot: Slot, { way, name, micros, need, life }: Entry, result: Micros | null, since: number, at: number): void {
    slot.asking = false;
    if (way === 'extend') {
      if (result !== null && result > 0 && slot.lease === name) slot.until = since + life;
      else slot.scarce = true;
    } else {
      slot.scarce = result !== null && result < micros;
      if (result === null || result < need) rest(slot, at);
      else if (!slot.scarce) slot.pause = RETRY_MS;
      if (result !== null && result > 0) replace(slot, name, result, since, life);
    }
    wheel.put(slot, Math.max(at + 1, nextLook(slot)));
  }

  /** Too little for one bid, or Redis is away: asking on and on would bring no more. */
  function rest(slot: Slot, at: number): void {
    slot.retryAt = at + slot.pause;
    slot.pause = Math.min(2 * slot.pause, at - slot.wantedAt < IDLE_MS ? LONGEST_RETRY_MS : LONGEST_IDLE_RETRY_MS);
  }

  function replace(slot: Slot, name: string, granted: Micros, since: number, life: number): void {
    if (slot.lease !== '') giveBack(slot);
    slot.lease = name;
    slot.granted = granted;
    slot.free = granted;
    slot.since = since;
    slot.until = since + life;
  }

  function nextLook(slot: Slot): number {
    if (slot.lease === '') return Math.max(slot.retryAt, 0);
    const early = slot.until - Math.min(LEAD_MS, slot.life >> 2);
    return slot.scarce && early < slot.retryAt ? Math.min(slot.retryAt, slot.until) : early;
  }

  /** Asks, extends or lets go, where it is time for that. */
  function attend(slot: Slot, at: number, now: number): void {
    if (slot.asking) return;
    const wanted = at - slot.wantedAt < IDLE_MS;
    const kept = wanted || isKept(slot, at, now);
    if (!kept) retire(slot, at, now);
    else if (slot.lease === '') {
      if (at >= slot.retryAt) ask(slot, at);
      else wheel.put(slot, slot.retryAt);
    } else if (at < slot.until - Math.min(LEAD_MS, slot.life >> 2)) wheel.put(slot, nextLook(slot));
    else if (slot.free === slot.granted && !slot.scarce) extend(slot);
    else if (wanted || !slot.scarce) {
      if (at >= slot.retryAt) ask(slot, at);
      else wheel.put(slot, slot.retryAt);
    } else if (at < slot.until) wheel.put(slot, slot.until);
    else {
      // Nobody wants it, and there is little left: others may have it for a while.
      giveBack(slot);
      rest(slot, at);
      wheel.put(slot, slot.retryAt);
    }
  }

  function isKept(slot: Slot, at: number, now: number): boolean {
    if (slot.dayNumber >= 0 && slot.dayNumber !== Math.floor(now / DAY_MS)) return false;
    if (now < slot.start || now >= slot.end) return false;
    return slot.warm === generation || (slot.warm > 0 && warming !== null) || at - slot.wantedAt < REMEMBERED_MS;
  }

  function retire(slot: Slot, at: number, now: number): void {
    if (slot.lease !== '' && at < slot.until) {
      wheel.put(slot, slot.until);
      return;
    }
    if (slot.lease !== '') giveBack(slot);
    const isWarm = slot.warm === generation && now < slot.end;
    // A flight that is to come is looked at now and then: a clock may jump.
    if (isWarm && now < slot.start) {
      wheel.put(slot, at + Math.min(slot.start - now, REMEMBERED_MS));
      return;
    }
    forget(slot);
    if (!isWarm || slot.dayNumber < 0) return;
    const today = Math.floor(now / DAY_MS);
    const first = slots.get(slot.id) ?? null;
    for (let other = first; other !== null; other = other.next) if (other.dayNumber === today) return;
    wheel.put(addSlot(slot.campaign.id, slot, today, first), at);
  }

  function keepWarm(size: number, at: (position: number) => Spender | null): void {
    generation++;
    warming = warmUp(Math.min(size, warm), at);
    warmMore();
  }

  function* warmUp(size: number, at: (position: number) => Spender | null): Iterator<void> {
    for (let position = 0; position < size; position++) {
      const lineItem = at(position);
      // A look costs something too, and there may be nothing but line items without a budget.
      if (lineItem === null) {
        if (position % WARMED_A_TICK === 0) yield;
        continue;
      }
      const slot = slotOf(lineItem, Date.now());
      refresh(slot, lineItem);
      slot.warm = generation;
      if (slot.lease === '' && !slot.asking && slot.dueAt < 0) wheel.put(slot, performance.now());
      yield;
    }
  }

  function warmMore(): void {
    for (let count = 0; warming !== null && count < WARMED_A_TICK; count++) if (warming.next().done) warming = null;
  }

  function tick(): void {
    const at = Math.trunc(performance.now());
    const now = Date.now();
    warmMore();
    // No more than can be sent: what is due stays so.
    if (waiting.size < CALLS_A_TICK) {
      const joined = new Set<Campaign>();
      for (const slot of wheel.take(at, SLOTS_A_TICK)) attendWithMates(slot, at, now, joined);
    }
    flush();
  }

  /** What of the same campaign is due before long goes along, so that it is leased together from now on. */
  function attendWithMates(slot: Slot, at: number, now: number, joined: Set<Campaign>): void {
    attend(slot, at, now);
    if (!slot.asking || joined.has(slot.campaign)) return;
    joined.add(slot.campaign);
    for (const mate of slot.campaign.slots) {
      if (mate.asking || mate.dueAt < 0 || mate.dueAt - at > mate.life >> 2) continue;
      wheel.drop(mate);
      attend(mate, at, now);
    }
  }

  function reap(): Promise<void> {
    return book.reap();
  }

  async function close(): Promise<void> {
    clearInterval(ticker);
    clearInterval(reaper);
    warming = null;
    // What is being granted right now would otherwise be nobody's until it is reaped.
    await Promise.all(calls);
    for (const campaign of campaigns.values()) {
      campaign.entries = campaign.entries.filter(({ way }) => way === 'back');
      campaign.askers = campaign.entries.map(() => null);
      for (const slot of campaign.slots) if (slot.lease !== '') giveBack(slot);
    }
    slots.clear();
    while (waiting.size > 0) flush();
    await Promise.all(calls);
  }
}
