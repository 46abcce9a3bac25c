import { type Static, Type } from 'typebox';

/** How the columns of a table, or the members of documents, become the fields of events. */

const closed = { additionalProperties: false } as const;
const Column = Type.String({ minLength: 1, maxLength: 256 });

/** Where a field's value comes from: a column by name, the same text in all rows, or a rule. In documents a name is a path: `a.b`. */
export interface FieldRule {
  /** The first of them that is not empty. */
  readonly column?: string | readonly string[];
  readonly constant?: string;
  /** Several columns as one text, with `separator` between. */
  readonly join?: readonly string[];
  readonly separator?: string;
  /** Only a keyed hash of the text is kept: for ids that are made of personal numbers. */
  readonly keyed?: boolean;
  /** Where the column is empty. */
  readonly default?: string;
  /** What each text stands for; a text that is not listed is a fault. */
  readonly values?: Readonly<Record<string, string>>;
  /** Of amounts: decimal units (the default), whole hundredths (kopecks, cents), or micros. */
  readonly unit?: 'units' | 'hundredths' | 'micros';
  /** Of amounts and numbers: 1.234,56 or 1,234.56. Without it only 1234.56 is read. */
  readonly decimal?: ',' | '.';
  /** Of times: epoch seconds; seconds of a clock on the wall counted as if it were UTC; dd.mm.yyyy [hh:mm[:ss]]. */
  readonly time?: 'seconds' | 'localSeconds' | 'dmy';
}
export type FieldSource = string | FieldRule;

const ColumnText = { type: 'string', minLength: 1, maxLength: 256 } as const;
const Rule = {
  type: 'object',
  properties: {
    column: { anyOf: [ColumnText, { type: 'array', items: ColumnText, minItems: 1, maxItems: 16 }] },
    constant: { type: 'string', maxLength: 2048 },
    join: { type: 'array', items: ColumnText, minItems: 1, maxItems: 16 },
    separator: { type: 'string', maxLength: 16 },
    keyed: { type: 'boolean' },
    default: { type: 'string', maxLength: 2048 },
    values: { type: 'object', maxProperties: 1000, additionalProperties: { type: 'string', maxLength: 512 } },
    unit: { enum: ['units', 'hundredths', 'micros'] },
    decimal: { enum: [',', '.'] },
    time: { enum: ['seconds', 'localSeconds', 'dmy'] },
  },
  anyOf: [{ required: ['column'] }, { required: ['constant'] }, { required: ['join'] }],
  additionalProperties: false,
};

const Columns = Type.Unsafe<Record<string, FieldSource>>({
  type: 'object',
  maxProperties: 500,
  additionalProperties: { anyOf: [ColumnText, Rule] },
  description:
    'By field: the name of its column, or a rule: {column}, {constant}, {join}, with unit, decimal, time, values, default',
  examples: [{ id: 'basket_id', at: 'transaction_timestamp', amount: { column: 'sales_value' }, currency: { constant: 'USD' } }],
});

/** A column by whose value rows are told apart. */
const Switch = Type.Object({ column: Column, values: Type.Array(Type.String({ maxLength: 256 }), { maxItems: 100 }) }, closed);

export const Mapping = Type.Object(
  {
    columns: Columns,
    header: Type.Optional(
      Type.Array(Type.String({ maxLength: 256 }), {
        minItems: 1,
        maxItems: 1000,
        description: 'CSV: the names of the columns of a file that has no line with them',
      }),
    ),
    identifiers: Type.Optional(
      Type.Array(
        Type.Object(
          {
            kind: Type.String({ maxLength: 32 }),
            column: Column,
            prefix: Type.Optional(Column),
            os: Type.Optional(Type.Unsafe<FieldSource>({ anyOf: [ColumnText, Rule] })),
          },
          closed,
        ),
        {
          maxItems: 32,
          description:
            '`prefix` stands before the value: `<exchange id>:` of kind exchange. `os` of kind ifa: a column with what `device.os` says, or `{"constant": "Android"}`',
        },
      ),
    ),
    anonymous: Type.Optional(Type.Boolean({ description: 'purchase: receipts that name nobody are taken too' })),
    sign: Type.Optional(
      Type.Object(
        {
          column: Column,
          values: Type.Unsafe<Record<string, 1 | -1>>({ type: 'object', additionalProperties: { enum: [1, -1] } }),
        },
        { ...closed, description: 'purchase: −1 where the value says that it is a refund; another value is a fault' },
      ),
    ),
    delete: Type.Optional({ ...Switch, description: 'rows that take away what is known by their key' }),
    only: Type.Optional({ ...Switch, description: 'other rows are skipped' }),
    documents: Type.Optional(
      Type.Object(
        {
          root: Type.Optional(
            Type.Array(Column, { maxItems: 16, description: 'the member that holds the document: the first that is there' }),
          ),
          skip: Type.Optional(Type.Array(Column, { maxItems: 16, description: 'documents with such a member are skipped' })),
          lines: Type.Optional(
            Type.Object(
              {
                each: Type.Array(
                  Type.Object(
                    {
                      path: Column,
                      sign: Type.Optional(Type.Union([Type.Literal(1), Type.Literal(-1)])),
                      prefix: Type.Optional(Type.String({ maxLength: 16 })),
                    },
                    closed,
                  ),
                  { minItems: 1, maxItems: 4, description: 'lists of a receipt’s lines; sign −1: cancelled ones' },
                ),
                columns: Columns,
                total: Type.Optional(
                  Type.Unsafe<FieldSource>({ anyOf: [ColumnText, Rule], description: 'the amount of a receipt without lines' }),
                ),
              },
              closed,
            ),
          ),
        },
        { ...closed, description: 'NDJSON and JSON: names are paths' },
      ),
    ),
    segments: Type.Optional(
      Type.Object(
        {
          column: Column,
          format: Type.Literal('xandr'),
          prefix: Type.String({ maxLength: 64, description: 'of the attribute that each segment becomes' }),
        },
        { ...closed, description: 'identify: a column that lists segments' },
      ),
    ),
  },
  closed,
);
export type Mapping = Static<typeof Mapping>;
