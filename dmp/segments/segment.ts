import { type Static, Type } from 'typebox';
import { Rule } from './rule.ts';

/** A named rule over people. */
export const Segment = Type.Object(
  {
    /** Null: shared by all advertisers. */
    advertiser: Type.Union([Type.String(), Type.Null()], { default: null }),
    name: Type.String({ minLength: 1, maxLength: 200 }),
    rule: Rule,
    /** Assigned by the server, never reused: what profiles and snapshots carry. */
    number: Type.Integer({ minimum: 1, maximum: 2 ** 32 - 1 }),
  },
  { additionalProperties: false },
);

export type Segment = Static<typeof Segment>;
