import { type Static, Type } from 'typebox';
import { oneOf, Time } from '../http/schema.ts';

/** There is one table of rates, of which each publication is a revision. */
export const RATES_ID = 'rates';

/** Exchange rates as somebody published them. Bidders use them for two days. */
export const Rates = Type.Object(
  {
    at: Time,
    base: oneOf(['USD'], { default: 'USD' }),
    perUsd: Type.Unsafe<Record<string, number>>({
      type: 'object',
      patternProperties: { '^[A-Z]{3}$': { type: 'number', exclusiveMinimum: 0, maximum: 1e9 } },
      additionalProperties: false,
      minProperties: 1,
      maxProperties: 400,
      description: 'units of each currency (ISO 4217) for one US dollar',
      examples: [{ EUR: 0.92, RUB: 91.4 }],
    }),
  },
  { additionalProperties: false },
);
export type Rates = Static<typeof Rates>;
