/** A number with its uncertainty; `lo` ≤ `point` ≤ `hi`. */
export interface Interval {
  readonly point: number;
  readonly lo: number;
  readonly hi: number;
}

/** The same interval in another unit (`factor` > 0). */
export function scaled(interval: Interval, factor: number): Interval {
  return { point: interval.point * factor, lo: interval.lo * factor, hi: interval.hi * factor };
}
