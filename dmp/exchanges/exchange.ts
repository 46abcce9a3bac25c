import { createHash } from 'node:crypto';
import { type Static, Type } from 'typebox';
import { Name, nullable, oneOf } from '../http/schema.ts';
import { createChecker } from '../http/validation.ts';
import { PRESET_NAMES } from './preset-name.ts';

const closed = { additionalProperties: false } as const;

/** Fields of `bid` (and `seat` of its seat bid) that an exchange may insist on. */
export const BID_FIELDS = [
  'adid',
  'adm',
  'adomain',
  'attr',
  'burl',
  'cat',
  'cid',
  'crid',
  'dur',
  'exp',
  'h',
  'iurl',
  'language',
  'lurl',
  'mtype',
  'nurl',
  'seat',
  'w',
] as const;

const Key = Type.String({ pattern: '^[A-Za-z0-9+/_-]{43}=?$', description: '32 bytes, base64' });
const PriceKeys = Type.Object({ encryptionKey: Key, integrityKey: Key }, closed);
export type PriceKeys = Static<typeof PriceKeys>;

/** A seller by its `asi`, or one of its accounts. */
const Seller = Type.String({ pattern: '^[a-z0-9.-]+(/[^/\\s]+)?$', maxLength: 200 });
const Supply = Type.Object(
  {
    completeOnly: Type.Boolean({ default: false, description: 'only where schain.complete is 1' }),
    maxHops: nullable(Type.Integer({ minimum: 1, maximum: 20 }), { default: null }),
    sellers: nullable(Type.Array(Seller, { minItems: 1, maxItems: 1_000, uniqueItems: true }), {
      default: null,
      description: 'allowed sellers, "asi" or "asi/sid"; null: any',
    }),
    authorizedOnly: Type.Boolean({
      default: false,
      description: 'only sellers that a known ads.txt, and the known sellers.json of the chain, list',
    }),
  },
  { ...closed, default: {} },
);

