import { Type } from 'typebox';
import { amountOf, By, byOf, checkBy, rowsOfBoth } from '../amount.ts';
import { checkBounds, checkWindow } from '../check-members.ts';
import { between, both, edgesOf, within } from '../conditions.ts';
import { checkEvent, type Event, event, eventName, eventRows, eventWords } from '../events.ts';
import { type BodyOf, bounds, Window } from '../members.ts';
import type { Language, NodeKind } from '../node.ts';
import { bounded, boundedBy, daysWords, spaced, TIMES, windowWords } from '../words.ts';

const FIELDS = {
  of: event('the part'),
  among: Type.Unsafe<Event>({
    ...event('the whole'),
    description: 'the whole, of the same kind: its category, its rivals; absent: all of this kind',
  }),
  by: By,
  share: bounds('the part by the whole, 0 to 1: of what belongs to both'),
  least: Type.Number({ exclusiveMinimum: 0, description: 'the whole must be this much at least: micros, times or days' }),
  window: Window,
};
export type Share = BodyOf<typeof FIELDS> & {
  readonly of: Event;
  readonly share: { readonly min?: number; readonly max?: number };
};

function wholeOf({ of, among }: Share): Event {
  return among ?? { [eventName(of)]: {} };
}

export const share: NodeKind<Share> = {
  says: 'Share of wallet or of visits: of a brand in its category, of a store among its rivals. Where the whole is nothing, or refunds leave less, there is no share and the node does not hold.',
  fields: FIELDS,
  required: ['of', 'share'],
  examples: [
    {
      of: { bought: { brands: ['Own'] } },
      among: { bought: { categories: ['DAIRY'] } },
      share: { min: 0.5 },
      least: 10_000_000,
      window: { days: 90 },
    },
    {
      of: { visited: { stores: ['st_1'] } },
      among: { visited: { stores: ['st_1'], geofences: ['gf_1'] } },
      share: { max: 0.3 },
      least: 3,
    },
    { of: { bought: { channel: 'online' } }, by: 'times', share: { min: 0.1, max: 0.9 } },
  ],
  check: (body, pointer, check) => {
    const { of, among } = body;
    checkEvent(of, `${pointer}/of`, check);
    checkEvent(among, `${pointer}/among`, check);
    checkBounds(body.share, `${pointer}/share`, check);
    if ((body.share.min ?? 0) > 1) check.fault(`${pointer}/share/min`, 'maximum', 'a share is at most 1: half is 0.5, not 50');
    if ((body.share.max ?? 1) < 0) check.fault(`${pointer}/share/max`, 'minimum', 'a share is not below 0');
    checkWindow(body.window, `${pointer}/window`, check);
    if (Object.keys(of).length !== 1) return;
    checkBy(body.by, of, pointer, check);
    if (among === undefined || Object.keys(among).length !== 1) return;
    if (eventName(of) !== eventName(among))
      check.fault(
        `${pointer}/among`,
        'contradiction',
        `the part is of what they ${eventName(of)}, and so must be the whole: it is of what they ${eventName(among)}`,
      );
    if (of.bought?.currency !== undefined && among.bought?.currency !== undefined && of.bought.currency !== among.bought.currency)
      check.fault(`${pointer}/among/bought/currency`, 'contradiction', 'a share is of one currency');
  },
  plan: (body, compiler) => {
    const { of, least } = body;
    const whole = wholeOf(body);
    const by = byOf(body.by, of);
    const window = within(body.window, compiler);
    const inOne = {
      ...of,
      ...(whole.bought?.currency === undefined ? {} : { bought: { ...of.bought, currency: whole.bought.currency } }),
    };
    const rows = both(eventRows(whole, compiler), window);
    return {
      measures: [
        amountOf(by, inOne, both(rowsOfBoth(of, whole, compiler), window), compiler),
        amountOf(by, inOne, rows, compiler),
      ],
      rows,
      edges: edgesOf(body.window),
      holds: ([part, all]) =>
        `(${both(
          `${all} > 0`,
          least === undefined ? '' : `${all} >= ${compiler.bound.add('Float64', least)}`,
          // Where the whole is nothing the division has no meaning, and the first condition says no.
          between(`(${part} / ${all})`, body.share, compiler.bound),
        )})`,
    };
  },
  sentence: (body, language: Language) => {
    const en = language === 'en';
    const by = byOf(body.by, body.of);
    const percent = boundedBy(body.share, '%', language, 0.01);
    const whole = spaced(eventWords(wholeOf(body), language), windowWords(body.window, language));
    const least = body.least === undefined ? ',' : `, ${leastWords(by, body.least, language)},`;
    const part = {
      money: en ? `spent ${percent} of it when they` : `${percent} этих денег потратили, когда`,
      times: en ? `${percent} of these times` : `${percent} из этих раз`,
      days: en ? `on ${percent} of these days` : `${percent} из этих дней`,
    }[by];
    return spaced(`${whole}${least}`, en ? 'and' : 'и', part, eventWords(body.of, language));
  },
};

/** "for at least 10", "at least 3 times" */
function leastWords(by: By, least: number, language: Language): string {
  if (by === 'money') return `${language === 'en' ? 'for' : 'на сумму'} ${boundedBy({ min: least }, '', language, 1e6)}`;
  return by === 'days' ? daysWords({ min: least }, language) : bounded({ min: least }, TIMES, language);
}
