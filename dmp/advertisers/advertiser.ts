import { type Static, Type } from 'typebox';
import { Name, oneOf } from '../http/schema.ts';

/** Who pays for ads. Owns stores, campaigns and creatives; `domains` are where its ads may lead. */
export const Advertiser = Type.Object(
  {
    name: Name,
    domains: Type.Array(Type.String({ minLength: 1, maxLength: 253 }), { minItems: 1, maxItems: 100, uniqueItems: true }),
    currency: oneOf(['USD'], { default: 'USD' }),
  },
  { additionalProperties: false },
);
export type Advertiser = Static<typeof Advertiser>;
