import type { Micros } from '../../proto/money.ts';
import type { LeaseCalls, Told } from './calls.ts';
import type { Slot } from './slots.ts';
import { longerLife, nextLife, RETRY_MS, rateOf, rest, wantOf } from './terms.ts';

/** The life of a slot's lease: it is asked for, extended while nothing of it is used, replaced and given back. Times are monotonic ms. */
export interface Renewal {
  /** Asks for the next lease; an ended one goes back with the same call, since its rest may be the last of the budget. */
  ask(slot: Slot, at: number): void;
  extend(slot: Slot): void;
  giveBack(slot: Slot): void;
  /** What Redis said. */
  settle(told: Told): void;
}

export interface RenewalOptions {
  /** Unique over all workers and time. */
  readonly worker: string;
  /** How long a lease is used at first, ms. */
  readonly usableMs: number;
}

export function createRenewal(calls: Pick<LeaseCalls, 'add'>, { worker, usableMs }: RenewalOptions): Renewal {
  let counter = 0;
  return { ask, extend, giveBack, settle };

  function ask(slot: Slot, at: number): void {
    const rate = rateOf(slot, at);
    if (slot.lease !== '' && at >= slot.until) giveBack(slot);
    slot.life = nextLife(slot, rate, usableMs);
    const micros = wantOf(slot, rate);
    const need = Math.max(1, slot.cost, slot.need);
    slot.need = 0;
    calls.add(slot, slot, { way: 'ask', name: `${slot.day}.${worker}${(counter++).toString(36)}`, micros, need });
  }

  function extend(slot: Slot): void {
    slot.life = longerLife(slot, usableMs);
    calls.add(slot, slot, { way: 'extend', name: slot.lease, micros: slot.granted, need: 0 });
  }

  function giveBack(slot: Slot): void {
    const { lease, free } = slot;
    slot.lease = '';
    slot.free = 0;
    if (free > 0) calls.add(slot, null, { way: 'back', name: lease, micros: free, need: 0 });
  }

  function settle({ slot, entry: { way, name, micros, need, life }, result, since, at }: Told): void {
    slot.asking = false;
    if (way === 'extend') {
      if (result !== null && result > 0 && slot.lease === name) slot.until = since + life;
      else slot.scarce = true;
      return;
    }
    slot.scarce = result !== null && result < micros;
    if (result === null || result < need) rest(slot, at);
    else if (!slot.scarce) slot.pause = RETRY_MS;
    if (result !== null && result > 0) replace(slot, name, result, since, life);
  }

  function replace(slot: Slot, name: string, granted: Micros, since: number, life: number): void {
    if (slot.lease !== '') giveBack(slot);
    slot.lease = name;
    slot.granted = granted;
    slot.free = granted;
    slot.since = since;
    slot.until = since + life;
  }
}
