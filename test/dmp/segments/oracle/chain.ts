/** A fact by its time. */
export interface Timed {
  readonly at: number;
}

export interface ChainOracle<Fact extends Timed> {
  readonly steps: readonly {
    fits(fact: Fact): boolean;
    readonly gap: number | null;
    excluded(fact: Fact): boolean;
  }[];
  readonly unless: { fits(fact: Fact): boolean; readonly gap: number | null } | null;
  /** Whether a step may be at the time. */
  inWindow(at: number): boolean;
}

/** What a chain means, said slowly: try every fact for every step. */
export function hasChain<Fact extends Timed>(
  { steps, unless, inWindow }: ChainOracle<Fact>,
  all: readonly Fact[],
  now: number,
): boolean {
  const facts = all.filter((fact) => fact.at <= now);
  const follows = (from: number, gap: number | null): boolean =>
    unless !== null && facts.some((fact) => unless.fits(fact) && fact.at > from && (gap === null || fact.at <= from + gap));
  const isEnd = (last: number): boolean => {
    if (unless === null) return true;
    return (unless.gap === null || last + unless.gap <= now) && !follows(last, unless.gap);
  };
  const goesOn = (n: number, before: number | null): boolean => {
    const step = steps[n];
    if (step === undefined) return isEnd(before as number);
    return facts.some((fact) => {
      if (!step.fits(fact) || !inWindow(fact.at)) return false;
      if (before !== null) {
        if (fact.at <= before || (step.gap !== null && fact.at - before > step.gap)) return false;
        if (facts.some((other) => step.excluded(other) && other.at > before && other.at < fact.at)) return false;
      }
      return goesOn(n + 1, fact.at);
    });
  };
  return goesOn(0, null);
}
