import { randomBytes } from 'node:crypto';
import { type Static, Type } from 'typebox';
import { Id, Name, nullable, oneOf, variants } from '../http/schema.ts';
import type { Sealer } from '../identity/seal.ts';
import { isPlatformKind, KINDS_OF, PLATFORM_KINDS, SENDABLE_KINDS, type SendableKind } from '../identity/sendable.ts';
import { DESTINATION_KINDS } from '../sources/purposes.ts';

const closed = { additionalProperties: false } as const;

/** Where the files or messages go. */
const Delivery = variants(
  'to',
  [
    Type.Object({ to: Type.Literal('download') }, { ...closed, description: 'fetched from /v1/exports/{id}/file' }),
    Type.Object(
      { to: Type.Literal('folder'), folder: Type.String({ pattern: '^[A-Za-z0-9][A-Za-z0-9_-]{0,63}$' }) },
      { ...closed, description: 'a folder of that name in <data>/uploads/outbox' },
    ),
    Type.Object(
      {
        to: Type.Literal('s3'),
        url: Type.String({
          maxLength: 2048,
          pattern: '^s3://[a-z0-9][a-z0-9.-]{1,62}/(.*/)?$',
          examples: ['s3://bucket/segments/'],
        }),
        endpoint: Type.Optional(Type.String({ maxLength: 512, description: 'of a store that is compatible; default Amazon’s' })),
        region: Type.Optional(Type.String({ maxLength: 64 })),
        accessKeyId: Type.String({ minLength: 1, maxLength: 256 }),
      },
      { ...closed, description: 'put under the prefix; with accessKeySecret' },
    ),
    Type.Object(
      { to: Type.Literal('url'), url: Type.String({ maxLength: 2048, examples: ['https://crm.example/hooks/segments'] }) },
      { ...closed, description: 'posted, kind webhook only' },
    ),
  ],
  { default: { to: 'download' } },
);

export const SCHEDULES = ['manual', 'refresh', 'daily'] as const;

/** Where segments are sent outside bidding, in the form that is read there. */
export const DestinationInput = Type.Object(
  {
    advertiser: Id('the advertiser whose account or system it is'),
    name: Name,
    kind: oneOf(DESTINATION_KINDS),
    status: oneOf(['active', 'paused'], { default: 'active', description: 'paused: nobody is added, who is to be removed is' }),
    segments: Type.Array(
      Type.Object(
        {
          segment: Id('a segment'),
          code: Type.Optional(
            Type.String({
              pattern: '^[A-Za-z0-9_.-]{1,64}$',
              description: 'its name there; default its id (xandr: the segment code)',
            }),
          ),
        },
        closed,
      ),
      { maxItems: 500 },
    ),
    mode: oneOf(['delta', 'full'], { default: 'delta', description: 'delta: who entered and left since the last delivery' }),
    schedule: oneOf(SCHEDULES, {
      default: 'manual',
      description:
        'refresh: when its segments changed or somebody is to be removed; daily: once a day, and when somebody is to be removed',
    }),
    identifiers: nullable(Type.Array(oneOf(SENDABLE_KINDS), { minItems: 1, uniqueItems: true }), {
      default: null,
      description:
        'csv, parquet, webhook: what people are named by; null: email_uid2, phone_uid2, ifa. google_customer_match: ["ifa"] for a list of mobile device ids, yandex_audience: ["idfa", "gaid"]; null for one of contacts. xandr: ["exchange", "idfa", "gaid"]; null: exchange alone',
    }),
    exchange: nullable(Id('xandr: the exchange whose user ids are those of Xandr'), { default: null }),
    expirationDays: Type.Integer({
      minimum: 1,
      maximum: 180,
      default: 180,
      description: 'xandr: a membership that is not renewed ends; all are renewed at half of it',
    }),
    origins: Type.Array(Type.String({ maxLength: 200, pattern: '^https?://[^/\\s*]+$' }), {
      maxItems: 100,
      uniqueItems: true,
      default: [],
      description: 'lookup: sites whose pages may ask from a browser (CORS)',
    }),
    delivery: Delivery,
    accessKeySecret: Type.Optional(
      Type.String({ minLength: 1, maxLength: 512, writeOnly: true, description: 's3; never shown again' }),
    ),
    signingSecret: Type.Optional(
      Type.String({
        pattern: '^whsec_[A-Za-z0-9+/]{32,88}={0,2}$',
        writeOnly: true,
        description: 'webhook; absent: one is made, and shown in the answer that makes the destination',
      }),
    ),
  },
  closed,
);
export type DestinationInput = Static<typeof DestinationInput>;

