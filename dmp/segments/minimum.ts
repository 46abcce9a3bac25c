/** The least number of people that is told: of fewer one could be known. */
export const MINIMUM = 10;

/**
 * A count that stands beside others: to the nearest ten, null below ten. So the difference of two, or what is missing to a total, is never
 * told of fewer than ten people.
 */
export function rounded(people: number): number | null {
  return people < MINIMUM ? null : Math.round(people / MINIMUM) * MINIMUM;
}
