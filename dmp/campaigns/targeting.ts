import { type Static, Type } from 'typebox';
import { Id, nullable, oneOf } from '../http/schema.ts';
import { Hours } from '../stores/hours.ts';
import { SegmentRule } from './segment-rule.ts';

const closed = { additionalProperties: false } as const;

const ids = (what: string) => Type.Array(Id(what), { minItems: 1, maxItems: 10_000, uniqueItems: true });

/** A list of texts; what they must be is said by check-targeting.ts, which can tell why one is not. */
const texts = (description: string, examples: readonly string[], maxItems = 1_000) =>
  Type.Array(Type.String({ minLength: 1, maxLength: 200 }), {
    minItems: 1,
    maxItems,
    uniqueItems: true,
    description,
    examples: [[...examples]],
  });

const numbers = (maximum: number, description: string, minimum = 0) =>
  Type.Array(Type.Integer({ minimum, maximum }), { minItems: 1, uniqueItems: true, description });

const GeoName = Type.Object(
  {
    country: Type.String({ minLength: 2, maxLength: 3, description: 'ISO 3166-1, three letters or two' }),
    region: Type.Optional(Type.String({ minLength: 1, maxLength: 6, description: 'ISO 3166-2, with the country or without' })),
    city: Type.Optional(Type.String({ minLength: 1, maxLength: 200, description: 'as exchanges write it, in any case' })),
    zip: Type.Optional(
      Type.String({
        minLength: 1,
        maxLength: 20,
        description: 'whole; case, spaces and hyphens do not matter',
        pattern: '[A-Za-z0-9]',
      }),
    ),
  },
  { ...closed, description: 'all that is given must be the same as in device.geo' },
);
export type GeoNameInput = Static<typeof GeoName>;

const places = (description: string) => Type.Array(GeoName, { minItems: 1, maxItems: 10_000, uniqueItems: true, description });

const Geo = Type.Object(
  { include: Type.Optional(places('any of them')), exclude: Type.Optional(places('none of them')) },
  closed,
);

const Supply = Type.Object(
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
);

/** Who and where and when. Every part must pass; an absent part lets all pass. */
export const Targeting = Type.Object(
  {
    // Where it is sold
    exchanges: Type.Optional(ids('an exchange')),
    deals: Type.Optional(
      Type.Array(Type.String({ minLength: 1, maxLength: 200 }), {
        minItems: 1,
        maxItems: 1_000,
        uniqueItems: true,
        description: 'deal ids of exchanges: bid under these only; absent: the open market, and deals of no line item',
      }),
    ),
    supply: Type.Optional(Supply),
    inventory: Type.Optional(
      Type.Array(oneOf(['site', 'app', 'dooh']), { minItems: 1, uniqueItems: true, description: 'kinds of inventory' }),
    ),
    lists: Type.Optional(
      Type.Object(
        {
          include: Type.Optional(ids('an inventory list: one of these must hold the site, app, bundle, domain or publisher')),
          exclude: Type.Optional(ids('an inventory list: none of these may')),
        },
        closed,
      ),
    ),
    content: Type.Optional(
      Type.Object(
        {
          include: Type.Optional(
            texts('IAB content categories, of which the page, app or video must have one; a parent stands for its children', [
              'IAB7',
              'IAB8-5',
            ]),
          ),
          exclude: Type.Optional(texts('IAB content categories, of which it may have none', ['IAB25'])),
          languages: Type.Optional(texts('languages of the content, ISO 639-1', ['fi', 'sv'])),
        },
        closed,
      ),
    ),
    // The place on the page
    positions: Type.Optional(numbers(7, 'OpenRTB ad positions: 1 above the fold, 3 below, 4 header, 5 footer, 7 full screen')),
    viewability: Type.Optional(
      Type.Number({
        exclusiveMinimum: 0,
        maximum: 1,
        description: 'least share of impressions in view that the request measures; an imp without a measure does not pass',
      }),
    ),
    interstitial: Type.Optional(Type.Boolean({ description: 'true: only full-screen places; false: only others' })),
    rewarded: Type.Optional(Type.Boolean({ description: 'true: only rewarded places; false: only others' })),
    // The device
    deviceTypes: Type.Optional(numbers(8, 'OpenRTB device types: 1 mobile, 2 PC, 3 TV, 4 phone, 5 tablet', 1)),
    os: Type.Optional(texts('names of operating systems, in any case', ['android', 'ios'], 100)),
    osVersions: Type.Optional(
      Type.Object(
        {
          from: Type.Optional(Type.String({ minLength: 1, maxLength: 20, description: 'least' })),
          below: Type.Optional(Type.String({ minLength: 1, maxLength: 20, description: 'highest, not included' })),
        },
        { ...closed, minProperties: 1, description: 'versions number by number; a device that does not tell does not pass' },
      ),
    ),
    makes: Type.Optional(texts('makers of devices, in any case', ['apple', 'samsung'])),
    models: Type.Optional(texts('models as exchanges write them, in any case', ['iphone', 'sm-s911b'])),
    browsers: Type.Optional(texts('browsers, in any case', ['chrome', 'safari'], 100)),
    carriers: Type.Optional(texts('carriers by name in any case, or by MCC-MNC', ['elisa', '244-05'])),
    connectionTypes: Type.Optional(numbers(7, 'OpenRTB connection types: 1 ethernet, 2 wifi, 4 2G, 5 3G, 6 4G, 7 5G')),
    languages: Type.Optional(texts('languages of the device, ISO 639-1', ['fi', 'en'], 200)),
    // Where it is
    geo: Type.Optional(Geo),
    stores: Type.Optional(ids('a store: the device must be in its fence')),
    storeGroups: Type.Optional(ids('a store group')),
    geofences: Type.Optional(ids('a geofence')),
    promotedStores: Type.Optional(ids('a store that the ad may show')),
    openStoresOnly: Type.Optional(Type.Boolean({ default: false })),
    // Who it is
    segments: Type.Optional(
      Type.Array(ids('a segment'), { minItems: 1, maxItems: 20, description: 'any of each group, all groups' }),
    ),
    excludedSegments: Type.Optional(ids('a segment')),
    segmentRule: Type.Optional(SegmentRule),
    userData: Type.Optional(
      Type.Array(Type.Array(Type.String({ minLength: 3, maxLength: 200 }), { minItems: 1, maxItems: 1_000, uniqueItems: true }), {
        minItems: 1,
        maxItems: 20,
        description:
          'segments that the request brings in user.data, "<segtax>:<id>" or "<name of the data>:<id>": any of each group, all groups',
        examples: [[['4:637', 'dmp.example:lapsed']]],
      }),
    ),
    eids: Type.Optional(texts('sources of extended ids, of which the request must have one', ['id5-sync.com'], 100)),
    // When
    dayparts: Type.Optional(Hours),
    timeZone: Type.Optional(Type.String({ maxLength: 64, default: 'UTC' })),
  },
  closed,
);
export type TargetingInput = Static<typeof Targeting>;