/** A connected seller. Its id is the last part of its address at the bidder: /openrtb2/<id>. */
export const ExchangeInput = Type.Object(
  {
    name: Name,
    preset: nullable(oneOf(PRESET_NAMES), { default: null, description: 'fills in what is not given, see /v1/exchange-presets' }),
    token: Type.Optional(
      Type.String({
        pattern: '^([A-Za-z0-9._~-]{16,128})?$',
        writeOnly: true,
        description: 'what its address must carry as ?token=…; kept as a digest, never shown; absent: as it is; "": none',
      }),
    ),
    signatureHeader: nullable(Type.String({ pattern: '^[a-z0-9-]{1,64}$' }), {
      default: null,
      description: 'lower-case name of the header that carries the hex HMAC-SHA256 of the raw body; null: none is asked for',
    }),
    signatureSecret: Type.Optional(
      Type.String({
        pattern: '^[!-~]{16,256}$',
        writeOnly: true,
        description: 'key of that HMAC, as it is in UTF-8; never shown; absent: as it is',
      }),
    ),
    format: oneOf(['json', 'protobuf'], { default: 'json', description: 'of a request whose content type does not tell' }),
    gzip: oneOf(['auto', 'always', 'never'], { default: 'auto', description: 'of answers; auto: as Accept-Encoding asks' }),
    defaultTmax: Type.Integer({ minimum: 10, maximum: 5_000, default: 100, description: 'ms, where a request has no tmax' }),
    networkAllowance: Type.Integer({
      minimum: 0,
      maximum: 1_000,
      default: 10,
      description: 'ms of the deadline for the network',
    }),
    billing: oneOf(['burl', 'pixel', 'nurl', 'vast'], {
      default: 'burl',
      description: 'the event on which the exchange books money; vast: the VAST impression, and burl for what has none',
    }),
    currency: nullable(Type.String({ pattern: '^[A-Z]{3}$' }), {
      default: null,
      description: 'of prices in notices that name none; null: that of the bid',
    }),
    seat: nullable(Type.String({ minLength: 1, maxLength: 64 }), { default: null }),
    requiredFields: Type.Array(oneOf(BID_FIELDS), {
      uniqueItems: true,
      default: [],
      description: 'a bid without one of these is not sent',
    }),
    priceFormat: oneOf(['plain', 'b64', 'google'], {
      default: 'plain',
      description: 'how cleared prices come; b64: base64 of the decimal, for ${AUCTION_PRICE:B64}',
    }),
    priceKeys: Type.Optional(
      Type.Unsafe<PriceKeys>({
        ...PriceKeys,
        writeOnly: true,
        description: 'of priceFormat google; never shown; absent: as they are',
      }),
    ),
    sendsNoBidReason: Type.Boolean({ default: false, description: 'answer no-bids with 200 and nbr instead of 204' }),
    bidsPerImp: Type.Integer({ minimum: 1, maximum: 20, default: 1 }),
    maxAnswerBytes: nullable(Type.Integer({ minimum: 1_024, maximum: 262_144 }), {
      default: null,
      description: 'the longest answer that is read, before compression; dearer bids stay; null: 262144',
    }),
    qps: nullable(Type.Integer({ minimum: 1, maximum: 1_000_000 }), {
      default: null,
      description: 'requests a second that are considered, over all workers; others are no-bids; null: all',
    }),
    trustsUnknownLocation: Type.Boolean({ default: false, description: 'a location of no type counts as the device’s own' }),
    defaultAuction: Type.Unsafe<1 | 2>({
      type: 'integer',
      enum: [1, 2],
      default: 2,
      description: 'where `at` of a request cannot be read',
    }),
    supply: Type.Unsafe<Static<typeof Supply>>(Supply),
    sampling: Type.Number({
      minimum: 0,
      maximum: 1,
      default: 1,
      description: 'share of requests considered; others are no-bids',
    }),
    adLabel: Type.Boolean({ default: false, description: 'add the ad label as bid.ext.nroa' }),
    syncUrl: nullable(Type.String({ pattern: '^https://[^\\s]+$', maxLength: 2_000 }), {
      default: null,
      description: 'its user-sync address, with ${WALKIN_UID} where our id belongs',
    }),
    simulated: Type.Boolean({ default: false, description: 'may send x-walkin-time; never for a real exchange' }),
  },
  closed,
);
export type ExchangeInput = Static<typeof ExchangeInput>;

type Settings = Omit<ExchangeInput, 'token' | 'priceKeys' | 'signatureSecret'>;
interface Secrets {
  readonly tokenHash: string | null;
  readonly keys: PriceKeys | null;
  /** Key of the signature, as it is: the bidder needs it. */
  readonly signing: string | null;
}
type FirstMembers = 'name' | 'defaultTmax' | 'networkAllowance' | 'billing' | 'seat' | 'simulated';

/** What is kept. Revisions from before a member was thought of do not have it. */
export type Exchange = Pick<Settings, FirstMembers> & Partial<Omit<Settings, FirstMembers>> & Partial<Secrets>;

const fillIn = createChecker(ExchangeInput);

/** The settings with every member: what an old revision does not have is at its default. */
export function settingsOf({ tokenHash, keys, signing, ...given }: Exchange): Settings & Secrets {
  const settings = structuredClone(given);
  fillIn(settings);
  return { ...(settings as Settings), tokenHash: tokenHash ?? null, keys: keys ?? null, signing: signing ?? null };
}

/** What is written, as it is kept: of the token its digest; secrets that are not given stay as they are. */
export function keptExchange(
  { token, priceKeys, signatureSecret, ...settings }: ExchangeInput,
  current: Exchange | undefined,
): Exchange {
  const keys = settings.priceFormat === 'google' ? (priceKeys ?? current?.keys ?? null) : null;
  const signing = settings.signatureHeader === null ? null : (signatureSecret ?? current?.signing ?? null);
  return { ...settings, tokenHash: tokenHashOf(token, current?.tokenHash ?? null), keys, signing };
}

function tokenHashOf(token: string | undefined, current: string | null): string | null {
  if (token === undefined) return current;
  return token === '' ? null : createHash('sha256').update(token).digest('hex');
}
