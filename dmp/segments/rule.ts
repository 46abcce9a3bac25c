import { Type } from 'typebox';
import { type Leaf, type LeafName, NODES } from './nodes/plan-of.ts';

/** A rule may nest this deep and hold this many nodes, groups included. */
export const MAX_DEPTH = 20;
export const MAX_NODES = 200;

export type { Leaf, LeafName };

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
