import { gapMs } from '../../../dmp/segments/gap.ts';
import type { Sequence } from '../../../dmp/segments/nodes/sequence.ts';
import type { Showrooming } from '../../../dmp/segments/nodes/showrooming.ts';
import { hasChain } from './chain.ts';
import { inWindow, isEvent, type OracleWorld, type PlainFact } from './fact.ts';

export function sequenceHolds({ steps, thenNot, window }: Sequence, facts: readonly PlainFact[], world: OracleWorld): boolean {
  const chain = {
    steps: steps.map((step) => ({
      fits: (fact: PlainFact) => isEvent(fact, step, world),
      gap: step.within === undefined ? null : gapMs(step.within),
      excluded: (fact: PlainFact) => (step.without ?? []).some((event) => isEvent(fact, event, world)),
    })),
    unless:
      thenNot === undefined
        ? null
        : {
            fits: (fact: PlainFact) => isEvent(fact, thenNot, world),
            gap: thenNot.within === undefined ? null : gapMs(thenNot.within),
          },
    inWindow: (at: number) => inWindow(at, window, world.now),
  };
  return hasChain(chain, facts, world.now);
}

/** Each look against each purchase. */
export function showroomingHolds(body: Showrooming, facts: readonly PlainFact[], world: OracleWorld): boolean {
  const gap = gapMs(body.within ?? { days: 30 });
  const usable = facts.filter((fact) => fact.at <= world.now && inWindow(fact.at, body.window, world.now));
  const looks = usable.filter((fact) =>
    isEvent(fact, body.reverse === true ? { viewed: body.viewed ?? {} } : { visited: body.visited ?? {} }, world),
  );
  const bought = usable.filter(
    (fact) =>
      fact.channel === (body.reverse === true ? 'store' : 'online') && isEvent(fact, { bought: body.bought ?? {} }, world),
  );
  return looks.some((look) => bought.some((purchase) => purchase.at > look.at && purchase.at - look.at <= gap));
}
