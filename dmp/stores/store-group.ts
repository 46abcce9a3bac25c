import { type Static, Type } from 'typebox';
import { Id, Name } from '../http/schema.ts';

/** Stores by a common name, to target them together. */
export const StoreGroup = Type.Object(
  {
    advertiser: Id('its advertiser'),
    name: Name,
    stores: Type.Array(Id('a store'), { maxItems: 10_000, uniqueItems: true }),
  },
  { additionalProperties: false },
);
export type StoreGroup = Static<typeof StoreGroup>;
