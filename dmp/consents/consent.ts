import { type Static, Type } from 'typebox';
import { IDENTIFIER_KINDS } from '../../proto/identifier.ts';
import { Id, oneOf, Time } from '../http/schema.ts';
import { PURPOSES } from '../sources/purposes.ts';

const closed = { additionalProperties: false } as const;
const Text = (maxLength: number) => Type.String({ minLength: 1, maxLength });

export const PersonIdentifier = Type.Object(
  { kind: oneOf(IDENTIFIER_KINDS), value: Type.String({ maxLength: 1024, description: 'raw: it is keyed, never stored' }) },
  closed,
);

/** Where it can be read that the person said so. */
const Proof = Type.Object(
  {
    document: Text(200),
    version: Type.Optional(Text(100)),
    channel: Type.Optional(Text(100)),
  },
  closed,
);

/** A person's word on purposes. */
export const ConsentInput = Type.Object(
  {
    identifiers: Type.Array(PersonIdentifier, { minItems: 1, maxItems: 64, description: 'of one person' }),
    purposes: Type.Array(oneOf(PURPOSES), { minItems: 1, uniqueItems: true }),
    status: oneOf(['granted', 'withdrawn']),
    at: Type.Optional({ ...Time, description: 'when it was said; default: now' }),
    expires: Type.Optional({ ...Time, description: 'of what is granted' }),
    source: Type.Optional(Id('the source whose numbers loyalty, customer and card identifiers are')),
    proof: Type.Optional(Proof),
  },
  closed,
);
export type ConsentInput = Static<typeof ConsentInput>;

export const ConsentsBody = Type.Object(
  { consents: Type.Array(ConsentInput, { minItems: 1, maxItems: 1_000 }) },
  { ...closed, description: 'one without the list around it is taken too' },
);
