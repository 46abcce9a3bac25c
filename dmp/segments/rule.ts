import { type Static, type TSchema, Type } from 'typebox';

/** A rule may nest this deep and hold this many nodes, groups included. */
export const MAX_DEPTH = 20;
export const MAX_NODES = 200;
const MAX_LIST = 1000;

const Bounds = Type.Object(
  { min: Type.Optional(Type.Number()), max: Type.Optional(Type.Number()) },
  { additionalProperties: false },
);
const Names = Type.Array(Type.String({ maxLength: 512 }), { minItems: 1, maxItems: MAX_LIST });
const Day = Type.String({ pattern: '^\\d{4}-\\d{2}-\\d{2}$' });

/** Sliding: the last n × 24 hours (`days`). Fixed: UTC days, both included (`from`, `to`). */
const Window = Type.Object(
  { days: Type.Optional(Type.Integer({ maximum: 36_500 })), from: Type.Optional(Day), to: Type.Optional(Day) },
  { additionalProperties: false },
);

/** Receipts of a person: `count` of different receipts, `sum` in micros, `days` = different UTC days. */
const Purchases = Type.Object(
  {
    count: Type.Optional(Bounds),
    sum: Type.Optional(Bounds),
    days: Type.Optional(Bounds),
    window: Type.Optional(Window),
    stores: Type.Optional(Names),
    storeGroups: Type.Optional(Names),
    departments: Type.Optional(Names),
    categories: Type.Optional(Names),
    brands: Type.Optional(Names),
    products: Type.Optional(Names),
    sources: Type.Optional(Names),
  },
  { additionalProperties: false },
);

/**
 * Visits of a person: `count` of different places and days, `days` = different local days, `dwell` in seconds, all visits
 * together. Without stores, groups or geofences: visits to any store.
 */
const Visits = Type.Object(
  {
    count: Type.Optional(Bounds),
    days: Type.Optional(Bounds),
    dwell: Type.Optional(Bounds),
    window: Type.Optional(Window),
    stores: Type.Optional(Names),
    storeGroups: Type.Optional(Names),
    geofences: Type.Optional(Names),
    minDwellSeconds: Type.Optional(Type.Number({ minimum: 0 })),
  },
  { additionalProperties: false },
);

const Redemptions = Type.Object(
  {
    count: Type.Optional(Bounds),
    window: Type.Optional(Window),
    coupons: Type.Optional(Names),
    promotions: Type.Optional(Names),
  },
  { additionalProperties: false },
);

const Pages = Type.Object(
  {
    count: Type.Optional(Bounds),
    window: Type.Optional(Window),
    urlContains: Type.Optional(Type.String({ minLength: 1, maxLength: 512 })),
  },
  { additionalProperties: false },
);

/** The newest value of a name: one of `in`, or a number in [min, max]; neither: whatever it is. */
const Attribute = Type.Object(
  {
    name: Type.String({ minLength: 1, maxLength: 128 }),
    in: Type.Optional(
      Type.Array(Type.Union([Type.String({ maxLength: 512 }), Type.Number(), Type.Boolean()]), {
        minItems: 1,
        maxItems: MAX_LIST,
      }),
    ),
    min: Type.Optional(Type.Number()),
    max: Type.Optional(Type.Number()),
  },
  { additionalProperties: false },
);

/** The members that each kind of leaf may have. */
export const LEAVES: Readonly<Record<Leaf, Readonly<Record<string, TSchema>>>> = {
  purchases: Purchases.properties,
  visits: Visits.properties,
  redemptions: Redemptions.properties,
  pages: Pages.properties,
  attribute: Attribute.properties,
};

export type Leaf = 'purchases' | 'visits' | 'redemptions' | 'pages' | 'attribute';
export type Bounds = Static<typeof Bounds>;
export type Window = Static<typeof Window>;
export type Purchases = Static<typeof Purchases>;
export type Visits = Static<typeof Visits>;
export type Redemptions = Static<typeof Redemptions>;
export type Pages = Static<typeof Pages>;
export type Attribute = Static<typeof Attribute>;

export type Rule =
  | { readonly all: readonly Rule[] }
  | { readonly any: readonly Rule[] }
  | { readonly not: Rule }
  | { readonly purchases: Purchases }
  | { readonly visits: Visits }
  | { readonly redemptions: Redemptions }
  | { readonly pages: Pages }
  | { readonly attribute: Attribute }
  | { readonly segment: string };

/** A rule as the API takes it. Its inside is checked by `checkRule`, whose faults name the node. */
export const Rule = Type.Unsafe<Rule>(
  Type.Object(
    {},
    {
      minProperties: 1,
      description:
        'One of all, any, not, purchases, visits, redemptions, pages, attribute, segment. A leaf selects the people whose measures (0 where there is no fact) lie within all given bounds; without bounds, those with at least one fact.',
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
