import { type Static, type TSchema, type TUnsafe, Type } from 'typebox';

/** Parts that the schemas of several nouns share. */

export const ID_PATTERN = '^[a-zA-Z0-9][a-zA-Z0-9_-]{0,63}$';

/** Id of a thing; `what` says of which. */
export const Id = (what: string) => Type.String({ pattern: ID_PATTERN, description: `Id of ${what}` });

/** One line, of which something can be seen: names stand in lists, logs, sentences and files. */
export const NAME_PATTERN = '^(?=.*\\S)[^\\p{Cc}\\u2028\\u2029]*$';
export const Name = Type.String({ minLength: 1, maxLength: 200, pattern: NAME_PATTERN });

/** RFC 3339 with a zone. */
export const Time = Type.String({ format: 'date-time', examples: ['2026-03-01T00:00:00Z'] });

export const Micros = Type.Integer({ minimum: 0, maximum: Number.MAX_SAFE_INTEGER });

/** One of some texts. */
export function oneOf<const Values extends readonly [string, ...string[]]>(
  values: Values,
  options: object = {},
): TUnsafe<Values[number]> {
  return Type.Unsafe<Values[number]>({ type: 'string', enum: [...values], ...options });
}

/** The schema or null, as one schema with two types, so that a wrong value is one fault rather than one a branch. */
export function nullable<Schema extends TSchema>(schema: Schema, options: object = {}): TUnsafe<Static<Schema> | null> {
  const plain = schema as unknown as { type: string; enum?: unknown[] };
  return Type.Unsafe<Static<Schema> | null>({
    ...plain,
    type: [plain.type, 'null'],
    ...(plain.enum === undefined ? {} : { enum: [...plain.enum, null] }),
    ...options,
  });
}

/** Objects told apart by the literal in one of their members; only the faults of the meant one are reported. */
export function variants<Schemas extends TSchema[]>(
  member: string,
  schemas: [...Schemas],
  options: object = {},
): TUnsafe<Static<Schemas[number]>> {
  return Type.Unsafe<Static<Schemas[number]>>({
    type: 'object',
    required: [member],
    discriminator: { propertyName: member },
    oneOf: schemas,
    ...options,
  });
}
