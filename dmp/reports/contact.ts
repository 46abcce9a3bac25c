import type { Interval } from './interval.ts';
import { criticalValue } from './normal.ts';
import { ratioInterval } from './ratio.ts';

/** An arm of the decided people, by exposure and outcome. */
export interface ContactArm {
  readonly people: number;
  readonly exposed: number;
  readonly outcomes: number;
  readonly exposedOutcomes: number;
}

export interface PerExposed {
  /** Share truly exposed among the treated minus that among the control. */
  readonly contact: Interval;
  /** Effect on the share with the outcome, per exposed person; null where the contact is too weak to divide by. */
  readonly effect: Interval | null;
}

/** Below this share of contact the effect per exposed person is not given. */
export const LEAST_CONTACT = 0.05;

/**
 * Effect per exposed person (local average treatment effect): intention to treat / contact, with the Anderson–Rubin set
 * {L : |Y − L·D| ≤ z·SE(Y − L·D)}, which is Fieller's interval with the arms' covariances. It contains 0 exactly when the
 * interval of the intention to treat does. Assumes no effect without an exposure.
 */
export function perExposed(treated: ContactArm, control: ContactArm, level: number): PerExposed {
  const t = momentsOf(treated);
  const c = momentsOf(control);
  const critical = criticalValue(1 - level);
  const point = t.exposed - c.exposed;
  const variance = t.exposedVariance + c.exposedVariance;
  const half = critical * Math.sqrt(variance);
  const contact = { point, lo: point - half, hi: point + half };
  if (point < LEAST_CONTACT || contact.lo <= 0) return { contact, effect: null };
  const effect = ratioInterval({
    numerator: t.outcome - c.outcome,
    denominator: point,
    numeratorVariance: t.outcomeVariance + c.outcomeVariance,
    denominatorVariance: variance,
    covariance: t.covariance + c.covariance,
    critical,
  });
  return { contact, effect };
}

/** Shares, and the variances and covariance of the shares. */
function momentsOf({ people, exposed, outcomes, exposedOutcomes }: ContactArm) {
  const d = exposed / people;
  const y = outcomes / people;
  return {
    exposed: d,
    outcome: y,
    exposedVariance: (d * (1 - d)) / people,
    outcomeVariance: (y * (1 - y)) / people,
    covariance: (exposedOutcomes / people - y * d) / people,
  };
}
