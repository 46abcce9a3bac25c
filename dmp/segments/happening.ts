import type { TSchema } from 'typebox';
import { checkBounds, checkHours, checkPlaces, checkSources, checkWindow } from './check-members.ts';
import { among, atHours, both, edgesOf, onDays, storesOf, within } from './conditions.ts';
import type { EventKind } from './event.ts';
import { age, counted, different, edgesOfAges, planOfMeasures } from './measures.ts';
import {
  ages,
  type BodyOf,
  type Bounds,
  counts,
  type HourSpan,
  HourSpan as HourSpanSchema,
  type Near,
  names,
  type Weekday,
  Weekdays,
  Window,
} from './members.ts';
import type { Language, NodeKind } from './node.ts';
import type { Compiler } from './plan.ts';
import { rowsThatCount } from './rows.ts';
import {
  ageWords,
  anyOf,
  bounded,
  clause,
  daysWords,
  hourWords,
  placeWords,
  spaced,
  TIMES,
  weekdayWords,
  windowWords,
} from './words.ts';

/** Filters of whatever happens at a time. */
const TIMED = {
  weekdays: Weekdays,
  hours: HourSpanSchema,
  sources: names('sources that told of it'),
};

const MEASURED = {
  count: counts('how many'),
  days: counts('different UTC days'),
  first: ages('days since the first'),
  last: ages('days since the last'),
  window: Window,
};

interface Timed {
  readonly weekdays?: readonly Weekday[];
  readonly hours?: HourSpan;
  readonly sources?: readonly string[];
  readonly stores?: readonly string[];
  readonly storeGroups?: readonly string[];
  readonly near?: Near;
}

interface Counted {
  readonly count?: Bounds;
  readonly days?: Bounds;
  readonly first?: Bounds;
  readonly last?: Bounds;
  readonly window?: Window;
}

export type Happening<Fields extends Readonly<Record<string, TSchema>>> = BodyOf<Fields & typeof TIMED & typeof MEASURED>;
export type HappeningFilters<Fields extends Readonly<Record<string, TSchema>>> = BodyOf<Fields & typeof TIMED>;

interface HappeningOf<Fields extends Readonly<Record<string, TSchema>>> {
  readonly says: string;
  /** As a constant of SQL: the kind of its facts. */
  readonly kind: 'redemption' | 'page' | 'action' | 'click';
  readonly fields: Fields;
  readonly examples: readonly Happening<Fields>[];
  where(filters: BodyOf<Fields>, compiler: Compiler): readonly string[];
  words(filters: BodyOf<Fields>, language: Language): string;
}

/** A kind of fact that happens at a time, one row each, and is counted. */
export function happening<const Fields extends Readonly<Record<string, TSchema>>>(
  of: HappeningOf<Fields>,
): { event: EventKind<HappeningFilters<Fields>>; node: NodeKind<Happening<Fields>> } {
  const event: EventKind<HappeningFilters<Fields>> = {
    fields: { ...of.fields, ...TIMED },
    rows: (filters, compiler) => {
      const { bound } = compiler;
      const timed: Timed = filters;
      const stores = storesOf(timed, compiler);
      return both(
        `kind = '${of.kind}'`,
        ...of.where(filters as BodyOf<Fields>, compiler),
        stores === null ? '' : among('place', stores, bound),
        onDays(timed.weekdays, bound),
        atHours(timed.hours, bound),
        among('source', timed.sources, bound),
        rowsThatCount(compiler),
      );
    },
    check: (filters, pointer, check) => {
      const timed: Timed = filters;
      checkPlaces(timed, pointer, check);
      checkHours(timed.hours, `${pointer}/hours`, check);
      checkSources(timed.sources, `${pointer}/sources`, check);
    },
    words: (filters, language) => {
      const timed: Timed = filters;
      return spaced(
        of.words(filters as BodyOf<Fields>, language),
        placeWords(timed, language),
        weekdayWords(timed.weekdays, language),
        hourWords(timed.hours, language),
        timed.sources === undefined ? '' : `(${language === 'en' ? 'says' : 'по данным'} ${anyOf(timed.sources, language)})`,
      );
    },
  };
  return {
    event,
    node: {
      says: of.says,
      fields: { ...MEASURED, ...event.fields },
      examples: of.examples,
      check: (body, pointer, check) => {
        const { count, days, first, last, window } = body as Counted;
        event.check(body as HappeningFilters<Fields>, pointer, check);
        checkWindow(window, `${pointer}/window`, check);
        for (const [name, given] of Object.entries({ count, days, first, last })) checkBounds(given, `${pointer}/${name}`, check);
      },
      plan: (body, compiler) => {
        const { count, days, first, last, window } = body as Counted;
        const rows = both(event.rows(body as HappeningFilters<Fields>, compiler), within(window, compiler));
        const given = [
          ...(count === undefined ? [] : [counted(rows, count, compiler.bound)]),
          ...(days === undefined ? [] : [different('day', rows, days, compiler.bound)]),
          ...(first === undefined ? [] : [age('first', rows, first, compiler)]),
          ...(last === undefined ? [] : [age('last', rows, last, compiler)]),
        ];
        return planOfMeasures(rows, given, [...edgesOf(window), ...edgesOfAges(first, last)]);
      },
      sentence: (body, language) => {
        const { count, days, first, last, window } = body as Counted;
        const often = count === undefined ? '' : bounded(count, TIMES, language);
        const measures = [daysWords(days, language), ageWords('first', first, language), ageWords('last', last, language)];
        return clause(event.words(body as HappeningFilters<Fields>, language), often, measures, windowWords(window, language));
      },
    },
  };
}
