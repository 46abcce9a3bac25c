import type { Told } from './lookalike.ts';

/** Somebody whom a model has scored and who was kept from it. */
export interface Scored {
  readonly household: number;
  readonly score: number;
  readonly isSeed: boolean;
}

const Z = 1.959963984540054;

/**
 * How often a seed scores above somebody else (ties count half), with its 95 % interval. The variance is that of clusters, since a household may hold
 * seeds and others who are alike (Obuchowski, Nonparametric analysis of clustered ROC curve data, Biometrics 1997; of households of one it is
 * DeLong's); the interval is made on the logit scale, so that it stays within 0 and 1. Null where either kind is missing.
 */
export function aucOf(people: readonly Scored[]): Told | null {
  const seeds = people.filter(({ isSeed }) => isSeed).length;
  const others = people.length - seeds;
  if (seeds < 2 || others < 2) return null;
  const { placements, auc } = placementsOf(people, seeds, others);
  const variance = clusteredVariance(people, placements, auc, seeds, others);
  const fewer = Math.min(seeds, others);
  // Of a perfect order, or the reverse, no variance is seen: as Wilson's interval of so many out of so many.
  const unseen = (Z * Z) / (fewer + Z * Z);
  if (auc === 1 || auc === 0 || variance === 0)
    return { value: auc, lo: Math.max(0, auc - unseen), hi: Math.min(1, auc + unseen) };
  const logit = Math.log(auc / (1 - auc));
  const error = Math.sqrt(variance) / (auc * (1 - auc));
  const share = (x: number): number => 1 / (1 + Math.exp(-x));
  return { value: auc, lo: share(logit - Z * error), hi: share(logit + Z * error) };
}

/** Of each seed the share of others below it, of each other the share of seeds above. */
function placementsOf(people: readonly Scored[], seeds: number, others: number): { placements: Float64Array; auc: number } {
  const order = people.map((_, at) => at).sort((x, y) => (people[x] as Scored).score - (people[y] as Scored).score);
  const placements = new Float64Array(people.length);
  let seedsBelow = 0;
  let othersBelow = 0;
  let sum = 0;
  for (let from = 0; from < order.length; ) {
    let to = from;
    let tiedSeeds = 0;
    const score = (people[order[from] as number] as Scored).score;
    while (to < order.length && (people[order[to] as number] as Scored).score === score)
      if ((people[order[to++] as number] as Scored).isSeed) tiedSeeds++;
    const tiedOthers = to - from - tiedSeeds;
    for (let k = from; k < to; k++) {
      const at = order[k] as number;
      if ((people[at] as Scored).isSeed) {
        placements[at] = (othersBelow + tiedOthers / 2) / others;
        sum += placements[at] as number;
      } else placements[at] = 1 - (seedsBelow + tiedSeeds / 2) / seeds;
    }
    seedsBelow += tiedSeeds;
    othersBelow += tiedOthers;
    from = to;
  }
  return { placements, auc: sum / seeds };
}

function clusteredVariance(
  people: readonly Scored[],
  placements: Float64Array,
  auc: number,
  seeds: number,
  others: number,
): number {
  const households = new Map<number, { seeds: number; others: number }>();
  people.forEach(({ household, isSeed }, at) => {
    const sums = households.get(household) ?? { seeds: 0, others: 0 };
    sums[isSeed ? 'seeds' : 'others'] += (placements[at] as number) - auc;
    households.set(household, sums);
  });
  const withSeeds = new Set(people.filter(({ isSeed }) => isSeed).map(({ household }) => household)).size;
  const withOthers = new Set(people.filter(({ isSeed }) => !isSeed).map(({ household }) => household)).size;
  let [ofSeeds, ofOthers, ofBoth] = [0, 0, 0];
  for (const sums of households.values()) {
    ofSeeds += sums.seeds ** 2;
    ofOthers += sums.others ** 2;
    ofBoth += sums.seeds * sums.others;
  }
  const free = (n: number): number => n / Math.max(1, n - 1);
  return (
    (free(withSeeds) * ofSeeds) / seeds ** 2 +
    (free(withOthers) * ofOthers) / others ** 2 +
    (2 * free(households.size) * ofBoth) / (seeds * others)
  );
}
