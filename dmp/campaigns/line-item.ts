import { type Static, Type } from 'typebox';
import { Id, Micros, Name, nullable, Time } from '../http/schema.ts';
import { Status } from './campaign.ts';
import { Targeting, type TargetingInput } from './targeting.ts';

const ids = (what: string) => Type.Array(Id(what), { minItems: 1, maxItems: 10_000, uniqueItems: true });
const closed = { additionalProperties: false } as const;

/** Advertising label of Russian law. */
const AdLabel = Type.Object(
  {
    erid: Type.String({ pattern: '^[A-Za-z0-9]{1,64}$' }),
    inn: Type.String({ pattern: '^([0-9]{10}|[0-9]{12})$', description: 'tax number of the advertiser' }),
    name: Name,
  },
  closed,
);

/** A part of a campaign with its own targeting, bid, caps and budget. */
export const LineItem = Type.Object(
  {
    campaign: Id('its campaign'),
    name: Name,
    status: Status,
    start: Type.Optional(Time),
    end: Type.Optional(Time),
    budget: Type.Object(
      {
        totalMicros: Type.Optional(nullable(Micros, { default: null })),
        dailyMicros: Type.Optional(nullable(Micros, { default: null, description: 'of a UTC day' })),
      },
      { ...closed, default: {} },
    ),
    bid: Type.Object(
      {
        maxCpmMicros: Type.Integer({ minimum: 1, maximum: 1_000_000_000 }),
        distance: Type.Optional(
          Type.Object(
            { halvesEveryMetres: Type.Number({ exclusiveMinimum: 0 }), floorShare: Type.Number({ minimum: 0, maximum: 1 }) },
            closed,
          ),
        ),
      },
      closed,
    ),
    caps: Type.Array(
      Type.Object(
        { count: Type.Integer({ minimum: 1, maximum: 1_000 }), hours: Type.Number({ minimum: 0.1, maximum: 720 }) },
        closed,
      ),
      { maxItems: 5, default: [] },
    ),
    targeting: Type.Unsafe<TargetingInput>({ ...Targeting, default: {} }),
    creatives: ids('a creative'),
    bundle: Type.Optional(
      Type.String({ minLength: 1, maxLength: 200, description: 'bundle or store id of the advertised app, held against bapp' }),
    ),
    childSafe: Type.Optional(Type.Boolean({ default: false, description: 'children may see it' })),
    adLabel: Type.Optional(nullable(AdLabel, { default: null, description: 'for exchanges that take bid.ext.nroa' })),
  },
  closed,
);
export type LineItem = Static<typeof LineItem>;
