import { type ArmMean, type Difference, differenceOf } from './difference.ts';
import { criticalValue } from './normal.ts';

export interface Count {
  readonly people: number;
  readonly outcomes: number;
}

/** Share with the outcome, variance pq/n (unpooled). */
export function share({ people, outcomes }: Count): ArmMean {
  const p = outcomes / people;
  return { mean: p, variance: (p * (1 - p)) / people };
}

/** Difference of two shares of people. */
export function proportionDifference(treated: Count, control: Count, level: number): Difference | null {
  return differenceOf(share(treated), share(control), level);
}

/** The smallest true difference of shares that these numbers of people would have shown in 80 of 100 experiments. */
export function detectableDifference(treated: Count, control: Count, level: number): number {
  const p0 = control.outcomes / control.people;
  const reach = criticalValue(1 - level) + criticalValue(0.4);
  let delta = 0;
  for (let i = 0; i < 100; i++) {
    const p1 = Math.min(1, p0 + delta);
    delta = reach * Math.sqrt((p1 * (1 - p1)) / treated.people + (p0 * (1 - p0)) / control.people);
  }
  return delta;
}
