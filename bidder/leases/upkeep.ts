import type { Renewal } from './renewal.ts';
import { dayNumberOf, type LeasedCampaign, type Slot, type Slots } from './slots.ts';
import type { Spender } from './spender.ts';
import { isWanted, leadOf, nextLook, rest } from './terms.ts';
import { createWheel } from './wheel.ts';

/** Keeps leases ahead of need, so that the first bid after a quiet time does not miss one. Times are monotonic ms, `now` epoch ms. */
export interface Upkeep {
  /** Line items at positions 0 to `size` − 1 are kept with a lease from now on, no others; null: it has no budget. */
  keepWarm(size: number, at: (position: number) => Spender | null): void;
  /** Looks at a slot again when it is time. */
  later(slot: Slot, at: number): void;
  /** The next few line items that are to be kept warm. */
  warmMore(): void;
  /** Looks at a few of the slots that are due. */
  attendDue(at: number, now: number): void;
  stop(): void;
}

/** Within which leases are due together. */
const WHEEL_MS = 50;
/** Slots looked at, and line items made warm, at once: requests are served in between. */
const SLOTS_AT_ONCE = 100;
const WARMED_AT_ONCE = 20;
/** After so long without demand it is forgotten. */
const REMEMBERED_MS = 600_000;

export function createUpkeep(slots: Slots, { ask, extend, giveBack }: Renewal): Upkeep {
  const wheel = createWheel<Slot>(WHEEL_MS);
  let warming: Iterator<void> | null = null;
  let generation = 0;
  return { keepWarm, later, warmMore, attendDue, stop };

  function keepWarm(size: number, at: (position: number) => Spender | null): void {
    generation++;
    warming = warmUp(size, at);
    warmMore();
  }

  function* warmUp(size: number, at: (position: number) => Spender | null): Iterator<void> {
    for (let position = 0; position < size; position++) {
      const lineItem = at(position);
      // A look costs something too, and there may be nothing but line items without a budget.
      if (lineItem === null) {
        if (position % WARMED_AT_ONCE === 0) yield;
        continue;
      }
      const slot = slots.of(lineItem, Date.now());
      slots.refresh(slot, lineItem);
      slot.warm = generation;
      if (slot.lease === '' && !slot.asking && slot.dueAt < 0) wheel.put(slot, performance.now());
      yield;
    }
  }

  function warmMore(): void {
    for (let count = 0; warming !== null && count < WARMED_AT_ONCE; count++) if (warming.next().done) warming = null;
  }

  function later(slot: Slot, at: number): void {
    wheel.put(slot, Math.max(at + 1, nextLook(slot)));
  }

  function attendDue(at: number, now: number): void {
    const joined = new Set<LeasedCampaign>();
    for (const slot of wheel.take(at, SLOTS_AT_ONCE)) attendWithMates(slot, at, now, joined);
  }

  /** What of the same campaign is due before long goes along, so that it is leased together from now on. */
  function attendWithMates(slot: Slot, at: number, now: number, joined: Set<LeasedCampaign>): void {
    attend(slot, at, now);
    if (!slot.asking || joined.has(slot.campaign)) return;
    joined.add(slot.campaign);
    for (const mate of slot.campaign.slots) {
      if (mate.asking || mate.dueAt < 0 || mate.dueAt - at > mate.life >> 2) continue;
      wheel.drop(mate);
      attend(mate, at, now);
    }
  }

  /** Asks, extends or lets go, where it is time for that. */
  function attend(slot: Slot, at: number, now: number): void {
    if (slot.asking) return;
    if (!isWanted(slot, at) && !isKept(slot, at, now)) retire(slot, at, now);
    else if (slot.lease === '') askOrWait(slot, at);
    else if (at < leadOf(slot)) wheel.put(slot, nextLook(slot));
    else if (slot.free === slot.granted && !slot.scarce) extend(slot);
    else if (isWanted(slot, at) || !slot.scarce) askOrWait(slot, at);
    else if (at < slot.until) wheel.put(slot, slot.until);
    else {
      // Nobody wants it, and there is little left: others may have it for a while.
      giveBack(slot);
      rest(slot, at);
      wheel.put(slot, slot.retryAt);
    }
  }

  function askOrWait(slot: Slot, at: number): void {
    if (at >= slot.retryAt) ask(slot, at);
    else wheel.put(slot, slot.retryAt);
  }

  function isKept(slot: Slot, at: number, now: number): boolean {
    if (slot.dayNumber >= 0 && slot.dayNumber !== dayNumberOf(now)) return false;
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
    wheel.drop(slot);
    slots.forget(slot);
    const today = isWarm && slot.dayNumber >= 0 ? slots.onDay(slot, dayNumberOf(now)) : null;
    if (today !== null) wheel.put(today, at);
  }

  function stop(): void {
    warming = null;
  }
}
