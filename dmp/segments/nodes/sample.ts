import { Type } from 'typebox';
import { BUCKETS } from '../../../proto/bucket.ts';
import type { Binder } from '../binder.ts';
import type { BodyOf } from '../members.ts';
import type { NodeKind } from '../node.ts';
import type { FactsPlan } from '../plan.ts';
import { inQuotes, numeral } from '../words.ts';

const FIELDS = {
  percent: Type.Number({ minimum: 0, maximum: 100, multipleOf: 0.01, description: 'of all people' }),
  salt: Type.String({
    minLength: 1,
    maxLength: 64,
    description: 'another one gives another sample, independent of this; absent: `sample`',
  }),
  from: Type.Number({
    minimum: 0,
    maximum: 100,
    multipleOf: 0.01,
    description: 'percent at which the sample begins: samples of one salt that do not overlap share nobody; absent: 0',
  }),
};
export type Sample = BodyOf<typeof FIELDS> & { readonly percent: number };

export const sample: NodeKind<Sample> = {
  says: 'A random share of all people, the same ones each time: by a hash of the identifier that first made the person. Of a household by its first person’s.',
  fields: FIELDS,
  required: ['percent'],
  examples: [{ percent: 10 }, { percent: 50, from: 50, salt: 'spring' }],
  check: ({ percent, from = 0 }, pointer, { fault }) => {
    if (from + percent > 100) fault(pointer, 'maximum', `from ${from} there are ${100 - from} percent left`);
  },
  plan: ({ percent, salt = 'sample', from = 0 }, { bound }) => inBuckets(salt, slots(from), slots(from + percent), bound),
  sentence: ({ percent, salt, from }, language) => {
    const en = language === 'en';
    const share = `${numeral(percent, language)} %`;
    const start =
      from === undefined ? '' : en ? `, starting from ${numeral(from, 'en')} %` : `, начиная с ${numeral(from, 'ru')} %`;
    const named = salt === undefined ? '' : ` ${inQuotes(salt)}`;
    return en ? `are in a random sample${named} of ${share}${start}` : `входят в случайную выборку${named} в ${share}${start}`;
  },
};

function slots(percent: number): number {
  return Math.round((percent * BUCKETS) / 100);
}

/** Whether the slot that the bidder would put a person into (proto/bucket.ts) is in [from, to). */
export function inBuckets(salt: string, from: number, to: number, bound: Binder): FactsPlan {
  return {
    measures: ["minIf(item, kind = 'person')"],
    rows: "kind = 'person'",
    edges: [],
    holds: ([anchor]) => {
      const slot = `murmurHash3_32(concat(${bound.add('String', `${salt}:`)}, ${anchor})) % ${BUCKETS}`;
      return `(${anchor} != '' AND ${slot} >= ${bound.add('UInt32', from)} AND ${slot} < ${bound.add('UInt32', to)})`;
    },
  };
}
