import type { Person } from './core/person.ts';

/**
 * People who were read a moment ago: one who opens a page is in several requests of the same second. Two generations, so that
 * forgetting costs nothing: a person is known for at least one and at most two of them.
 *
 * What it costs: an impression that is booked in that time is not counted yet, as one whose notice is still under way, so a cap
 * may be overrun by the bids of one second; and who has opted out is still known for one second.
 */
export interface PersonCache {
  get(key: string, now: number): Person | undefined;
  set(key: string, person: Person, now: number): void;
  readonly size: number;
}

export interface CacheOptions {
  /** Longest life, ms; 0: nothing is kept. */
  readonly lifeMs: number;
  /** Most people, of both generations. */
  readonly most: number;
}

export function createPersonCache({ lifeMs, most }: CacheOptions): PersonCache {
  const generationMs = Math.max(1, lifeMs / 2);
  const mostYoung = lifeMs > 0 ? Math.floor(most / 2) : 0;
  let young = new Map<string, Person>();
  let old = new Map<string, Person>();
  let generation = 0;
  return {
    get,
    set,
    get size() {
      return young.size + old.size;
    },
  };

  function get(key: string, now: number): Person | undefined {
    age(now);
    return young.get(key) ?? old.get(key);
  }

  function set(key: string, person: Person, now: number): void {
    if (mostYoung < 1) return;
    age(now);
    if (young.size >= mostYoung) turn();
    young.set(key, person);
  }

  function age(now: number): void {
    const present = Math.floor(now / generationMs);
    if (present === generation) return;
    turn();
    // Nobody came for a whole generation: the one before is over too.
    if (present !== generation + 1) old = new Map();
    generation = present;
  }

  function turn(): void {
    old = young;
    young = new Map();
  }
}
