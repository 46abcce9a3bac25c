import { Type } from 'typebox';
import { planOfChain } from '../chain.ts';
import { checkWindow } from '../check-members.ts';
import { checkEvent, type Event, eventRows, eventWords, type Filters, filtersOf } from '../events.ts';
import { checkGap, gap, gapMs, gapWords } from '../gap.ts';
import { type BodyOf, Window } from '../members.ts';
import type { Language, NodeKind } from '../node.ts';
import { spaced, windowWords } from '../words.ts';

const FIELDS = {
  reverse: Type.Boolean({ description: 'the other way round: they looked at pages (`viewed`), then bought in a store' }),
  visited: Type.Unsafe<Filters['visited']>({ ...filtersOf('visited'), description: 'where they looked; absent: at any store' }),
  viewed: Type.Unsafe<Filters['viewed']>({
    ...filtersOf('viewed'),
    description: 'of the reverse: at which pages they looked; absent: any',
  }),
  bought: Type.Unsafe<Filters['bought']>({ ...filtersOf('bought'), description: 'what they bought; the channel is this node’s' }),
  within: gap('bought at most so long after they looked; absent: 30 days'),
  window: Window,
};
export type Showrooming = BodyOf<typeof FIELDS>;

const USUAL = { days: 30 };

/** What they looked at, and what they bought where. */
function partsOf({ reverse = false, visited = {}, viewed = {}, bought = {} }: Showrooming): readonly [Event, Event] {
  return reverse
    ? [{ viewed }, { bought: { ...bought, channel: 'store' } }]
    : [{ visited }, { bought: { ...bought, channel: 'online' } }];
}

export const showrooming: NodeKind<Showrooming> = {
  says: 'They looked in a store and then bought online; reversed: looked online and then bought in a store. Purchases without a channel are neither.',
  fields: FIELDS,
  examples: [
    { visited: { stores: ['st_1'] }, within: { days: 14 }, window: { days: 90 } },
    { reverse: true, viewed: { urlContains: '/shop' }, bought: { categories: ['DAIRY'] } },
  ],
  check: (body, pointer, check) => {
    const wrong = body.reverse === true ? 'visited' : 'viewed';
    if (body[wrong] !== undefined)
      check.fault(`${pointer}/${wrong}`, 'contradiction', `${wrong} has no part in this direction: see reverse`);
    if (body.bought?.channel !== undefined)
      check.fault(`${pointer}/bought/channel`, 'contradiction', 'the channel is set by this node');
    for (const name of ['visited', 'viewed', 'bought'] as const)
      if (body[name] !== undefined) checkEvent({ [name]: body[name] }, pointer, check);
    checkGap(body.within, `${pointer}/within`, check);
    checkWindow(body.window, `${pointer}/window`, check);
  },
  plan: (body, compiler) => {
    const [looked, bought] = partsOf(body).map((event) => eventRows(event, compiler)) as [string, string];
    const steps = [
      { rows: looked, gap: null, without: null },
      { rows: bought, gap: gapMs(body.within ?? USUAL), without: null },
    ];
    return planOfChain({ steps, unless: null, window: body.window }, compiler);
  },
  sentence: (body, language: Language) => {
    const [looked, bought] = partsOf(body).map((event) => eventWords(event, language)) as [string, string];
    const gapSaid = gapWords(body.within ?? USUAL, language);
    const then = language === 'en' ? `and within ${gapSaid}` : `и не позже чем через ${gapSaid}`;
    return spaced(windowWords(body.window, language), looked, then, bought);
  },
};
