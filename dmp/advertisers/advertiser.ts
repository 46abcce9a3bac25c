import { type Static, Type } from 'typebox';
import { Name, oneOf } from '../http/schema.ts';

/** Who pays for ads. Owns stores, campaigns and creatives; `domains` are where its ads may lead. */
export const Advertiser = Type.Object(
  {
    name: Name,
    domains: Type.Array(Type.String({ minLength: 1, maxLength: 253 }), { minItems: 1, maxItems: 100, uniqueItems: true }),
    currency: oneOf(['USD'], { default: 'USD' }),
    apart: Type.Optional(
      Type.Boolean({
        description:
          'the people that its sources name do not meet those of others: all but what a bid names them by (advertising ids, cookies, ids of exchanges) is keyed for it alone. Said when it is made; absent: they meet',
      }),
    ),
  },
  { additionalProperties: false },
);
export type Advertiser = Static<typeof Advertiser>;

/** What is kept of one. */
export interface KeptAdvertiser extends Advertiser {
  /** Generations of its pepper that are honoured, the newest first; absent: from before tenants had peppers of their own. */
  readonly peppers?: readonly number[];
  /** The generation that it began with; absent: the installation's. */
  readonly firstPepper?: number;
}
