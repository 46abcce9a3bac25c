import { type Static, Type } from 'typebox';
import { IDENTIFIER_KINDS } from '../../proto/identifier.ts';
import { Id, Micros, Name, nullable, oneOf, Time } from '../http/schema.ts';
import { createChecker } from '../http/validation.ts';
import { LabelInput, PRECISIONS } from './label-words.ts';
import { DESTINATION_KINDS, PURPOSES } from './purposes.ts';

/** What a source may hold: events of people, and what a catalogue and its stores say of products. */
export const SOURCE_KINDS = ['purchase', 'ping', 'identify', 'page', 'redemption', 'action', 'product', 'stock'] as const;
export type SourceKind = (typeof SOURCE_KINDS)[number];

export const LEGAL_BASES = [
  'consent',
  'contract',
  'legal_obligation',
  'vital_interests',
  'public_task',
  'legitimate_interest',
  'not_personal',
] as const;

const closed = { additionalProperties: false } as const;
const Days = Type.Integer({ minimum: 1, maximum: 3_650 });

type Retention = { readonly [K in SourceKind]?: number | null };

/** What the use of the data costs. Money is in micros of USD, the currency of spend. */
const Price = Type.Object(
  {
    model: oneOf(['cpm', 'flat', 'share'], {
      description: 'cpm: `micros` per thousand impressions; flat: `micros` per UTC month; share: `percent` of media spend',
    }),
    micros: Type.Optional(Micros),
    percent: Type.Optional(Type.Number({ minimum: 0, maximum: 100, multipleOf: 0.01 })),
  },
  closed,
);
export type Price = Static<typeof Price>;

/**
 * A source as a contract: where data comes from, on what ground it is held, what it may be used for and by whom, how long it
 * is kept and what it costs. `timeZone` and `currency` hold where an event says none.
 */
export const SourceInput = Type.Object(
  {
    name: Name,
    party: oneOf(['1p', '2p', '3p'], { description: 'own, a partner’s, bought' }),
    timeZone: Type.String({ maxLength: 64, default: 'UTC' }),
    currency: Type.String({ pattern: '^[A-Z]{3}$', default: 'USD' }),
    advertiser: nullable(Id('the advertiser that holds the contract'), { default: null, description: 'null: the operator' }),
    owner: nullable(
      Type.Object(
        {
          name: Name,
          domain: Type.Optional(Type.String({ maxLength: 253 })),
          contact: Type.Optional(Type.String({ maxLength: 200, description: 'a desk, not a person' })),
        },
        closed,
      ),
      { default: null, description: 'whose data it is' },
    ),
    legalBasis: nullable(oneOf(LEGAL_BASES), { default: null, description: 'null: not stated, which is an alarm of quality' }),
    consent: oneOf(['asserted', 'recorded'], {
      default: 'asserted',
      description: 'recorded: its rows are in segments only for people with a consent for profiles in /v1/consents',
    }),
    purposes: Type.Array(oneOf(PURPOSES), {
      uniqueItems: true,
      default: [...PURPOSES],
      description: 'without profiles it is in no segment, without measurement in no report',
    }),
    destinations: Type.Array(oneOf(DESTINATION_KINDS), {
      uniqueItems: true,
      default: [],
      description:
        'kinds of destination to which its identifiers, and segments that stand on its rows, may be sent; identifiers are kept for sending from then on',
    }),
    kinds: nullable(Type.Array(oneOf(SOURCE_KINDS), { uniqueItems: true }), {
      default: null,
      description: 'kinds of event that it may bring; null: all',
    }),
    identifierKinds: nullable(Type.Array(oneOf(IDENTIFIER_KINDS), { uniqueItems: true }), {
      default: null,
      description: 'kinds of identifier that it may bring; null: all',
    }),
    keyColumns: Type.Array(Type.String({ minLength: 1, maxLength: 200 }), {
      maxItems: 20,
      uniqueItems: true,
      default: [],
      description: 'columns by which a row of its files is known',
    }),
    precision: nullable(oneOf(PRECISIONS), { default: null, description: 'what one of its identifiers stands for' }),
    refreshHours: nullable(Type.Integer({ minimum: 1, maximum: 8_760 }), {
      default: null,
      description: 'data comes at least this often; null: not promised',
    }),
    lateHours: Type.Integer({
      minimum: 1,
      maximum: 87_600,
      default: 72,
      description: 'what comes longer after it happened is late',
    }),
    retention: Type.Unsafe<Retention>(
      Type.Object(Object.fromEntries(SOURCE_KINDS.map((kind) => [kind, Type.Optional(nullable(Days))])), {
        ...closed,
        default: {},
        description: 'days that rows of a kind are kept after they came in; null or absent: as the tables of all',
      }),
    ),
    price: nullable(Price, { default: null }),
    advertisers: nullable(Type.Array(Id('an advertiser'), { maxItems: 10_000, uniqueItems: true }), {
      default: null,
      description: 'who may use it; null: all',
    }),
    namespace: nullable(Type.String({ pattern: '^[A-Za-z0-9_-]{0,64}$' }), {
      default: null,
      description:
        'whose numbers its loyalty, customer and card identifiers are: sources with one namespace share them; null: its own id, if it is new',
    }),
    label: Type.Unsafe<Static<typeof LabelInput>>({ ...LabelInput, default: {} }),
  },
  closed,
);
export type SourceInput = Static<typeof SourceInput>;

/** The contract was ended: nothing of it is taken or used any more. */
export const Revocation = Type.Object({
  at: Time,
  reason: Type.String(),
  actor: Type.String(),
  erase: Type.Boolean({ description: 'its rows are deleted by the next retention run' }),
});
export type Revocation = Static<typeof Revocation>;

type FirstMembers = 'name' | 'party' | 'timeZone' | 'currency';

/** What is kept. Revisions from before a member was thought of do not have it. */
export type Source = Pick<SourceInput, FirstMembers> &
  Partial<Omit<SourceInput, FirstMembers>> & { readonly revoked?: Revocation | null };

export type Terms = SourceInput & { readonly revoked: Revocation | null };

const fillIn = createChecker(SourceInput);
const filled = new WeakMap<Source, Terms>();

/** The contract with every member: what an old revision does not have is at its default. */
export function termsOf(source: Source): Terms {
  const known = filled.get(source);
  if (known !== undefined) return known;
  const { revoked, ...given } = structuredClone(source);
  fillIn(given);
  const terms = { ...(given as SourceInput), revoked: revoked ?? null };
  filled.set(source, terms);
  return terms;
}

/** Whose numbers a source's loyalty, customer and card identifiers are; '' of what has no contract or is older than namespaces. */
export function namespaceOf(source: Source | undefined): string {
  return source?.namespace ?? '';
}
