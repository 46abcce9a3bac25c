import { type Static, Type } from 'typebox';
import { Id, oneOf } from '../http/schema.ts';

/** A file that is brought in: what it is, and how its columns are to be read. */

export const IMPORT_TYPES = ['purchase', 'product', 'ping', 'identify', 'page', 'redemption', 'store'] as const;
export type ImportType = (typeof IMPORT_TYPES)[number];

const Column = Type.String({ minLength: 1, maxLength: 256 });
const closed = { additionalProperties: false } as const;

/** Where a field's value comes from: a column by name, or the same text in all rows. */
export type FieldSource = string | { readonly column: string } | { readonly constant: string };

export const Mapping = Type.Object(
  {
    columns: Type.Unsafe<Record<string, FieldSource>>({
      type: 'object',
      maxProperties: 500,
      additionalProperties: {
        anyOf: [
          { type: 'string', minLength: 1, maxLength: 256 },
          { type: 'object', properties: { column: Column }, required: ['column'], additionalProperties: false },
          {
            type: 'object',
            properties: { constant: { type: 'string', maxLength: 2048 } },
            required: ['constant'],
            additionalProperties: false,
          },
        ],
      },
      description: 'By field: the name of its column, {column} or {constant}',
      examples: [
        { id: 'basket_id', at: 'transaction_timestamp', amount: { column: 'sales_value' }, currency: { constant: 'USD' } },
      ],
    }),
    identifiers: Type.Optional(
      Type.Array(Type.Object({ kind: Type.String({ maxLength: 32 }), column: Column }, closed), { maxItems: 32 }),
    ),
  },
  closed,
);
export type Mapping = Static<typeof Mapping>;

export const Import = Type.Object(
  {
    type: oneOf(IMPORT_TYPES),
    format: oneOf(['csv', 'ndjson']),
    source: Type.Optional(Id('the source that the rows come from')),
    advertiser: Type.Optional(Id('the advertiser whose stores they are')),
    mapping: Type.Optional(Mapping),
  },
  closed,
);
export type Import = Static<typeof Import>;
