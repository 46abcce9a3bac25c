import type { Interval } from './interval.ts';
import { criticalValue, normalTwoSided, studentTwoSided } from './normal.ts';
import { relativeLift } from './ratio.ts';

/** Mean outcome of an arm and the variance of that mean. */
export interface ArmMean {
  readonly mean: number;
  readonly variance: number;
}

/** One inference: all fields come from the same difference, standard error and critical value, so none contradicts another. */
export interface Difference {
  readonly difference: Interval;
  /** Null where the control's mean is not told from zero. */
  readonly relative: Interval | null;
  readonly pValue: number;
  readonly standardError: number;
  readonly critical: number;
}

/**
 * Treated minus control: Wald's interval, Fieller's for the relative lift (it contains 0 exactly when the first does) and the
 * two-sided p of the same statistic. `df` infinite = normal. Null where there is no variation to judge by.
 */
export function differenceOf(
  treated: ArmMean,
  control: ArmMean,
  level: number,
  df = Number.POSITIVE_INFINITY,
): Difference | null {
  const standardError = Math.sqrt(treated.variance + control.variance);
  if (!(standardError > 0)) return null;
  const critical = criticalValue(1 - level, df);
  const point = treated.mean - control.mean;
  const statistic = point / standardError;
  return {
    difference: { point, lo: point - critical * standardError, hi: point + critical * standardError },
    relative: relativeLift({
      numerator: treated.mean,
      denominator: control.mean,
      numeratorVariance: treated.variance,
      denominatorVariance: control.variance,
      critical,
    }),
    pValue: df === Number.POSITIVE_INFINITY ? normalTwoSided(statistic) : studentTwoSided(statistic, df),
    standardError,
    critical,
  };
}
