import type { Report } from '../city/report.ts';
import type { Truth } from '../city/truth.ts';

/** How many standard errors the report's estimates lie above the truth. Over many draws of the holdout: mean 0, spread at most 1. */
export interface Deviation {
  /** Of more visitors. */
  readonly visitors: number;
  /** Of the lift in visitors. */
  readonly lift: number;
  readonly revenue: number;
}

/** Standard errors in half a 95 % interval of the normal distribution. */
const HALF = 1.959963984540054;

/** Null where the report concludes nothing. */
export function deviationOf(truth: Truth, { lift }: Report): Deviation | null {
  const money = lift.revenue.incrementalMicros;
  if (lift.visitors === null || money === undefined) return null;
  const { treated, control } = lift.arms;
  return {
    visitors: above(lift.visitors.incremental, truth.incrementalVisitors),
    lift: ratioAbove(treated, control, 1 + truth.relativeLift),
    revenue: above(money, truth.incrementalRevenueMicros),
  };
}

function above({ point, lo, hi }: { point: number; lo: number; hi: number }, truth: number): number {
  return (point - truth) / ((hi - lo) / 2 / HALF);
}

type Arm = Pick<Report['lift']['arms']['treated'], 'people' | 'visitors'>;

/** The statistic whose inversion is Fieller's interval: of p1 − r·p0 at the true ratio r. */
function ratioAbove(treated: Arm, control: Arm, ratio: number): number {
  const [p1, p0] = [treated.visitors / treated.people, control.visitors / control.people];
  const variance = (p1 * (1 - p1)) / treated.people + (ratio ** 2 * p0 * (1 - p0)) / control.people;
  return (p1 - ratio * p0) / Math.sqrt(variance);
}

export interface Spread {
  readonly mean: number;
  /** Sample standard deviation; 0 of fewer than two. */
  readonly deviation: number;
  /** Beyond it a mean is told from 0. */
  readonly bound: number;
  /** How many lie within the 95 % interval. */
  readonly inside: number;
}

/** Null of no values. */
export function spreadOf(values: readonly number[]): Spread | null {
  if (values.length === 0) return null;
  const mean = values.reduce((sum, value) => sum + value, 0) / values.length;
  const squares = values.reduce((sum, value) => sum + (value - mean) ** 2, 0);
  return {
    mean,
    deviation: values.length < 2 ? 0 : Math.sqrt(squares / (values.length - 1)),
    bound: 2 / Math.sqrt(values.length),
    inside: values.filter((value) => Math.abs(value) <= HALF).length,
  };
}
