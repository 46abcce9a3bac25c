/** What a sample of households counted: sums over households of `m` people, `y` of whom hold. */
export interface Clusters {
  readonly households: number;
  /** Σ m, Σ m² */
  readonly people: number;
  readonly peopleSquared: number;
  /** Σ y, Σ y², Σ y·m */
  readonly hits: number;
  readonly hitsSquared: number;
  readonly hitsTimesPeople: number;
}

export interface Range {
  readonly lo: number;
  readonly hi: number;
}

const Z = 1.959963984540054;

/**
 * How many times the variance of a share is that of as many people drawn one by one: members of a household are alike, and a household is in the
 * sample whole. The variance is the ratio estimator's, Σ(y − p·m)² over households (Cochran, Sampling Techniques, 11.8). It is never taken
 * for less than 1; where nobody or everybody holds nothing is seen of it, and households are taken to be all alike: Σm²/Σm.
 */
export function designEffect(sample: Clusters): number {
  const { households: n, people: m, hits: y } = sample;
  const p = y / m;
  const alike = sample.peopleSquared / m;
  if (n < 2 || y === 0 || y === m) return Math.max(1, alike);
  const squares = sample.hitsSquared - 2 * p * sample.hitsTimesPeople + p * p * sample.peopleSquared;
  const variance = (squares / m ** 2) * (n / (n - 1));
  return Math.max(1, variance / ((p * (1 - p)) / m));
}

/**
 * 95 % interval of the share of people, 0 to 1: Wilson's score interval with as many people as the sample is worth (Korn and Graubard 1998; Dean and
 * Pagano 2015 compare such): its people divided by the design effect and by the part of the world that it leaves out.
 *
 * @param everybody people in all, of whom the sample has its part
 */
export function clusterInterval(sample: Clusters, everybody: number): Range {
  const { people, hits } = sample;
  if (people === 0) return { lo: 0, hi: 1 };
  const p = hits / people;
  const unseen = Math.max(0, 1 - people / Math.max(people, everybody));
  if (unseen === 0) return { lo: p, hi: p };
  const worth = people / designEffect(sample) / unseen;
  const middle = p + (Z * Z) / (2 * worth);
  const reach = Z * Math.sqrt((p * (1 - p)) / worth + (Z * Z) / (4 * worth * worth));
  const scale = 1 + (Z * Z) / worth;
  return { lo: Math.max(0, Math.min(p, (middle - reach) / scale)), hi: Math.min(1, Math.max(p, (middle + reach) / scale)) };
}
