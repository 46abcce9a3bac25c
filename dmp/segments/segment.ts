import { type Static, Type } from 'typebox';
import { Id, Name, nullable } from '../http/schema.ts';
import { Rule } from './rule.ts';

/** A named rule over people, as users write it. */
export const SegmentInput = Type.Object(
  {
    advertiser: nullable(Id('its advertiser'), { default: null, description: 'null: shared by all' }),
    name: Name,
    rule: Rule,
  },
  { additionalProperties: false },
);
export type SegmentInput = Static<typeof SegmentInput>;

/** `number` is assigned by the server, never reused: it is what profiles and snapshots carry. */
export interface Segment extends SegmentInput {
  readonly number: number;
}