/** What is kept: secrets sealed, for each destination of its own. */
export interface Destination extends Omit<DestinationInput, 'accessKeySecret' | 'signingSecret'> {
  readonly sealedAccessKeySecret: string | null;
  readonly sealedSigningSecret: string | null;
}

const DEFAULT_KINDS = ['email_uid2', 'phone_uid2', 'ifa'] as const;

type Kinds = Pick<Destination, 'kind' | 'identifiers'>;

/** Of Google and Yandex: a list there is one of contacts or one of devices. */
const CONTACTS: Readonly<Partial<Record<Destination['kind'], readonly SendableKind[]>>> = {
  google_customer_match: ['email_google', 'phone_google'],
  yandex_audience: ['phone_yandex', 'email_yandex'],
};
/** Yandex reads whose an advertising id is from its letters. */
const DEVICES: Readonly<Partial<Record<Destination['kind'], readonly SendableKind[]>>> = {
  google_customer_match: ['ifa'],
  yandex_audience: PLATFORM_KINDS,
};
const FREE: ReadonlySet<string> = new Set(['csv', 'parquet', 'webhook']);

export function isOfDevices({ kind, identifiers }: Kinds): boolean {
  return identifiers !== null && identifiers.length > 0 && identifiers.every((one) => DEVICES[kind]?.includes(one) === true);
}

/** Whether the destination can name people by what it lists; null: it always can. */
export function takesKinds({ kind, identifiers }: Kinds): boolean {
  if (identifiers === null || FREE.has(kind) || isOfDevices({ kind, identifiers })) return true;
  return kind === 'xandr' && identifiers.every((one) => one === 'exchange' || isPlatformKind(one));
}

/** Kinds of identifier that it takes. */
export function kindsOf({ kind, identifiers }: Kinds): readonly SendableKind[] {
  if (kind === 'xandr') return identifiers ?? ['exchange'];
  if (isOfDevices({ kind, identifiers })) return identifiers ?? [];
  return CONTACTS[kind] ?? KINDS_OF[kind] ?? identifiers ?? DEFAULT_KINDS;
}

export const secretOf = (id: string, name: 'access' | 'signing'): string => `destination ${name}\n${id}`;

/** Secrets that are not given stay as they are; a webhook that has none gets one. */
export function keptDestination(
  { accessKeySecret, signingSecret, ...rest }: DestinationInput,
  id: string,
  sealer: Sealer,
  current: Destination | undefined,
): { readonly body: Destination; readonly once: object } {
  const made = rest.kind === 'webhook' && signingSecret === undefined && current?.sealedSigningSecret == null;
  const signing = made ? `whsec_${randomBytes(32).toString('base64')}` : signingSecret;
  const sealed = (secret: string | undefined, name: 'access' | 'signing', before: string | null | undefined): string | null =>
    secret === undefined ? (before ?? null) : sealer.seal(secret, secretOf(id, name));
  return {
    body: {
      ...rest,
      sealedAccessKeySecret: sealed(accessKeySecret, 'access', current?.sealedAccessKeySecret),
      sealedSigningSecret: sealed(signing, 'signing', current?.sealedSigningSecret),
    },
    once: made ? { signingSecret: signing } : {},
  };
}
