import { type Static, Type } from 'typebox';
import { Name, nullable, oneOf } from '../http/schema.ts';

/** A connected seller. Its id is the last part of its address at the bidder: /openrtb2/<id>. */
export const Exchange = Type.Object(
  {
    name: Name,
    defaultTmax: Type.Integer({ minimum: 10, maximum: 5_000, default: 100, description: 'ms, where a request has no tmax' }),
    networkAllowance: Type.Integer({
      minimum: 0,
      maximum: 1_000,
      default: 10,
      description: 'ms of the deadline for the network',
    }),
    billing: oneOf(['burl', 'pixel', 'nurl'], { description: 'the event on which the exchange books money' }),
    seat: nullable(Type.String({ minLength: 1, maxLength: 64 }), { default: null }),
    simulated: Type.Boolean({ default: false, description: 'may send x-walkin-time; never for a real exchange' }),
  },
  { additionalProperties: false },
);
export type Exchange = Static<typeof Exchange>;
