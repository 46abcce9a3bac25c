import { Type } from 'typebox';
import { checkBounds, checkHours, checkWindow } from '../check-members.ts';
import { among, atHours, both, edgesOf, onDays, within } from '../conditions.ts';
import type { EventKind } from '../event.ts';
import { age, counted, different, edgesOfAges, planOfMeasures } from '../measures.ts';
import { ages, type BodyOf, counts, HourSpan, names, Weekdays, Window } from '../members.ts';
import type { Language, NodeKind } from '../node.ts';
import type { Compiler } from '../plan.ts';
import { rowsThatCount } from '../rows.ts';
import { ageWords, anyOf, bounded, clause, daysWords, hourWords, spaced, TIMES, weekdayWords, windowWords } from '../words.ts';

const FILTERS = {
  campaigns: names('campaigns'),
  lineItems: names('line items'),
  creatives: names('creatives'),
  weekdays: Weekdays,
  hours: HourSpan,
};
type Filters = BodyOf<typeof FILTERS>;

const FIELDS = {
  count: counts('impressions'),
  clicks: counts('clicks'),
  ignored: Type.Integer({ minimum: 1, description: 'saw it at least so many times and never clicked' }),
  days: counts('different UTC days with an impression'),
  first: ages('days since the first impression'),
  last: ages('days since the last impression'),
  window: Window,
  ...FILTERS,
};
export type Exposures = BodyOf<typeof FIELDS>;

function adsOf(kind: 'impression' | 'click', filters: Filters, compiler: Compiler): string {
  const { bound } = compiler;
  return both(
    `kind = '${kind}'`,
    among('name', filters.campaigns, bound),
    among('item', filters.lineItems, bound),
    among('value', filters.creatives, bound),
    onDays(filters.weekdays, bound),
    atHours(filters.hours, bound),
    rowsThatCount(compiler),
  );
}

function adEvent(kind: 'impression' | 'click', verb: Readonly<Record<Language, string>>): EventKind<Filters> {
  return {
    fields: FILTERS,
    rows: (filters, compiler) => adsOf(kind, filters, compiler),
    // Campaigns are deleted while rules go on: their ids need not be there.
    check: (filters, pointer, check) => checkHours(filters.hours, `${pointer}/hours`, check),
    words: ({ campaigns, lineItems, creatives, weekdays, hours }, language) => {
      const en = language === 'en';
      return spaced(
        verb[language],
        campaigns === undefined ? '' : `${en ? 'of campaign' : 'кампании'} ${anyOf(campaigns, language)}`,
        lineItems === undefined ? '' : `${en ? 'of line item' : 'позиции'} ${anyOf(lineItems, language)}`,
        creatives === undefined ? '' : `${en ? 'by creative' : 'с креативом'} ${anyOf(creatives, language)}`,
        weekdayWords(weekdays, language),
        hourWords(hours, language),
      );
    },
  };
}

export const saw = adEvent('impression', { en: 'saw an ad', ru: 'видели рекламу' });
export const clicked = adEvent('click', { en: 'clicked on an ad', ru: 'нажали на рекламу' });

export const exposures: NodeKind<Exposures> = {
  says: 'Ads that the person saw, clicked or ignored.',
  fields: FIELDS,
  examples: [
    { count: { min: 3 }, campaigns: ['cmp_1'], window: { days: 14 } },
    { ignored: 5, lineItems: ['li_1'], creatives: ['cr_1', 'cr_2'] },
    { clicks: { min: 1 }, last: { max: 30 } },
  ],
  check: (body, pointer, check) => {
    saw.check(body, pointer, check);
    checkWindow(body.window, `${pointer}/window`, check);
    for (const name of ['count', 'clicks', 'days', 'first', 'last'] as const)
      checkBounds(body[name], `${pointer}/${name}`, check);
  },
  plan: (body, compiler) => {
    const { bound } = compiler;
    const window = within(body.window, compiler);
    const seen = both(saw.rows(body, compiler), window);
    const clicks = both(clicked.rows(body, compiler), window);
    const given = [
      ...(body.count === undefined ? [] : [counted(seen, body.count, bound)]),
      ...(body.clicks === undefined ? [] : [counted(clicks, body.clicks, bound)]),
      ...(body.ignored === undefined ? [] : [counted(seen, { min: body.ignored }, bound), counted(clicks, { max: 0 }, bound)]),
      ...(body.days === undefined ? [] : [different('day', seen, body.days, bound)]),
      ...(body.first === undefined ? [] : [age('first', seen, body.first, compiler)]),
      ...(body.last === undefined ? [] : [age('last', seen, body.last, compiler)]),
    ];
    const asksClicks = body.clicks !== undefined || body.ignored !== undefined;
    const plan = planOfMeasures(seen, given, [...edgesOf(body.window), ...edgesOfAges(body.first, body.last)]);
    return asksClicks ? { ...plan, rows: `(${seen}) OR (${clicks})` } : plan;
  },
  sentence: (body, language) => {
    const en = language === 'en';
    const { ignored, clicks } = body;
    const seen = body.count ?? (ignored === undefined ? undefined : { min: ignored });
    const often = spaced(
      seen === undefined ? '' : bounded(seen, TIMES, language),
      ignored === undefined ? '' : en ? 'and never clicked' : 'и ни разу не нажали',
      clicks === undefined ? '' : `${en ? 'and clicked' : 'и нажимали'} ${bounded(clicks, TIMES, language)}`,
    );
    const measures = [
      body.count === undefined || ignored === undefined ? '' : bounded({ min: ignored }, TIMES, language),
      daysWords(body.days, language),
      ageWords('first', body.first, language),
      ageWords('last', body.last, language),
    ];
    return clause(saw.words(body, language), often, measures, windowWords(body.window, language));
  },
};
