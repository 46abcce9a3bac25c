import { type Static, Type } from 'typebox';
import { Id, Micros, Name, nullable, Time } from '../http/schema.ts';
import { Hours } from '../stores/hours.ts';
import { Status } from './campaign.ts';

const ids = (what: string) => Type.Array(Id(what), { minItems: 1, maxItems: 10_000, uniqueItems: true });
const closed = { additionalProperties: false } as const;

const Targeting = Type.Object(
  {
    exchanges: Type.Optional(ids('an exchange')),
    segments: Type.Optional(
      Type.Array(ids('a segment'), { minItems: 1, maxItems: 20, description: 'any of each group, all groups' }),
    ),
    excludedSegments: Type.Optional(ids('a segment')),
    deals: Type.Optional(
      Type.Array(Type.String({ minLength: 1, maxLength: 200 }), {
        minItems: 1,
        maxItems: 1_000,
        uniqueItems: true,
        description: 'deal ids of exchanges: bid under these only; absent: the open market, and deals of no line item',
      }),
    ),
    supply: Type.Optional(
      Type.Object(
        {
          completeOnly: Type.Optional(Type.Boolean({ default: false, description: 'only where schain.complete is 1' })),
          maxHops: Type.Optional(nullable(Type.Integer({ minimum: 1, maximum: 20 }), { default: null })),
          sellers: Type.Optional(
            nullable(
              Type.Array(Type.String({ pattern: '^[a-z0-9.-]+(/[^/\\s]+)?$', maxLength: 200 }), {
                minItems: 1,
                maxItems: 1_000,
                uniqueItems: true,
              }),
              { default: null, description: 'allowed sellers, "asi" or "asi/sid"; null: any' },
            ),
          ),
          authorizedOnly: Type.Optional(
            Type.Boolean({
              default: false,
              description: 'only sellers that a known ads.txt, and the known sellers.json of the chain, list',
            }),
          ),
        },
        closed,
      ),
    ),
    stores: Type.Optional(ids('a store: the device must be in its fence')),
    storeGroups: Type.Optional(ids('a store group')),
    geofences: Type.Optional(ids('a geofence')),
    promotedStores: Type.Optional(ids('a store that the ad may show')),
    openStoresOnly: Type.Optional(Type.Boolean({ default: false })),
    deviceTypes: Type.Optional(
      Type.Array(Type.Integer({ minimum: 1, maximum: 8 }), {
        minItems: 1,
        uniqueItems: true,
        description: 'OpenRTB device types',
      }),
    ),
    os: Type.Optional(Type.Array(Type.String({ minLength: 1, maxLength: 50 }), { minItems: 1, uniqueItems: true })),
    dayparts: Type.Optional(Hours),
    timeZone: Type.Optional(Type.String({ maxLength: 64, default: 'UTC' })),
  },
  closed,
);

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
    targeting: Type.Unsafe<Static<typeof Targeting>>({ ...Targeting, default: {} }),
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
