import { Type } from 'typebox';
import { type Happening, happening } from '../happening.ts';
import { inQuotes, spaced } from '../words.ts';

const FIELDS = {
  urlContains: Type.String({ minLength: 1, maxLength: 512, description: 'part of the address, as it is written' }),
};
export type Pages = Happening<typeof FIELDS>;

export const { event: viewed, node: pages } = happening({
  says: 'Pages that the person opened.',
  kind: 'page',
  fields: FIELDS,
  examples: [{ count: { min: 2 }, urlContains: '/shop', window: { days: 7 } }, { hours: { from: 22, to: 6 } }],
  where: ({ urlContains }, { bound }) => [
    urlContains === undefined ? '' : `position(item, ${bound.add('String', urlContains)}) > 0`,
  ],
  words: ({ urlContains }, language) => {
    const en = language === 'en';
    return spaced(
      en ? 'opened a page' : 'открывали страницу',
      urlContains === undefined ? '' : `${en ? 'with' : 'с'} ${inQuotes(urlContains)} ${en ? 'in its address' : 'в адресе'}`,
    );
  },
});
