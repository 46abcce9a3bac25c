import { type Static, Type } from 'typebox';
import { Id, Name, nullable, oneOf } from '../http/schema.ts';
import { LEVELS, type Level } from '../identity/kinds.ts';
import { Rule } from './rule.ts';

/** A named rule over people, as users write it. */
export const SegmentInput = Type.Object(
  {
    advertiser: nullable(Id('its advertiser'), { default: null, description: 'null: shared by all' }),
    name: Name,
    rule: Rule,
    level: oneOf(LEVELS, {
      default: 'person',
      description:
        'whose facts a rule counts together: of one device, of one person, of one household (weak edges); the person, or all of the household, are members',
    }),
  },
  { additionalProperties: false },
);
export type SegmentInput = Static<typeof SegmentInput>;

/** `number` is assigned by the server, never reused: it is what profiles and snapshots carry. */
export interface Segment extends Omit<SegmentInput, 'level'> {
  /** Absent in revisions from before there were levels. */
  readonly level?: Level;
  readonly number: number;
}
