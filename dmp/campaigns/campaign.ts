import { type Static, Type } from 'typebox';
import { Id, Micros, Name, nullable, oneOf, Time } from '../http/schema.ts';

export const Status = oneOf(['active', 'paused'], { default: 'active' });

const Holdout = Type.Object(
  {
    percent: Type.Number({ minimum: 0, maximum: 50, multipleOf: 0.01 }),
    salt: Type.Optional(Type.String({ minLength: 1, maxLength: 64, description: 'made once where absent, and kept' })),
  },
  { additionalProperties: false },
);

/** What an advertiser wants: a flight, a budget, and how many people are held out to measure the effect. */
export const Campaign = Type.Object(
  {
    advertiser: Id('its advertiser'),
    name: Name,
    status: Status,
    start: Time,
    end: Time,
    budgetMicros: nullable(Micros, { default: null, description: 'micros of cost; null: unlimited' }),
    holdout: nullable(Holdout, { default: null }),
  },
  { additionalProperties: false },
);
export type Campaign = Static<typeof Campaign>;
