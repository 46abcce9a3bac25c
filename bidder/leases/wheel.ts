/** Something that is to be looked at again at a time. */
export interface Due {
  /** Monotonic ms; owned by the wheel. */
  dueAt: number;
}

/**
 * A timing wheel: 100,000 things, each looked at when its time has come, without walking all of them. Whoever is put in again is
 * looked at at the new time only.
 */
export interface Wheel<Item extends Due> {
  put(item: Item, at: number): void;
  /** Takes out what is due, at most so many; the others are due at the next call. */
  take(at: number, most: number): Item[];
  /** Forgets an item. */
  drop(item: Item): void;
}

const BUCKETS = 2_048;
const NEVER = -1;

/** Things are due within a bucket's width of their time. The wheel reaches 2,048 of these: what is later is due at its reach. */
export function createWheel<Item extends Due>(widthMs: number): Wheel<Item> {
  const buckets: Item[][] = Array.from({ length: BUCKETS }, () => []);
  let next = Math.floor(performance.now() / widthMs);
  let late: Item[] = [];
  return { put, take, drop };

  function put(item: Item, at: number): void {
    const bucket = Math.min(Math.max(Math.ceil(at / widthMs), next), next + BUCKETS - 1);
    item.dueAt = Math.min(Math.ceil(at), bucket * widthMs);
    (buckets[bucket % BUCKETS] as Item[]).push(item);
  }

  function take(at: number, most: number): Item[] {
    for (const last = Math.floor(at / widthMs); next <= last; next++) {
      const bucket = buckets[next % BUCKETS] as Item[];
      if (bucket.length === 0) continue;
      buckets[next % BUCKETS] = [];
      late = late.length === 0 ? bucket : late.concat(bucket);
    }
    const due: Item[] = [];
    let seen = 0;
    for (; seen < late.length && due.length < most; seen++) {
      const item = late[seen] as Item;
      // Else it was dropped, or put in again.
      if (item.dueAt === NEVER || item.dueAt > at) continue;
      item.dueAt = NEVER;
      due.push(item);
    }
    late = seen === late.length ? [] : late.slice(seen);
    return due;
  }

  function drop(item: Item): void {
    item.dueAt = NEVER;
  }
}
