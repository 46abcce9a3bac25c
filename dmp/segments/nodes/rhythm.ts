import { Type } from 'typebox';
import { checkBounds } from '../check-members.ts';
import { between, both, DAY_MS } from '../conditions.ts';
import { checkEvent, eventRows, eventWords, type Filters, filtersOf } from '../events.ts';
import { type BodyOf, type Bounds, bounds, counts } from '../members.ts';
import type { Language, NodeKind } from '../node.ts';
import { below, bounded, boundedBy, DAYS, daysWords, spaced } from '../words.ts';

const FIELDS = {
  bought: Type.Unsafe<Filters['bought']>({ ...filtersOf('bought'), description: 'the purchases that count; absent: all' }),
  by: Type.Unsafe<'median' | 'mean'>({
    type: 'string',
    enum: ['median', 'mean'],
    description: 'of the gaps between days with purchases; absent: the median',
  }),
  least: Type.Integer({ minimum: 2, maximum: 1_000, description: 'days with purchases that make a rhythm; absent: 3' }),
  gap: counts('days of the rhythm'),
  overdue: counts('days since the last purchase by those of the rhythm: 2 is a person who has let one purchase pass'),
  due: bounds('days until the next purchase is due, negative where it is overdue: { "min": 0, "max": 7 } is within a week'),
};
export type Rhythm = BodyOf<typeof FIELDS>;

const LEAST = 3;
export const rhythm: NodeKind<Rhythm> = {
  says: 'The person’s own rhythm of purchases, by UTC days: who is about to buy, who is overdue and at risk. Who has bought on fewer days than make a rhythm has none.',
  fields: FIELDS,
  examples: [
    { overdue: { min: 2 } },
    { due: { min: 0, max: 7 }, bought: { categories: ['DAIRY'] } },
    { gap: { max: 10 }, by: 'mean', least: 5, overdue: { min: 1.5, max: 4 } },
  ],
  check: (body, pointer, check) => {
    checkEvent({ bought: body.bought ?? {} }, pointer, check);
    const given = (['gap', 'overdue', 'due'] as const).filter((name) => body[name] !== undefined);
    if (given.length === 0) check.fault(pointer, 'too_few_properties', 'needs gap, overdue or due');
    for (const name of given) checkBounds(body[name], `${pointer}/${name}`, check);
  },
  plan: ({ bought = {}, by = 'median', least = LEAST, gap, overdue, due }, compiler) => {
    const { bound, scope } = compiler;
    const rows = both(eventRows({ bought }, compiler), `at <= ${bound.time(scope.now)}`);
    const today = bound.add('Int32', Math.floor(scope.now / DAY_MS));
    return {
      measures: [`groupUniqArrayIf(toInt32(toUInt16(day)), ${rows})`],
      rows,
      // Each midnight is another day for everybody.
      edges: 'midnight',
      holds: ([days]) => {
        const gaps = `arraySort(arrayPopFront(arrayDifference(arraySort(${days}))))`;
        const middle = (array: string): string =>
          `((${array}[intDiv(length(${array}) + 1, 2)] + ${array}[intDiv(length(${array}) + 2, 2)]) / 2)`;
        const usual = by === 'mean' ? `((arrayMax(${days}) - arrayMin(${days})) / (length(${days}) - 1))` : middle(gaps);
        const since = `(${today} - arrayMax(${days}))`;
        return `(length(${days}) >= ${bound.add('UInt32', least)} AND ${both(
          gap === undefined ? '' : between(usual, gap, bound),
          overdue === undefined ? '' : between(`(${since} / ${usual})`, overdue, bound),
          due === undefined ? '' : between(`(${usual} - ${since})`, due, bound),
        )})`;
      },
    };
  },
  sentence: ({ bought = {}, by = 'median', least = LEAST, gap, overdue, due }, language) => {
    const en = language === 'en';
    const parts = [
      gap === undefined ? '' : `${en ? 'it is' : 'он'} ${bounded(gap, DAYS, language)}`,
      overdue === undefined
        ? ''
        : `${en ? 'the last was' : 'последний раз был'} ${boundedBy(overdue, '', language)} ${en ? 'such gaps ago' : 'таких промежутков назад'}`,
      due === undefined ? '' : dueWords(due, language),
    ].filter((words) => words !== '');
    const kind = by === 'mean' ? (en ? 'mean' : 'средний') : en ? 'median' : 'медианный';
    const days = daysWords({ min: least }, language);
    return spaced(
      eventWords({ bought }, language),
      en ? `${days}, and by the ${kind} gap between them` : `${days}, и ${kind} промежуток между ними таков:`,
      parts.join(en ? ' and ' : ' и '),
    );
  },
};

/** "the next is due in at most 7 days", "the next was due at least 2 days ago" */
function dueWords(due: Bounds, language: Language): string {
  const ago = below(due);
  const said = bounded(ago ?? due, DAYS, language);
  if (language === 'en') return ago === null ? `the next is due in ${said}` : `the next was due ${said} ago`;
  return ago === null ? `до следующего раза ${said}` : `следующий раз ожидался ${said} назад`;
}
