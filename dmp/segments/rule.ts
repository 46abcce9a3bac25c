import { Type } from 'typebox';
import { type Leaf, type LeafName, NODES } from './nodes/plan-of.ts';

/** A rule may nest this deep and hold this many nodes, groups included. */
export const MAX_DEPTH = 20;
export const MAX_NODES = 200;

export type { Leaf, LeafName };

/** The nodes that hold others: what each means, for docs/segments.md, with examples that CI runs. */
export const GROUPS: Readonly<Record<'all' | 'any' | 'not', { readonly says: string; readonly examples: readonly Rule[] }>> = {
  all: {
    says: 'Whom every one of its rules selects.',
    examples: [
      {
        all: [
          { purchases: { count: { min: 2 }, categories: ['DAIRY'], window: { days: 90 } } },
          { not: { visits: { stores: ['st_1'], window: { days: 14 } } } },
        ],
      },
    ],
  },
  any: {
    says: 'Whom at least one of its rules selects.',
    examples: [
      {
        any: [
          { visits: { stores: ['st_1'], window: { days: 30 } } },
          { all: [{ pages: { urlContains: '/shop' } }, { purchases: { channel: 'online' } }] },
        ],
      },
    ],
  },
  not: {
    says: 'Everybody known whom its rule does not select.',
    examples: [{ not: { exposures: { campaigns: ['cmp_1'], window: { days: 7 } } } }],
  },
};

export type Rule = { readonly all: readonly Rule[] } | { readonly any: readonly Rule[] } | { readonly not: Rule } | Leaf;

/** A rule as the API takes it. Its inside is checked by `checkRule`, whose faults name the node. */
export const Rule = Type.Unsafe<Rule>(
  Type.Object(
    {},
    {
      minProperties: 1,
      description: `One of ${['all', 'any', 'not', ...Object.keys(NODES)].join(', ')}; docs/segments.md has their members. A leaf selects the people whose measures (0 where there is no fact) lie within all given bounds; without bounds, those with at least one fact.`,
      examples: [
        {
          all: [
            { purchases: { sum: { min: 20_000_000 }, departments: ['GROCERY'], window: { days: 90 } } },
            { not: { visits: { stores: ['st_1'], window: { days: 14 } } } },
          ],
        },
      ],
    },
  ),
);
