/** Keys from `first` to `last`, both included. */
interface KeyRange {
  readonly first: string;
  readonly last: string;
}

/** What begins the second half of a UUIDv8: two bits are fixed. */
const LEAST = 0x8000;
const WIDTH = 0x4000;

/**
 * All keys, in ranges that hold about equally many: keys are hashes. ClickHouse orders UUIDs by their second half, so a range is a piece of a
 * table that is sorted by them.
 */
export function keyRanges(count: number): KeyRange[] {
  const parts = Math.max(1, Math.min(WIDTH, count));
  const startOf = (part: number): number => LEAST + Math.floor((WIDTH * part) / parts);
  return Array.from({ length: parts }, (_, part) => ({
    first: `00000000-0000-0000-${part === 0 ? '0000' : startOf(part).toString(16)}-000000000000`,
    last: `ffffffff-ffff-ffff-${part === parts - 1 ? 'ffff' : (startOf(part + 1) - 1).toString(16)}-ffffffffffff`,
  }));
}
