import { type Static, type TSchema, Type } from 'typebox';
import { IDENTIFIER_KINDS } from '../../proto/identifier.ts';
import { oneOf } from '../http/schema.ts';

/** What a source may send. Strict: a member that is not named here is a fault, so that a typing mistake is not lost data. */

export const EVENT_TYPES = ['purchase', 'ping', 'identify', 'page', 'redemption', 'action'] as const;
export type EventType = (typeof EVENT_TYPES)[number];

/** Where events come from that name no source. */
export const DEFAULT_SOURCE = 'api';

const MAX_MICROS = 9_000_000_000_000_000;
const MAX_QUANTITY = 1_000_000_000_000;

const Text = (maxLength: number, options: object = {}) => Type.String({ minLength: 1, maxLength, ...options });
const Word = Type.String({ maxLength: 512 });

const At = Type.Unsafe<string | number>({
  type: ['string', 'integer'],
  maxLength: 64,
  description: 'RFC 3339 with a zone, or epoch milliseconds; from 2000 to a day ahead',
  examples: ['2026-11-20T16:04:00Z'],
});

const Identifiers = Type.Array(
  Type.Object(
    {
      kind: oneOf(IDENTIFIER_KINDS),
      value: Type.String({
        maxLength: 1024,
        description: 'Raw: it is normalised and keyed, never stored. exchange: <exchange id>:<user id>',
      }),
      os: Type.Optional(
        Type.String({
          maxLength: 512,
          description:
            'ifa: what device.os of OpenRTB says of its device (iOS, Android), so that it can be sent where the two are told apart',
        }),
      ),
    },
    { additionalProperties: false },
  ),
  { maxItems: 64, description: 'Of one person. At least one must name somebody' },
);

const Text8k = Type.String({ maxLength: 8192 });

/** Consent strings as the person's browser or app gave them. They are read and held against the event, and not kept. */
export const Privacy = Type.Object(
  {
    tcf: Type.Optional(Text8k),
    gpp: Type.Optional(Text8k),
    gppSid: Type.Optional(
      Type.Array(Type.Integer({ minimum: 1, maximum: 1000 }), { maxItems: 50, description: 'sections of it that apply' }),
    ),
    usPrivacy: Type.Optional(Type.String({ maxLength: 16 })),
    gpc: Type.Optional(Type.Boolean({ description: 'Global Privacy Control' })),
  },
  { additionalProperties: false, description: 'Consent strings: what they refuse is refused, what they say is recorded' },
);

const Confidence = Type.Number({
  minimum: 0,
  maximum: 1,
  description:
    'How sure the source is that the identifiers are one person’s; default 1. Below 0.8 they are one household’s at most',
});

const shared = {
  at: At,
  identifiers: Identifiers,
  confidence: Type.Optional(Confidence),
  privacy: Type.Optional(Privacy),
};

function event<Name extends EventType, Members extends Record<string, TSchema>>(name: Name, members: Members) {
  return Type.Object({ type: Type.Literal(name), ...shared, ...members }, { additionalProperties: false });
}

const PurchaseLine = Type.Object(
  {
    // A number beyond 2^53 has lost digits before anybody could look at it.
    line: Type.Optional(
      Type.Unsafe<string | number>({
        type: ['string', 'integer'],
        ...{ minLength: 1, maxLength: 128, minimum: Number.MIN_SAFE_INTEGER, maximum: Number.MAX_SAFE_INTEGER },
      }),
    ),
    product: Type.Optional(Word),
    category: Type.Optional(Word),
    department: Type.Optional(Word),
    brand: Type.Optional(Word),
    quantity: Type.Optional(Type.Number({ minimum: -MAX_QUANTITY, maximum: MAX_QUANTITY })),
    amountMicros: Type.Integer({ minimum: -MAX_MICROS, maximum: MAX_MICROS, description: 'Negative in a refund' }),
  },
  { additionalProperties: false },
);

export const Purchase = event('purchase', {
  id: Text(256, { description: 'Of the receipt; with the source and the line its natural key' }),
  store: Type.Optional(Word),
  currency: Type.Optional(Type.String({ pattern: '^[A-Z]{3}$' })),
  lines: Type.Array(PurchaseLine, { minItems: 1, maxItems: 10_000 }),
});

export const Ping = event('ping', {
  lat: Type.Number({ minimum: -90, maximum: 90 }),
  lon: Type.Number({ minimum: -180, maximum: 180 }),
  accuracy: Type.Optional(Type.Number({ minimum: 0, maximum: 1_000_000, description: 'Metres' })),
  locationType: Type.Optional(Type.Integer({ minimum: 1, maximum: 3, description: 'As OpenRTB geo.type: 1 GPS, 2 IP, 3 user' })),
  consent: Type.Optional(Type.Boolean({ description: 'false: the ping is refused and its place is not kept' })),
});

export const Identify = event('identify', {
  attributes: Type.Optional(
    Type.Unsafe<Record<string, string | number | boolean>>({
      type: 'object',
      maxProperties: 256,
      propertyNames: { minLength: 1, maxLength: 128 },
      additionalProperties: { type: ['string', 'number', 'boolean'], maxLength: 2048 },
    }),
  ),
});

export const Page = event('page', {
  id: Type.Optional(Text(256)),
  url: Text(8192),
  title: Type.Optional(Type.String({ maxLength: 1024 })),
});

export const Redemption = event('redemption', {
  id: Type.Optional(Text(256)),
  coupon: Text(512),
  promotion: Type.Optional(Word),
});

export const Action = event('action', {
  id: Type.Optional(Text(256)),
  name: Text(128, { description: 'What was done: coupon_issued, order_collected, wifi_login, app_open, survey_answered, …' }),
  store: Type.Optional(Word),
  item: Type.Optional(Type.String({ maxLength: 512, description: 'To what: a coupon, an order, a network, a question' })),
  value: Type.Optional(Type.String({ maxLength: 2048 })),
});

export const EVENT_SCHEMAS = {
  purchase: Purchase,
  ping: Ping,
  identify: Identify,
  page: Page,
  redemption: Redemption,
  action: Action,
};

export type Purchase = Static<typeof Purchase>;
export type Ping = Static<typeof Ping>;
export type Identify = Static<typeof Identify>;
export type Page = Static<typeof Page>;
export type Redemption = Static<typeof Redemption>;
export type Action = Static<typeof Action>;
export type Event = Purchase | Ping | Identify | Page | Redemption | Action;
