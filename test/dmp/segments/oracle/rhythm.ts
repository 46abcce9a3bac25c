import type { Rhythm } from '../../../../dmp/segments/nodes/rhythm.ts';
import { DAY, int, maybe, pick, range } from '../../segments-world.ts';
import { bought, isEvent } from './event.ts';
import { isWithin, type Oracle } from './leaf.ts';

export const rhythm: Oracle<Rhythm> = {
  random: (random) => {
    const which = random();
    return {
      ...(which < 0.4 ? { overdue: pick(random, [{ min: 1 }, { min: 2 }, { max: 1.5 }, { min: 0.5, max: 2 }]) } : {}),
      ...(which >= 0.4 && which < 0.8 ? { due: pick(random, [{ min: 0 }, { min: 0, max: 2 }, { max: -1 }, { min: -2.5 }]) } : {}),
      ...(which >= 0.8 || random() < 0.2 ? { gap: range(random, 1, 4) } : {}),
      ...maybe(random, 0.4, { by: pick(random, ['mean', 'median'] as const) }),
      ...maybe(random, 0.6, { least: int(random, 2, 4) }),
      ...maybe(random, 0.2, { bought: bought(random) }),
    };
  },
  holds: ({ bought: goods = {}, by = 'median', least = 3, gap, overdue, due }, { facts, world }) => {
    const lines = facts.filter((fact) => fact.at <= world.now && isEvent(fact, { bought: goods }, world));
    const days = [...new Set(lines.map(({ at }) => Math.floor(at / DAY)))].sort((a, b) => a - b);
    if (days.length < least) return false;
    const gaps = days.slice(1).map((day, n) => day - (days[n] as number));
    const sorted = [...gaps].sort((a, b) => a - b);
    const half = sorted.length / 2;
    const median = Number.isInteger(half)
      ? ((sorted[half - 1] as number) + (sorted[half] as number)) / 2
      : (sorted[Math.floor(half)] as number);
    const usual = by === 'mean' ? gaps.reduce((sum, one) => sum + one, 0) / gaps.length : median;
    const since = Math.floor(world.now / DAY) - (days.at(-1) as number);
    return isWithin(usual, gap) && isWithin(since / usual, overdue) && isWithin(usual - since, due);
  },
};
