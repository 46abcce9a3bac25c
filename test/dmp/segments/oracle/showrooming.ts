import { gapMs } from '../../../../dmp/segments/gap.ts';
import type { Showrooming } from '../../../../dmp/segments/nodes/showrooming.ts';
import { maybe, window } from '../../segments-world.ts';
import { bought, isEvent, randomGap, visited } from './event.ts';
import { inWindow, type Oracle } from './leaf.ts';

/** Each look against each purchase. */
export const showrooming: Oracle<Showrooming> = {
  random: (random) => {
    const reverse = random() < 0.5;
    return {
      ...(reverse ? { reverse } : {}),
      ...(reverse ? maybe(random, 0.5, { viewed: { urlContains: 'shop' } }) : maybe(random, 0.5, { visited: visited(random) })),
      ...maybe(random, 0.5, { bought: bought(random) }),
      ...maybe(random, 0.5, { within: randomGap(random) }),
      ...window(random),
    };
  },
  holds: (body, { facts, world }) => {
    const gap = gapMs(body.within ?? { days: 30 });
    const [looked, channel] = body.reverse === true ? ['viewed', 'store'] : ['visited', 'online'];
    const usable = facts.filter(({ at }) => at <= world.now && inWindow(at, body.window, world.now));
    const looks = usable.filter((fact) => isEvent(fact, { [looked as 'viewed']: body[looked as 'viewed'] ?? {} }, world));
    const lines = usable.filter((fact) => fact.channel === channel && isEvent(fact, { bought: body.bought ?? {} }, world));
    return looks.some((look) => lines.some((line) => line.at > look.at && line.at - look.at <= gap));
  },
};
