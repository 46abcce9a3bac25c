import { gapMs } from '../../../../dmp/segments/gap.ts';
import type { Sequence } from '../../../../dmp/segments/nodes/sequence.ts';
import { type Fact, int, maybe, window } from '../../segments-world.ts';
import { hasChain } from './chain.ts';
import { isEvent, randomEvent, randomGap } from './event.ts';
import { inWindow, type Oracle } from './leaf.ts';

export const sequence: Oracle<Sequence> = {
  random: (random) => {
    const length = int(random, 1, 4);
    const without = () => ({ without: [randomEvent(random), ...(random() < 0.3 ? [randomEvent(random)] : [])] });
    const isAlone = length === 1;
    return {
      steps: Array.from({ length }, (_, n) => ({
        ...randomEvent(random),
        ...(n === 0 ? {} : maybe(random, 0.5, { within: randomGap(random) })),
        ...(n === 0 ? {} : maybe(random, 0.4, without())),
      })),
      ...(isAlone || random() < 0.4
        ? { thenNot: { ...randomEvent(random), ...maybe(random, 0.6, { within: randomGap(random) }) } }
        : {}),
      ...window(random),
    };
  },
  holds: ({ steps, thenNot, window: within }, { facts, world }) =>
    hasChain(
      {
        steps: steps.map((step) => ({
          fits: (fact: Fact) => isEvent(fact, step, world),
          gap: step.within === undefined ? null : gapMs(step.within),
          excluded: (fact: Fact) => (step.without ?? []).some((event) => isEvent(fact, event, world)),
        })),
        unless:
          thenNot === undefined
            ? null
            : {
                fits: (fact: Fact) => isEvent(fact, thenNot, world),
                gap: thenNot.within === undefined ? null : gapMs(thenNot.within),
              },
        inWindow: (at) => inWindow(at, within, world.now),
      },
      facts,
      world.now,
    ),
};
