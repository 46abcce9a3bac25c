import { type Static, Type } from 'typebox';
import { Id, Micros, Name, nullable, oneOf } from '../http/schema.ts';
import { LEVELS } from '../identity/kinds.ts';
import { Rule } from './rule.ts';
import { SEGTAX } from './taxonomy.ts';

const closed = { additionalProperties: false } as const;

/** What an audience is in a taxonomy that buyers know. */
const Taxonomy = Type.Object(
  {
    segtax: Type.Unsafe<typeof SEGTAX>({ type: 'integer', enum: [SEGTAX], description: '4: IAB Audience Taxonomy 1.1' }),
    id: Type.String({ pattern: '^[1-9][0-9]{0,3}$' }),
  },
  closed,
);

/** What the use of a bought segment costs, beside what its sources do. */
const SegmentPrice = Type.Object(
  {
    cpmMicros: Type.Optional({ ...Micros, description: 'micros of USD per thousand impressions' }),
    percent: Type.Optional(Type.Number({ minimum: 0, maximum: 100, multipleOf: 0.01, description: 'of media spend' })),
  },
  {
    ...closed,
    description: 'one of `cpmMicros` and `percent`: charged to line items that name the segment, itself or through others',
  },
);

export const Confidence = Type.Number({
  minimum: 0,
  maximum: 1,
  multipleOf: 0.01,
  default: 0,
  description:
    'only what is known of a person by identifiers that are joined to theirs at least so surely counts, and only these carry the segment; a household is who is joined to it so surely; 0: all that is taken for theirs (docs/identity.md)',
});

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
    confidence: Confidence,
    sensitive: Type.Boolean({
      default: false,
      description:
        'tells of health, belief, origin, love, politics or trouble; so do some taxonomy ids and words of the name. It needs sensitiveAllowed to be used, and 1,000 people',
    }),
    sensitiveAllowed: Type.Boolean({
      default: false,
      description: 'a sensitive segment may be used all the same; set with an admin key only',
    }),
    minimumSize: nullable(Type.Integer({ minimum: 1, maximum: 1_000_000_000 }), {
      default: null,
      description: 'people that it must have to be used; null: 100, of a sensitive one 1,000; less only with an admin key',
    }),
    taxonomy: nullable(Taxonomy, { default: null }),
    price: nullable(SegmentPrice, { default: null }),
  },
  { additionalProperties: false },
);
export type SegmentInput = Static<typeof SegmentInput>;

/** Members that revisions from before they were thought of do not have. */
type Later = 'level' | 'confidence' | 'sensitive' | 'sensitiveAllowed' | 'minimumSize' | 'taxonomy' | 'price';

/** `number` is assigned by the server, never reused: it is what profiles and snapshots carry. */
export interface Segment extends Omit<SegmentInput, Later>, Partial<Pick<SegmentInput, Later>> {
  readonly number: number;
}
