import { Type } from 'typebox';
import { both } from '../conditions.ts';
import type { BodyOf } from '../members.ts';
import type { NodeKind } from '../node.ts';
import { unitOf } from '../unit.ts';
import { countedOf, type Forms, numeral, spaced } from '../words.ts';

const FIELDS = {
  model: Type.String({ maxLength: 64, description: 'id of the look-alike' }),
  least: Type.Number({ minimum: 0, maximum: 1, description: 'how much people resemble the seed at least, 0 to 1' }),
  most: Type.Integer({ minimum: 1, maximum: 1_000_000_000, description: 'only so many, those who resemble it most' }),
};
export type Lookalike = BodyOf<typeof FIELDS> & { readonly model: string };

export const lookalike: NodeKind<Lookalike> = {
  says: 'Resembles the members of a segment, by the newest fit of a look-alike. The members themselves are not among them. Of a device or a household: who has somebody who does.',
  fields: FIELDS,
  required: ['model'],
  examples: [
    { model: 'la_1', most: 100_000 },
    { model: 'la_1', least: 0.8 },
  ],
  check: ({ model, least, most }, pointer, { named, fault }) => {
    if (!named.has('lookalike', model)) fault(`${pointer}/model`, 'unknown_lookalike', `no look-alike ${model}`);
    if (least === undefined && most === undefined)
      fault(pointer, 'too_few_properties', 'needs least or most: else it is everybody');
  },
  plan: ({ model, least, most }, compiler) => {
    const { bound, scope } = compiler;
    const fits = both(
      `model = ${bound.add('String', model)}`,
      least === undefined ? '' : `score >= ${bound.add('Float32', least)}`,
    );
    const best = most === undefined ? '' : ` ORDER BY score DESC, profile LIMIT ${bound.add('UInt32', most)}`;
    const resembling = `SELECT profile FROM lookalike_scores FINAL WHERE ${fits}${best}`;
    const { level = 'person' } = scope;
    const units =
      level === 'person'
        ? resembling
        : `SELECT ${unitOf(compiler)} FROM facts WHERE kind = 'person' AND profile IN (${resembling})`;
    // A fit changes them all at once, and nothing tells when.
    return { units, edges: 'always' };
  },
  sentence: ({ model, least, most }, language) => {
    const en = language === 'en';
    const by = least === undefined ? '' : en ? `by at least ${numeral(least, 'en')}` : `не менее чем на ${numeral(least, 'ru')}`;
    if (most === undefined) return spaced(en ? `resemble the seed of ${model}` : `похожи на основу ${model}`, by);
    const among = en
      ? `are among the ${numeral(most, 'en')} who most resemble the seed of ${model}`
      : `входят в число ${countedOf(most, PEOPLE, 'ru')}, больше всех похожих на основу ${model}`;
    return by === '' ? among : `${among}, ${by}`;
  },
};

const PEOPLE: Forms = { en: ['person', 'people'], ru: ['человек', 'человека', 'человек'] };
