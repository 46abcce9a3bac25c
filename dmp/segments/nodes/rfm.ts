import { Type } from 'typebox';
import { checkBounds, checkCurrency, checkWindow } from '../check-members.ts';
import { between, both, edgesOf, within } from '../conditions.ts';
import { checkEvent, eventRows, eventWords, type Filters, filtersOf } from '../events.ts';
import { type BodyOf, counts, Window } from '../members.ts';
import { moneyIn } from '../money.ts';
import type { NodeKind } from '../node.ts';
import { VALUES } from '../plan.ts';
import { boundedBy, numeral, spaced, windowWords } from '../words.ts';

const MEASURES = ['recency', 'frequency', 'monetary'] as const;

const FIELDS = {
  recency: counts('group by the last purchase: the greater the newer'),
  frequency: counts('group by the number of receipts'),
  monetary: counts('group by the money of all receipts'),
  total: counts('the three groups added up'),
  groups: Type.Integer({ minimum: 2, maximum: 20, description: 'into how many groups people are divided; absent: 5' }),
  bought: Type.Unsafe<Filters['bought']>({ ...filtersOf('bought'), description: 'the purchases that count; absent: all' }),
  window: Window,
};
export type Rfm = BodyOf<typeof FIELDS>;

const USUAL = 5;

export const rfm: NodeKind<Rfm> = {
  says: 'Recency, frequency, monetary: all who bought are put in order by each and divided into equal groups, of which 1 is the least and 5 the best. Equal people are in one group. Who did not buy is in none.',
  fields: FIELDS,
  examples: [
    { recency: { min: 4 }, frequency: { min: 4 }, monetary: { min: 4 } },
    { recency: { max: 2 }, monetary: { min: 5 }, bought: { stores: ['st_1'] }, window: { days: 365 } },
    { total: { min: 25 }, groups: 10 },
  ],
  check: (body, pointer, check) => {
    const { groups = USUAL, bought = {}, window } = body;
    checkEvent({ bought }, pointer, check);
    checkWindow(window, `${pointer}/window`, check);
    checkCurrency(bought.currency, `${pointer}/bought/currency`, check);
    const given = [...MEASURES, 'total' as const].filter((name) => body[name] !== undefined);
    if (given.length === 0) check.fault(pointer, 'too_few_properties', 'needs recency, frequency, monetary or total');
    for (const name of given) {
      checkBounds(body[name], `${pointer}/${name}`, check);
      const most = name === 'total' ? 3 * groups : groups;
      if ((body[name]?.min ?? 0) > most) check.fault(`${pointer}/${name}/min`, 'maximum', `there is no group above ${most}`);
    }
  },
  plan: (body, compiler) => {
    const { bound } = compiler;
    const { bought = {}, groups = USUAL } = body;
    const { amount } = moneyIn(bought.currency, compiler);
    const rows = both(eventRows({ bought }, compiler), within(body.window, compiler));
    // Where the groups begin, each at the person of this place in the order. The share is a number of the code, as the function wants it.
    const places = Array.from({ length: groups - 1 }, (_, n) => (n + 1) / groups).join(', ');
    return {
      measures: [`maxIf(at, ${rows})`, `uniqExactIf(once, ${rows})`, `sumIf(${amount}, ${rows})`],
      rows,
      edges: edgesOf(body.window),
      others: {
        values: ['max(at)', 'uniqExact(once)', `sum(${amount})`],
        places: VALUES.map((value) => `quantilesExact(${places})(${value})`).join(', '),
        types: ["Array(DateTime64(3, 'UTC'))", 'Array(UInt64)', 'Array(Int64)'],
      },
      holds: (columns, starts) => {
        const group = (n: number): string => `(1 + arrayCount(start -> ${columns[n]} >= start, ${starts[n]}))`;
        return `(${both(
          `${columns[1]} > 0`,
          ...MEASURES.map((name, n) => (body[name] === undefined ? '' : between(group(n), body[name], bound))),
          body.total === undefined ? '' : between(`(${[0, 1, 2].map(group).join(' + ')})`, body.total, bound),
        )})`;
      },
    };
  },
  sentence: (body, language) => {
    const en = language === 'en';
    const { groups = USUAL, bought = {} } = body;
    const words = {
      recency: en ? 'recency' : 'давность',
      frequency: en ? 'frequency' : 'частота',
      monetary: en ? 'money' : 'деньги',
      total: en ? 'recency, frequency and money together' : 'давность, частота и деньги вместе',
    };
    const parts = [...MEASURES, 'total' as const].flatMap((name) =>
      body[name] === undefined ? [] : [`${words[name]} ${boundedBy(body[name], '', language)}`],
    );
    return spaced(
      eventWords({ bought }, language),
      windowWords(body.window, language),
      en
        ? `and among all who did score, from 1 to ${numeral(groups, language)}:`
        : `и среди всех покупавших получают оценки от 1 до ${numeral(groups, language)}:`,
      parts.join(', '),
    );
  },
};
