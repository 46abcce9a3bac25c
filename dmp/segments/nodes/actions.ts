import { among } from '../conditions.ts';
import { type Happening, happening } from '../happening.ts';
import { Near, names } from '../members.ts';
import { anyOf, spaced } from '../words.ts';

const FIELDS = {
  names: names('names of actions, as sources call them'),
  items: names('what it was done with: the coupon, the order, the network, the question'),
  values: names('values'),
  stores: names('stores'),
  storeGroups: names('groups of stores'),
  near: Near,
};
export type Actions = Happening<typeof FIELDS>;

export const { event: acted, node: actions } = happening({
  says: 'What the person did that is neither a purchase nor a place: a coupon issued, an order collected, a network joined, an app opened, a survey answered.',
  kind: 'action',
  fields: FIELDS,
  examples: [
    { names: ['survey'], values: ['yes'], window: { days: 30 } },
    { count: { min: 3 }, names: ['app_opened'], last: { max: 3 } },
  ],
  where: ({ names, items, values }, { bound }) => [
    among('name', names, bound),
    among('item', items, bound),
    among('value', values, bound),
  ],
  words: ({ names, items, values }, language) => {
    const en = language === 'en';
    return spaced(
      names === undefined
        ? en
          ? 'did anything'
          : 'совершили действие'
        : `${en ? 'did the action' : 'совершили действие'} ${anyOf(names, language)}`,
      items === undefined ? '' : `${en ? 'with' : 'с'} ${anyOf(items, language)}`,
      values === undefined ? '' : `${en ? 'with the value' : 'со значением'} ${anyOf(values, language)}`,
    );
  },
});
