import type { Attribute } from '../../../../dmp/segments/nodes/attribute.ts';
import { DAY, type Fact, maybe, pick, range, SOURCES, some } from '../../segments-world.ts';
import { isWithin, type Oracle } from './leaf.ts';

export const attribute: Oracle<Attribute> = {
  weight: 2,
  random: (random) => ({
    name: pick(random, ['age', 'city', 'birthday']),
    ...maybe(random, 0.3, { in: some(random, ['x', "y'", 3, true, '4']) }),
    ...maybe(random, 0.3, range(random, 0, 5)),
    ...maybe(random, 0.15, { since: pick(random, ['2026-03-15', '2026-03-18']) }),
    ...maybe(random, 0.15, { before: pick(random, ['2026-03-16', '2026-03-20', '2026-03-21']) }),
    ...maybe(random, 0.15, { daysAgo: range(random, 0, 9) }),
    ...maybe(random, 0.15, { sources: some(random, SOURCES) }),
  }),
  holds: ({ name, in: listed, min, max, since, before, daysAgo, sources }, { facts, world }) => {
    const said = facts.filter(
      (fact) => fact.kind === 'attribute' && fact.name === name && (sources?.includes(fact.source) ?? true),
    );
    const newest = said.filter((fact) => !said.some((other) => other.source === fact.source && isLater(other, fact)));
    return newest.some(({ item, number }) => {
      const day = /^\d{4}-\d{2}-\d{2}/.exec(item)?.[0];
      const age = day === undefined ? Number.NaN : (Math.floor(world.now / DAY) * DAY - Date.parse(day)) / DAY;
      return (
        (listed === undefined || listed.map(String).includes(item)) &&
        (min === undefined || number >= min) &&
        (max === undefined || number <= max) &&
        (since === undefined || (day !== undefined && day >= since)) &&
        (before === undefined || (day !== undefined && day < before)) &&
        (daysAgo === undefined || isWithin(age, daysAgo))
      );
    });
  },
};

function isLater(a: Fact, b: Fact): boolean {
  return a.at > b.at || (a.at === b.at && a.identifier > b.identifier);
}
