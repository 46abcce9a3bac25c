/**
 * People who were read a moment ago: one who opens a page is in several requests of the same second. Two generations, so that
 * forgetting costs nothing: a person is known for at least one and at most two of them.
 *
 * They are kept as the bytes that were read, outside the heap: as objects each lived just long enough to be moved twice by the
 * garbage collector, and then filled its old generation, which stopped a worker for 50 ms every other second.
 *
 * What it costs: an impression that is booked in that time is not counted yet, as one whose notice is still under way, so a cap
 * may be overrun by the bids of one second; and who has opted out is still known for one second.
 */
export interface PersonCache {
  /** What was kept under a key, null: nothing. A copy. */
  get(key: string, now: number): Buffer | null;
  /** Keeps `head` (ASCII) and after it the bytes from `start` to `end`. */
  set(key: string, head: string, bytes: Buffer, start: number, end: number, now: number): void;
  readonly size: number;
}

export interface CacheOptions {
  /** Longest life, ms; 0: nothing is kept. */
  readonly lifeMs: number;
  /** Most people, of both generations. */
  readonly most: number;
}

/** In the mean a person with what names them takes less; where people take more, fewer are kept. */
const BYTES_EACH = 384;
const LEAST_BYTES = 16_384;
/** Longer keys and values are not kept. */
const MOST_KEY = 1_024;
const MOST_VALUE = 8_192;
/** Before each: lengths of key and value. */
const LENGTHS = 4;

interface Generation {
  readonly bytes: Buffer;
  /** 1 + where an entry begins, 0: free; open addressing by the hash beside it. */
  readonly entries: Int32Array;
  readonly hashes: Int32Array;
  used: number;
  count: number;
}

export function createPersonCache({ lifeMs, most }: CacheOptions): PersonCache {
  const generationMs = Math.max(1, lifeMs / 2);
  const mostYoung = lifeMs > 0 ? Math.floor(most / 2) : 0;
  let young = createGeneration(mostYoung);
  let old = createGeneration(mostYoung);
  let generation = 0;
  const asked = Buffer.allocUnsafeSlow(MOST_KEY * 3);
  return {
    get,
    set,
    get size() {
      return young.count + old.count;
    },
  };

  function get(key: string, now: number): Buffer | null {
    age(now);
    if (young.count + old.count === 0 || key.length > MOST_KEY) return null;
    const length = asked.write(key);
    const hash = hashOf(length);
    return valueIn(young, hash, length) ?? valueIn(old, hash, length);
  }

  function set(key: string, head: string, bytes: Buffer, start: number, end: number, now: number): void {
    const size = head.length + end - start;
    if (mostYoung < 1 || key.length > MOST_KEY || size > MOST_VALUE) return;
    age(now);
    const length = asked.write(key);
    if (young.count >= mostYoung || young.used + LENGTHS + length + size > young.bytes.length) turn();
    const hash = hashOf(length);
    const slot = slotOf(young, hash, length);
    if (young.entries[slot] === 0) young.count++;
    const at = young.used;
    young.entries[slot] = at + 1;
    young.hashes[slot] = hash;
    young.bytes.writeUInt16LE(length, at);
    young.bytes.writeUInt16LE(size, at + 2);
    asked.copy(young.bytes, at + LENGTHS, 0, length);
    young.bytes.write(head, at + LENGTHS + length, 'latin1');
    bytes.copy(young.bytes, at + LENGTHS + length + head.length, start, end);
    young.used += LENGTHS + length + size;
  }

  function valueIn(of: Generation, hash: number, length: number): Buffer | null {
    if (of.count === 0) return null;
    const entry = of.entries[slotOf(of, hash, length)] as number;
    if (entry === 0) return null;
    const at = entry - 1 + LENGTHS + length;
    return Buffer.from(of.bytes.subarray(at, at + of.bytes.readUInt16LE(entry + 1)));
  }

  /** Where the key that was asked for is, or would be. */
  function slotOf({ bytes, entries, hashes }: Generation, hash: number, length: number): number {
    const mask = entries.length - 1;
    for (let slot = hash & mask; ; slot = (slot + 1) & mask) {
      const entry = entries[slot] as number;
      if (entry === 0) return slot;
      if (hashes[slot] !== hash || bytes.readUInt16LE(entry - 1) !== length) continue;
      const start = entry - 1 + LENGTHS;
      if (bytes.compare(asked, 0, length, start, start + length) === 0) return slot;
    }
  }

  /** FNV-1a of the key that was asked for. */
  function hashOf(length: number): number {
    let hash = 0x811c9dc5;
    for (let at = 0; at < length; at++) hash = Math.imul(hash ^ (asked[at] as number), 0x01000193);
    return hash ^ (hash >>> 15);
  }

  function age(now: number): void {
    const present = Math.floor(now / generationMs);
    if (present === generation) return;
    turn();
    // Nobody came for a whole generation: the one before is over too.
    if (present !== generation + 1) empty(old);
    generation = present;
  }

  function turn(): void {
    [old, young] = [young, old];
    empty(young);
  }
}

function createGeneration(most: number): Generation {
  let slots = 16;
  while (slots < 2 * most) slots *= 2;
  const bytes = Buffer.allocUnsafeSlow(most === 0 ? 0 : Math.max(LEAST_BYTES, most * BYTES_EACH));
  return { bytes, entries: new Int32Array(slots), hashes: new Int32Array(slots), used: 0, count: 0 };
}

function empty(generation: Generation): void {
  if (generation.count > 0) generation.entries.fill(0);
  generation.used = 0;
  generation.count = 0;
}
