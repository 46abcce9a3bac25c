/** The least number of people that is told: of fewer one could be known. */
export const MINIMUM = 10;

/**
 * A count that stands beside others: to the nearest ten, null below ten. So the difference of two, or what is missing to a total, is never
 * told of fewer than ten people.
 */
export function rounded(people: number): number | null {
  return people < MINIMUM ? null : Math.round(people / MINIMUM) * MINIMUM;
}

/** An interval of such counts, no narrower than it is. */
export function roundedRange<R extends { readonly lo: number; readonly hi: number }>(range: R | null): R | null {
  if (range === null) return null;
  return { ...range, lo: Math.floor(range.lo / MINIMUM) * MINIMUM, hi: Math.ceil(range.hi / MINIMUM) * MINIMUM };
}

/** Who is told: null is the operator, whose own data it is. */
export interface Told {
  readonly advertiser: string | null;
}

/**
 * A count of people as a key gets it: the operator's exactly, an advertiser's as `rounded`, since by two exact ones, of a segment and of the
 * same one without somebody, it would know that somebody. All that tells how many people there are goes through this or `rounded`.
 */
export function countFor({ advertiser }: Told, people: number): number | null {
  return advertiser === null ? people : rounded(people);
}
