import type { Bounds, HourSpan, Weekday, Window } from '../../../../dmp/segments/members.ts';
import { ages, type Fact, maybe, type Random, range, SOURCES, some, times, window } from '../../segments-world.ts';
import { different, inWindow, isAged, isTimed, measured, type Unit } from './leaf.ts';

interface Counted {
  readonly count?: Bounds;
  readonly days?: Bounds;
  readonly first?: Bounds;
  readonly last?: Bounds;
  readonly window?: Window;
  readonly weekdays?: Weekday[];
  readonly hours?: HourSpan;
  readonly sources?: string[];
}

/** Members that redemptions, pages and actions have alike. */
export const counted = (random: Random): Counted => ({
  ...maybe(random, 0.5, { count: range(random, 0, 3) }),
  ...maybe(random, 0.15, { days: range(random, 0, 3) }),
  ...ages(random),
  ...window(random),
  ...times(random),
  ...maybe(random, 0.1, { sources: some(random, SOURCES) }),
});

/** Whether the facts that fit are so many. */
export function holdsOf(body: Counted, { facts, world }: Unit, fits: (fact: Fact) => boolean): boolean {
  const rows = facts.filter(
    (fact) =>
      fits(fact) &&
      inWindow(fact.at, body.window, world.now) &&
      isTimed(fact, body) &&
      (body.sources?.includes(fact.source) ?? true),
  );
  const isGiven = [body.first, body.last].some((bounds) => bounds !== undefined);
  return (
    isAged(rows, body, world.now) &&
    measured(
      [...(isGiven ? [[0, {}] as const] : []), [rows.length, body.count], [different(rows.map(({ day }) => day)), body.days]],
      rows.length,
    )
  );
}
