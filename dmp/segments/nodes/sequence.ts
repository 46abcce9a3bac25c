import { type Static, Type } from 'typebox';
import { MOST_STEPS, planOfChain } from '../chain.ts';
import { checkWindow } from '../check-members.ts';
import { checkEvent, type Event, event, eventFields, eventRows, eventWords } from '../events.ts';
import { checkGap, gap, gapMs, gapWords } from '../gap.ts';
import { type BodyOf, Window } from '../members.ts';
import type { NodeKind } from '../node.ts';
import type { Compiler } from '../plan.ts';
import { countedOf, spaced, windowWords } from '../words.ts';

const Step = Type.Unsafe<Event & { within?: Static<ReturnType<typeof gap>>; without?: Event[] }>(
  Type.Object(
    {
      ...eventFields(),
      within: Type.Optional(gap('at most so long after the step before')),
      without: Type.Optional(Type.Array(event('what must not be between it and the step before'), { minItems: 1, maxItems: 10 })),
    },
    { additionalProperties: false },
  ),
);

const Unless = Type.Unsafe<Event & { within?: Static<ReturnType<typeof gap>> }>(
  Type.Object(
    { ...eventFields(), within: Type.Optional(gap('for so long, which must have passed; absent: ever until now')) },
    { additionalProperties: false },
  ),
);

const FIELDS = {
  steps: Type.Array(Step, {
    minItems: 1,
    maxItems: MOST_STEPS,
    description: 'what was done, each step strictly later than the one before; any facts may do that fit',
  }),
  thenNot: Type.Unsafe<Static<typeof Unless>>({ ...Unless, description: 'what was not done after the last step' }),
  window: Window,
};
export type Sequence = BodyOf<typeof FIELDS> & { readonly steps: readonly Static<typeof Step>[] };

export const sequence: NodeKind<Sequence> = {
  says: 'One thing after another: there are facts that fit the steps in this order, with the gaps and without what is excluded. Nothing after now counts.',
  fields: FIELDS,
  required: ['steps'],
  examples: [
    {
      steps: [{ saw: {} }, { visited: { stores: ['st_1'] }, within: { days: 7 }, without: [{ bought: {} }] }],
      thenNot: { bought: {}, within: { days: 3 } },
      window: { days: 60 },
    },
    { steps: [{ visited: { stores: ['st_1'] } }, { bought: { categories: ['DAIRY'] }, within: { days: 7 } }] },
    { steps: [{ clicked: {} }, { viewed: { urlContains: '/shop' }, within: { minutes: 30 } }], thenNot: { bought: {} } },
  ],
  check: ({ steps, thenNot, window }, pointer, check) => {
    for (const [n, step] of steps.entries()) {
      const at = `${pointer}/steps/${n}`;
      checkEvent(step, at, check);
      checkGap(step.within, `${at}/within`, check);
      for (const [m, excluded] of (step.without ?? []).entries()) checkEvent(excluded, `${at}/without/${m}`, check);
      if (n > 0) continue;
      for (const name of ['within', 'without'] as const)
        if (step[name] !== undefined) check.fault(`${at}/${name}`, 'shape', 'the first step has no step before it');
    }
    if (steps.length === 1 && thenNot === undefined)
      check.fault(`${pointer}/steps`, 'too_short', 'a sequence has two steps, or one and thenNot');
    checkEvent(thenNot, `${pointer}/thenNot`, check);
    checkGap(thenNot?.within, `${pointer}/thenNot/within`, check);
    checkWindow(window, `${pointer}/window`, check);
  },
  plan: ({ steps, thenNot, window }, compiler) =>
    planOfChain(
      {
        steps: steps.map((step) => ({
          rows: eventRows(step, compiler),
          gap: step.within === undefined ? null : gapMs(step.within),
          without: step.without === undefined ? null : anyRows(step.without, compiler),
        })),
        unless:
          thenNot === undefined
            ? null
            : { rows: eventRows(thenNot, compiler), gap: thenNot.within === undefined ? null : gapMs(thenNot.within) },
        window,
      },
      compiler,
    ),
  sentence: ({ steps, thenNot, window }, language) => {
    const en = language === 'en';
    const parts = steps.map((step, n) => {
      const excluded = step.without?.map((one) => eventWords(one, language)).join(en ? ' nor ' : ' и не ');
      return spaced(
        n === 0 ? '' : en ? 'then' : 'затем',
        step.within === undefined ? '' : `${en ? 'within' : 'не позже чем через'} ${gapWords(step.within, language)}`,
        eventWords(step, language),
        excluded === undefined ? '' : en ? `(and in between never ${excluded})` : `(а в промежутке ни разу не ${excluded})`,
      );
    });
    if (thenNot !== undefined)
      parts.push(
        spaced(
          en ? 'and after that' : 'а после этого',
          thenNot.within === undefined ? '' : `${en ? 'for' : 'в течение'} ${gapWords(thenNot.within, language, countedOf)}`,
          en ? 'never' : 'ни разу не',
          eventWords(thenNot, language),
        ),
      );
    return spaced(windowWords(window, language), parts.join(', '));
  },
};

/** One alone is written as a step is, so that both are asked once. */
function anyRows(events: readonly Event[], compiler: Compiler): string {
  const rows = events.map((one) => eventRows(one, compiler));
  return rows.length === 1 ? (rows[0] as string) : `(${rows.map((one) => `(${one})`).join(' OR ')})`;
}
