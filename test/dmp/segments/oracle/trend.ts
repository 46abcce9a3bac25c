import type { Trend } from '../../../../dmp/segments/nodes/trend.ts';
import { DAY, int, maybe, pick, range } from '../../segments-world.ts';
import { amountOf } from './amount.ts';
import { bought, isEvent, randomEvent } from './event.ts';
import { isWithin, type Oracle } from './leaf.ts';

export const trend: Oracle<Trend> = {
  random: (random) => {
    const of = random() < 0.6 ? { bought: bought(random) } : randomEvent(random);
    const by = pick(
      random,
      of.bought === undefined ? ([undefined, 'times', 'days'] as const) : ([undefined, 'money', 'times'] as const),
    );
    const inMoney = of.bought !== undefined && by !== 'times';
    const days = int(random, 1, 6);
    const difference = inMoney ? range(random, -4_000_000, 4_000_000) : range(random, -2, 2);
    const isRatio = random() < 0.6;
    return {
      of,
      days,
      ...(by === undefined ? {} : { by }),
      ...maybe(random, 0.3, { ago: days + int(random, 0, 3) }),
      ...(isRatio
        ? { ratio: pick(random, [{ min: 0 }, { min: 1 }, { max: 0.5 }, { max: 1 }, { min: 0.5, max: 2 }, { max: 0 }]) }
        : {}),
      ...(!isRatio || random() < 0.3 ? { difference } : {}),
    };
  },
  holds: ({ of, by, days, ago = days, ratio, difference }, { facts, world }) => {
    const between = (from: number, to: number): number => {
      const inDays = facts.filter(({ at }) => at > world.now - from * DAY && at <= world.now - to * DAY);
      return amountOf(
        by,
        of,
        inDays.filter((fact) => isEvent(fact, of, world)),
        world,
      );
    };
    const [now, before] = [between(days, 0), between(ago + days, ago)];
    if (!isWithin(now - before, difference)) return false;
    if (ratio === undefined) return true;
    if (before === 0) return now > 0 && ratio.max === undefined;
    return before > 0 && isWithin(now / before, ratio);
  },
};
