import type { Exposures } from '../../../../dmp/segments/nodes/exposures.ts';
import { ages, type Fact, int, maybe, range, some, times, window } from '../../segments-world.ts';
import { different, inWindow, isAged, isTimed, measured, type Oracle } from './leaf.ts';

export const exposures: Oracle<Exposures> = {
  random: (random) => ({
    ...maybe(random, 0.4, { count: range(random, 0, 4) }),
    ...maybe(random, 0.2, { clicks: range(random, 0, 2) }),
    ...maybe(random, 0.2, { ignored: int(random, 1, 3) }),
    ...maybe(random, 0.1, { days: range(random, 0, 3) }),
    ...ages(random),
    ...window(random),
    ...times(random),
    ...maybe(random, 0.3, { campaigns: some(random, ['cmp_1', 'cmp_2']) }),
    ...maybe(random, 0.3, { lineItems: some(random, ['li_1', 'li_2']) }),
    ...maybe(random, 0.3, { creatives: some(random, ['cr_1', 'cr_2']) }),
  }),
  holds: (body, { facts, world }) => {
    const fits = (wanted: Fact['kind']): Fact[] =>
      facts.filter(
        (fact) =>
          fact.kind === wanted &&
          inWindow(fact.at, body.window, world.now) &&
          isTimed(fact, body) &&
          (body.campaigns?.includes(fact.name) ?? true) &&
          (body.lineItems?.includes(fact.item) ?? true) &&
          (body.creatives?.includes(fact.value) ?? true),
      );
    const [seen, clicks] = [fits('impression'), fits('click')];
    const ignores = seen.length >= (body.ignored ?? 0) && clicks.length === 0;
    if (body.ignored !== undefined && !ignores) return false;
    const isGiven = [body.ignored, body.first, body.last].some((given) => given !== undefined);
    return (
      isAged(seen, body, world.now) &&
      measured(
        [
          ...(isGiven ? [[0, {}] as const] : []),
          [seen.length, body.count],
          [clicks.length, body.clicks],
          [different(seen.map(({ day }) => day)), body.days],
        ],
        seen.length,
      )
    );
  },
};
