import { type Static, Type } from 'typebox';
import { Id, Name, nullable, oneOf } from '../http/schema.ts';
import { SCOPES } from './scopes.ts';

/** What a user says of an API key. */
export const ApiKeyInput = Type.Object(
  {
    name: Name,
    advertiser: nullable(Id('the advertiser that the key is bound to'), { default: null }),
    scopes: Type.Array(oneOf(SCOPES), { minItems: 1, uniqueItems: true }),
  },
  { additionalProperties: false },
);
export type ApiKeyInput = Static<typeof ApiKeyInput>;

/** What is kept: of the secret only its SHA-256, in hex. */
export interface ApiKey extends ApiKeyInput {
  readonly hash: string;
}
