import { dayOf } from '../../proto/keys.ts';
import type { Micros } from '../../proto/money.ts';
import { highestCost } from '../core/index.ts';
import type { Entry } from './book.ts';
import { NO_DAY } from './keys.ts';
import type { Spender } from './spender.ts';

/** A line item, or a line item's day where a daily budget limits it, and its lease. Whole numbers of ms and micros: 200 bytes. */
export interface Slot {
  readonly id: string;
  readonly campaign: LeasedCampaign;
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
export interface LeasedCampaign {
  readonly id: string;
  /** Its budget as the newest index has it. */
  limit: Micros | null;
  readonly slots: Set<Slot>;
  /** What goes to Redis with the next call. */
  entries: Entry[];
  /** Slots of the entries that ask or extend; null: an entry that gives back. */
  askers: (Slot | null)[];
}

/** All slots of a worker, by line item and day. */
export interface Slots {
  /** That of the line item, on the day of `now` (epoch ms) where a daily budget limits it; made where there is none. */
  of(lineItem: Spender, now: number): Slot;
  /** The slots of a line item are linked by `next`. */
  first(id: string): Slot | null;
  /** The same line item on a later day. */
  onDay(slot: Slot, dayNumber: number): Slot | null;
  /** What the newest index says of it. */
  refresh(slot: Slot, lineItem: Spender): void;
  forget(slot: Slot): void;
  campaigns(): Iterable<LeasedCampaign>;
  /** Forgets a campaign that has neither slots nor anything to send. */
  drop(campaign: LeasedCampaign): void;
  clear(): void;
}

type Known = Pick<Slot, 'id' | 'budget' | 'start' | 'end' | 'cost' | 'warm'>;

const DAY_MS = 86_400_000;
const NEVER = -1e9;

export function dayNumberOf(now: number): number {
  return Math.floor(now / DAY_MS);
}

/** @param life ms of a first lease; `pause` before a second question where there was nothing */
export function createSlots({ life, pause }: { readonly life: number; readonly pause: number }): Slots {
  const slots = new Map<string, Slot>();
  const campaigns = new Map<string, LeasedCampaign>();
  return {
    of,
    first: (id) => slots.get(id) ?? null,
    onDay,
    refresh,
    forget,
    campaigns: () => campaigns.values(),
    drop,
    clear: () => slots.clear(),
  };

  function of(lineItem: Spender, now: number): Slot {
    const dayNumber = lineItem.budget.daily === null ? -1 : dayNumberOf(now);
    const first = slots.get(lineItem.id) ?? null;
    for (let slot = first; slot !== null; slot = slot.next) if (slot.dayNumber === dayNumber) return slot;
    const { id, budget, start, end } = lineItem;
    return add(lineItem.campaign, { id, budget, start, end, cost: highestCost(lineItem), warm: 0 }, dayNumber, first);
  }

  /** Null: there is one already. */
  function onDay(slot: Slot, dayNumber: number): Slot | null {
    const first = slots.get(slot.id) ?? null;
    for (let other = first; other !== null; other = other.next) if (other.dayNumber === dayNumber) return null;
    return add(slot.campaign.id, slot, dayNumber, first);
  }

  function add(campaignId: string, known: Known, dayNumber: number, next: Slot | null): Slot {
    const campaign = campaignOf(campaignId, known.budget.campaign);
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
      life,
      scarce: false,
      asking: false,
      wantedAt: NEVER,
      retryAt: 0,
      pause,
      need: 0,
      warm: known.warm,
      dueAt: NEVER,
    };
    slots.set(known.id, slot);
    campaign.slots.add(slot);
    return slot;
  }

  function campaignOf(id: string, limit: Micros | null): LeasedCampaign {
    let campaign = campaigns.get(id);
    if (campaign === undefined) {
      campaign = { id, limit, slots: new Set(), entries: [], askers: [] };
      campaigns.set(id, campaign);
    }
    return campaign;
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
    campaign.slots.delete(slot);
    drop(campaign);
    const first = slots.get(id);
    if (first === slot) {
      if (slot.next === null) slots.delete(id);
      else slots.set(id, slot.next);
      return;
    }
    for (let before = first ?? null; before !== null; before = before.next) if (before.next === slot) before.next = slot.next;
  }

  function drop(campaign: LeasedCampaign): void {
    const isLeft = campaign.slots.size > 0 || campaign.entries.length > 0;
    if (!isLeft && campaigns.get(campaign.id) === campaign) campaigns.delete(campaign.id);
  }
}
