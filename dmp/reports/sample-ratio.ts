import { normalTwoSided } from './normal.ts';

/** Below this p the arms do not have the sizes that the holdout gives them, and nothing can be concluded. */
export const SRM_ALPHA = 0.001;

/** Fewer than this many expected in an arm: the chi-square distribution does not hold. */
const LEAST_EXPECTED = 5;

/**
 * Sample ratio mismatch: chi-square, one degree of freedom, of the arms' sizes against the holdout's share (0…1). Null where
 * too few are expected in an arm to test.
 */
export function sampleRatioP(treated: number, control: number, expectedShare: number): number | null {
  const people = treated + control;
  const expectedControl = people * expectedShare;
  const expectedTreated = people - expectedControl;
  if (Math.min(expectedControl, expectedTreated) < LEAST_EXPECTED) return null;
  const chiSquare = (control - expectedControl) ** 2 / expectedControl + (treated - expectedTreated) ** 2 / expectedTreated;
  return normalTwoSided(Math.sqrt(chiSquare));
}
