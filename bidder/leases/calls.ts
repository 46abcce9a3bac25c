import type { Micros } from '../../proto/money.ts';
import type { Entry, LeaseBook } from './book.ts';
import type { LeasedCampaign, Slot } from './slots.ts';

/** What slots ask of Redis, on its way: one call for what a campaign's line items need at the same time, a few calls at once. */
export interface LeaseCalls {
  /** @param asker null: gives back, and waits for nothing */
  add(slot: Slot, asker: Slot | null, entry: Asked): void;
  /** Sends what there is at the end of this turn of the event loop. */
  flushSoon(): void;
  flush(): void;
  /** Whether what is asked now goes with the next flush. */
  hasRoom(): boolean;
  /** What was begun has ended. */
  ended(): Promise<unknown>;
  /** Sends all of what gives back, and forgets the rest. */
  end(campaigns: Iterable<LeasedCampaign>): Promise<void>;
}

export type Asked = Pick<Entry, 'way' | 'name' | 'micros' | 'need'>;

/** An answer to what a slot asked. */
export interface Told {
  readonly slot: Slot;
  readonly entry: Entry;
  /** Micros; null: Redis did not say. */
  readonly result: Micros | null;
  /** Monotonic ms before the call, so that our use ends before Redis thinks it does, and of the answer. */
  readonly since: number;
  readonly at: number;
}

export interface LeaseCallsDeps {
  readonly book: Pick<LeaseBook, 'turn'>;
  readonly settle: (told: Told) => void;
  /** A campaign has nothing more to send. */
  readonly onSent: (campaign: LeasedCampaign) => void;
}

/** Calls to Redis begun at once: requests are served in between. */
const CALLS_AT_ONCE = 8;
/** Entries in one call, since Redis does nothing else meanwhile. */
const ENTRIES_A_CALL = 50;

export function createLeaseCalls({ book, settle, onSent }: LeaseCallsDeps): LeaseCalls {
  /** Campaigns with entries, those with the oldest first. */
  const waiting = new Set<LeasedCampaign>();
  const calls = new Set<Promise<void>>();
  let isFlushing = false;
  return { add, flushSoon, flush, hasRoom: () => waiting.size < CALLS_AT_ONCE, ended: () => Promise.all(calls), end };

  function add({ id, campaign, day, budget, life }: Slot, asker: Slot | null, { way, name, micros, need }: Asked): void {
    if (asker !== null) asker.asking = true;
    campaign.entries.push({ way, lineItem: id, day, budget, name, micros, need, life });
    campaign.askers.push(asker);
    waiting.add(campaign);
  }

  /** All that the requests of this turn need goes in one call a campaign. */
  function flushSoon(): void {
    if (isFlushing) return;
    isFlushing = true;
    setImmediate(() => {
      isFlushing = false;
      flush();
    });
  }

  function flush(): void {
    let begun = 0;
    for (const campaign of waiting) {
      while (campaign.entries.length > 0 && begun < CALLS_AT_ONCE) {
        begun++;
        begin(campaign, campaign.entries.splice(0, ENTRIES_A_CALL), campaign.askers.splice(0, ENTRIES_A_CALL));
      }
      if (campaign.entries.length > 0) return;
      waiting.delete(campaign);
      onSent(campaign);
    }
  }

  function begin(campaign: LeasedCampaign, entries: readonly Entry[], askers: readonly (Slot | null)[]): void {
    const since = Math.floor(performance.now());
    const call = book.turn(campaign, entries).then((results) => {
      calls.delete(call);
      const at = Math.trunc(performance.now());
      askers.forEach((slot, index) => {
        const result = results === null ? null : (results[index] as Micros);
        if (slot !== null) settle({ slot, entry: entries[index] as Entry, result, since, at });
      });
    });
    calls.add(call);
  }

  async function end(campaigns: Iterable<LeasedCampaign>): Promise<void> {
    for (const campaign of campaigns) {
      campaign.entries = campaign.entries.filter(({ way }) => way === 'back');
      campaign.askers = campaign.entries.map(() => null);
      if (campaign.entries.length > 0) waiting.add(campaign);
    }
    while (waiting.size > 0) flush();
    await Promise.all(calls);
  }
}
