import { type Static, Type } from 'typebox';
import { Name, oneOf } from '../http/schema.ts';

/** Where data comes from. `timeZone` and `currency` hold where an event says none. */
export const Source = Type.Object(
  {
    name: Name,
    party: oneOf(['1p', '2p', '3p']),
    timeZone: Type.String({ maxLength: 64, default: 'UTC' }),
    currency: oneOf(['USD'], { default: 'USD' }),
  },
  { additionalProperties: false },
);
export type Source = Static<typeof Source>;
