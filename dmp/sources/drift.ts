/** How far a distribution moved: the population stability index over buckets, Σ (p − q) · ln(p / q). */

/** Below nothing moved; from `alarm` on somebody should look. The bounds that credit scoring uses. */
export const PSI = { watch: 0.1, alarm: 0.25 } as const;
/** Fewer rows than this on either side move by chance alone. */
export const LEAST_ROWS = 200;
const MOST_BUCKETS = 24;

export type Counts = ReadonlyMap<string, number>;

/**
 * Of today's counts by bucket against those of before; null where there are too few of either. Of many buckets those that were
 * largest before count each for itself, the others as one. Half a row is added everywhere, so that an empty bucket is no infinity.
 */
export function psi(today: Counts, before: Counts): number | null {
  const [n, m] = [total(today), total(before)];
  if (n < LEAST_ROWS || m < LEAST_ROWS) return null;
  const named = [...before]
    .sort((a, b) => b[1] - a[1] || (a[0] < b[0] ? -1 : 1))
    .slice(0, MOST_BUCKETS - 1)
    .map(([bucket]) => bucket);
  const parts = (counts: Counts): number[] => {
    const own = named.map((bucket) => counts.get(bucket) ?? 0);
    return [...own, total(counts) - own.reduce((sum, count) => sum + count, 0)];
  };
  const then = parts(before);
  const pairs = parts(today)
    .map((count, index) => [count, then[index] as number] as const)
    .filter(([count, earlier]) => count + earlier > 0);
  return pairs.reduce((sum, [count, earlier]) => {
    const p = (count + 0.5) / (n + 0.5 * pairs.length);
    const q = (earlier + 0.5) / (m + 0.5 * pairs.length);
    return sum + (p - q) * Math.log(p / q);
  }, 0);
}

function total(counts: Counts): number {
  let sum = 0;
  for (const count of counts.values()) sum += count;
  return sum;
}
