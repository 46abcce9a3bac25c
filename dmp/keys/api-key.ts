import { type Static, Type } from 'typebox';
import { Id, Name, nullable, oneOf } from '../http/schema.ts';
import { ROLE_NAMES } from './roles.ts';
import { SCOPES } from './scopes.ts';

const RateLimit = Type.Object(
  {
    perSecond: Type.Number({ exclusiveMinimum: 0, maximum: 100_000 }),
    burst: Type.Integer({ minimum: 1, maximum: 1_000_000, description: 'calls that may come at once' }),
  },
  { additionalProperties: false },
);
export type RateLimit = Static<typeof RateLimit>;

/** What a user says of an API key. */
export const ApiKeyInput = Type.Object(
  {
    name: Name,
    advertiser: nullable(Id('the advertiser that the key is bound to'), { default: null }),
    exchange: nullable(Id('the exchange that the key is bound to, with the role exchange'), { default: null }),
    role: nullable(oneOf(ROLE_NAMES), { default: null, description: 'a set of scopes, see docs/operate.md' }),
    scopes: Type.Array(oneOf(SCOPES), { uniqueItems: true, default: [], description: 'beside those of the role' }),
    rateLimit: nullable(RateLimit, { default: null, description: 'null: 500 calls a second, 1,000 at once' }),
  },
  { additionalProperties: false },
);
export type ApiKeyInput = Static<typeof ApiKeyInput>;

type FirstMembers = 'name' | 'advertiser' | 'scopes';

/** What is kept: of the secret only its SHA-256, in hex. Revisions from before a member was thought of do not have it. */
export type ApiKey = Pick<ApiKeyInput, FirstMembers> & Partial<Omit<ApiKeyInput, FirstMembers>> & { readonly hash: string };
