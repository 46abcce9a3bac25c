import { type Static, type TSchema, Type } from 'typebox';

/** Members that several kinds of nodes have. */

const MAX_LIST = 10_000;

const boundsOf = (least: number, most: number) => {
  const end = Type.Optional(Type.Number({ minimum: least, maximum: most }));
  return Type.Object({ min: end, max: end }, { additionalProperties: false });
};
const MOST = 1e18;
/** As far back as windows go. */
export const MOST_DAYS = 36_500;

const BoundsShape = boundsOf(-MOST, MOST);
export type Bounds = Static<typeof BoundsShape>;

/** A measure that must lie in [min, max]. */
export const bounds = (description: string) => Type.Unsafe<Bounds>({ ...BoundsShape, description });

/** Of what is counted: there is no less than none of it. */
export const counts = (description: string) => Type.Unsafe<Bounds>({ ...boundsOf(0, MOST), description });

/** Of days since something: clocks of sources may be a day ahead. */
export const ages = (description: string) => Type.Unsafe<Bounds>({ ...boundsOf(-1, MOST_DAYS), description });

const Day = Type.String({ pattern: '^\\d{4}-\\d{2}-\\d{2}$' });

export const Window = Type.Object(
  { days: Type.Optional(Type.Integer({ maximum: MOST_DAYS })), from: Type.Optional(Day), to: Type.Optional(Day) },
  {
    additionalProperties: false,
    description: 'sliding: the last n × 24 hours (`days`); fixed: UTC days, both included (`from`, `to`); absent: ever',
  },
);
export type Window = Static<typeof Window>;

/** A list of which one must fit. */
export const names = (description: string) =>
  Type.Array(Type.String({ maxLength: 512 }), { minItems: 1, maxItems: MAX_LIST, description });

export const Rivals = Type.Boolean({ description: 'true: also any geofence that is a shop of a rival' });

export const WEEKDAYS = ['mon', 'tue', 'wed', 'thu', 'fri', 'sat', 'sun'] as const;
export type Weekday = (typeof WEEKDAYS)[number];

export const Weekdays = Type.Array(Type.Unsafe<Weekday>({ type: 'string', enum: [...WEEKDAYS] }), {
  minItems: 1,
  maxItems: 7,
  description: 'days of the week, local to the store where there is one, else UTC',
});

export const HourSpan = Type.Object(
  { from: Type.Integer({ minimum: 0, maximum: 23 }), to: Type.Integer({ minimum: 1, maximum: 24 }) },
  {
    additionalProperties: false,
    description:
      'hours of the day, `to` not included, past midnight where it comes first; local to the store where there is one, else UTC',
  },
);
export type HourSpan = Static<typeof HourSpan>;

/** Stores within some metres of stores or of a point. */
export const Near = Type.Object(
  {
    metres: Type.Number({ exclusiveMinimum: 0, maximum: 200_000 }),
    stores: Type.Optional(names('any of these stores')),
    lat: Type.Optional(Type.Number({ minimum: -90, maximum: 90 })),
    lon: Type.Optional(Type.Number({ minimum: -180, maximum: 180 })),
  },
  { additionalProperties: false, description: 'at a store within `metres` of one of `stores`, or of a point (`lat`, `lon`)' },
);
export type Near = Static<typeof Near>;

export const Currency = Type.String({
  pattern: '^[A-Z]{3}$',
  description:
    'currency (ISO 4217) of the money in this node; absent: the advertiser’s, or the one that all advertisers have. Rows in others are converted by the published rates; rows in a currency without a rate do not count in money',
});

/** The body of a node whose members may all be missing. */
export type BodyOf<Fields extends Readonly<Record<string, TSchema>>> = { readonly [K in keyof Fields]?: Static<Fields[K]> };
