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
  readonly then: { fits(fact: Fact): boolean; readonly gap: number | null } | null;
  /** Whether a step may be at the time. */
  inWindow(at: number): boolean;
}

/** What a chain means, said slowly: try every fact for every step. */
export function hasChain<Fact extends Timed>(
  { steps, then, inWindow }: ChainOracle<Fact>,
  all: readonly Fact[],
  now: number,
): boolean {
  const facts = all.filter((fact) => fact.at <= now);
  const follows = (from: number, gap: number | null): boolean =>
    then !== null && facts.some((fact) => then.fits(fact) && fact.at > from && (gap === null || fact.at <= from + gap));
  const isEnd = (last: number): boolean => {
    if (then === null) return true;
    return (then.gap === null || last + then.gap <= now) && !follows(last, then.gap);
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
