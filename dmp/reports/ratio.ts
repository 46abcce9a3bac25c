import type { Interval } from './interval.ts';

/** Two estimates whose ratio is wanted, with their variances. */
export interface RatioInput {
  readonly numerator: number;
  readonly denominator: number;
  readonly numeratorVariance: number;
  readonly denominatorVariance: number;
  /** Of the two estimates; 0 where they come from separate arms. */
  readonly covariance: number;
  /** Critical value of the level: the same as that of the difference, so that the two can never contradict. */
  readonly critical: number;
}

/**
 * Fieller's interval of numerator / denominator: every ratio r with |numerator − r·denominator| ≤ critical × its standard error.
 * Null where the denominator is not told from zero: the set is then unbounded.
 */
export function ratioInterval(input: RatioInput): Interval | null {
  const { numerator, denominator } = input;
  const squared = input.critical ** 2;
  const a = denominator ** 2 - squared * input.denominatorVariance;
  const b = numerator * denominator - squared * input.covariance;
  const c = numerator ** 2 - squared * input.numeratorVariance;
  if (!(a > 0)) return null;
  const half = Math.sqrt(Math.max(0, b * b - a * c));
  return { point: numerator / denominator, lo: (b - half) / a, hi: (b + half) / a };
}

/** p1 / p0 − 1 of two separate arms. */
export function relativeLift(input: Omit<RatioInput, 'covariance'>): Interval | null {
  const ratio = ratioInterval({ ...input, covariance: 0 });
  return ratio === null ? null : { point: ratio.point - 1, lo: ratio.lo - 1, hi: ratio.hi - 1 };
}
