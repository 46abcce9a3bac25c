import { Type } from 'typebox';
import { amountOf, By, byOf, checkBy } from '../amount.ts';
import type { Binder } from '../binder.ts';
import { checkBounds } from '../check-members.ts';
import { between, both, DAY_MS } from '../conditions.ts';
import { checkEvent, type Event, event, eventRows, eventWords } from '../events.ts';
import { type BodyOf, type Bounds, bounds } from '../members.ts';
import type { NodeKind } from '../node.ts';
import { below, boundedBy, counted, DAYS, type Forms, windowWords } from '../words.ts';

const FIELDS = {
  of: event('what'),
  by: By,
  days: Type.Integer({ minimum: 1, maximum: 3_650, description: 'length of both windows; this one is the last so many days' }),
  ago: Type.Integer({
    minimum: 1,
    maximum: 36_500,
    description:
      'the other window ends so many days before this one does, at least its length; absent: it ends where this one begins',
  }),
  ratio: bounds(
    'this window by the other. Something after nothing is more than any number; nothing after nothing, and what follows less than nothing, has no ratio and does not hold',
  ),
  difference: bounds('this window less the other: micros, times or days'),
};
export type Trend = BodyOf<typeof FIELDS> & { readonly of: Event; readonly days: number };

export const trend: NodeKind<Trend> = {
  says: 'More or less than before: this window against the one before, or against the same one a year ago.',
  fields: FIELDS,
  required: ['of', 'days'],
  examples: [
    { of: { bought: {} }, days: 30, ratio: { max: 0.5 } },
    { of: { visited: { stores: ['st_1'] } }, days: 28, difference: { min: 2 } },
    { of: { bought: { categories: ['DAIRY'] } }, by: 'times', days: 30, ago: 365, ratio: { min: 1.5 } },
  ],
  check: (body, pointer, check) => {
    checkEvent(body.of, `${pointer}/of`, check);
    if (Object.keys(body.of).length === 1) checkBy(body.by, body.of, pointer, check);
    checkBounds(body.ratio, `${pointer}/ratio`, check);
    checkBounds(body.difference, `${pointer}/difference`, check);
    if (body.ratio === undefined && body.difference === undefined)
      check.fault(pointer, 'too_few_properties', 'a trend needs a ratio or a difference');
    if (body.ago !== undefined && body.ago < body.days)
      check.fault(`${pointer}/ago`, 'minimum', `the windows overlap: ago is at least ${body.days}`);
  },
  plan: (body, compiler) => {
    const { bound, scope } = compiler;
    const { days, ago = days, ratio, difference } = body;
    const by = byOf(body.by, body.of);
    const event = eventRows(body.of, compiler);
    const inDays = (from: number, to: number): string =>
      `${event} AND at > ${bound.time(scope.now - from * DAY_MS)} AND at <= ${bound.time(scope.now - to * DAY_MS)}`;
    const windows = [inDays(days, 0), inDays(ago + days, ago)] as const;
    return {
      measures: windows.map((rows) => amountOf(by, body.of, rows, compiler)),
      rows: windows.map((rows) => `(${rows})`).join(' OR '),
      edges: [...new Set([0, days, ago, ago + days])].map((age) => age * DAY_MS),
      holds: ([now, before]) =>
        `(${both(
          ratio === undefined ? '' : ratioHolds(now as string, before as string, ratio, bound),
          difference === undefined ? '' : between(`(toFloat64(${now}) - toFloat64(${before}))`, difference, bound),
        )})`,
    };
  },
  sentence: (body, language) => {
    const en = language === 'en';
    const { days, ago = days, ratio, difference } = body;
    const by = byOf(body.by, body.of);
    const length =
      ago === days
        ? `${counted(days, DAYS, language)} ${en ? 'before' : 'до этого'}`
        : `${counted(days, DAYS_THAT_ENDED, language)} ${counted(ago, DAYS, language)} ${en ? 'ago' : 'назад'}`;
    const what = {
      money: en ? 'the money' : 'сумма',
      times: en ? 'the number of times' : 'число раз',
      days: en ? 'the number of days' : 'число дней',
    }[by];
    const of = { money: 'суммы', times: 'числа раз', days: 'числа дней' }[by];
    const parts = [
      ...(ratio === undefined
        ? []
        : [`${boundedBy(ratio, '%', language, 0.01)} ${en ? `of that in the ${length}` : `${of} за ${length}`}`]),
      ...(difference === undefined ? [] : [differenceWords(difference)]),
    ];
    function differenceWords(more: Bounds): string {
      const less = below(more);
      const said = boundedBy(less ?? more, '', language, by === 'money' ? 1e6 : 1);
      if (en) return `${said} ${less === null ? 'more' : 'less'} than in the ${length}`;
      return less === null ? `${said} сверх ${of} за ${length}` : `меньше ${of} за ${length} на величину ${said}`;
    }
    const window = windowWords({ days }, language);
    const now = en ? `with ${what} ${window}` : `причём ${what} ${window} —`;
    return `${eventWords(body.of, language)}, ${now} ${parts.join(en ? ' and ' : ' и ')}`;
  },
};

function ratioHolds(now: string, before: string, ratio: Bounds, bound: Binder): string {
  const fromNothing = ratio.max === undefined ? `${now} > 0` : '0';
  return `if(${before} > 0, ${between(`(${now} / ${before})`, ratio, bound)}, ${before} = 0 AND ${fromNothing})`;
}

const DAYS_THAT_ENDED: Forms = {
  en: ['day that ended', 'days that ended'],
  ru: ['день, который кончился', 'дня, которые кончились', 'дней, которые кончились'],
};
