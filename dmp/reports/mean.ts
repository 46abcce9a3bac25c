import { type Difference, differenceOf } from './difference.ts';

/** An outcome per person: mean and sample variance (divisor n − 1) over all people of the arm, those with 0 included. */
export interface Sample {
  readonly people: number;
  readonly mean: number;
  readonly sampleVariance: number;
}

/** Welch's difference of two means: unequal variances, degrees of freedom of Welch and Satterthwaite. */
export function meanDifference(treated: Sample, control: Sample, level: number): Difference | null {
  const t = treated.sampleVariance / treated.people;
  const c = control.sampleVariance / control.people;
  const df = (t + c) ** 2 / (t ** 2 / (treated.people - 1) + c ** 2 / (control.people - 1));
  return df > 0 ? differenceOf({ mean: treated.mean, variance: t }, { mean: control.mean, variance: c }, level, df) : null;
}
