import { type Static, Type } from 'typebox';
import { Id, oneOf } from '../http/schema.ts';
import { Mapping } from './mapping.ts';

/** A file that is brought in: what it is, where it is, and how its columns are to be read. */

export const IMPORT_TYPES = [
  ...(['purchase', 'product', 'stock', 'ping', 'identify', 'page', 'redemption', 'action', 'store'] as const),
] as const;
export type ImportType = (typeof IMPORT_TYPES)[number];

export const IMPORT_FORMATS = ['csv', 'ndjson', 'json', 'parquet'] as const;
export type ImportFormat = (typeof IMPORT_FORMATS)[number];

export const ENCODINGS = ['utf-8', 'utf-16le', 'utf-16be', 'windows-1251', 'windows-1252', 'iso-8859-1', 'koi8-r'] as const;
export type Encoding = (typeof ENCODINGS)[number];

const closed = { additionalProperties: false } as const;

const Address = Type.Object(
  {
    url: Type.String({
      maxLength: 2048,
      description: 'https://…, http://… or s3://bucket/key',
      examples: ['https://files.example/receipts.csv.gz'],
    }),
    endpoint: Type.Optional(
      Type.String({ maxLength: 512, description: 's3: of a store that is compatible with S3; default Amazon’s' }),
    ),
    region: Type.Optional(Type.String({ pattern: '^[a-z0-9-]{1,64}$', description: 's3; default us-east-1' })),
    accessKeyId: Type.Optional(Type.String({ maxLength: 256 })),
    secretAccessKey: Type.Optional(Type.String({ maxLength: 512, description: 'never shown again' })),
  },
  { ...closed, description: 'Where the file is fetched from; without it it is sent by PUT' },
);
export type Address = Static<typeof Address>;

export const Import = Type.Object(
  {
    preset: Type.Optional(
      Type.String({ maxLength: 64, description: 'one of /v1/import-presets: fills in what is not given here' }),
    ),
    type: Type.Optional(oneOf(IMPORT_TYPES)),
    format: Type.Optional(oneOf(IMPORT_FORMATS)),
    source: Type.Optional(Id('the source that the rows come from')),
    advertiser: Type.Optional(Id('the advertiser whose stores they are')),
    encoding: Type.Optional(oneOf(ENCODINGS, { description: 'CSV, NDJSON; default UTF-8, or what the byte order mark says' })),
    delimiter: Type.Optional(
      // One unit of UTF-16, by which cells are cut, and none that means something else to CSV.
      Type.String({
        pattern: '^[^"\\r\\n\\u{10000}-\\u{10ffff}]$',
        description: 'CSV; default the most frequent of , ; tab | in the first line',
      }),
    ),
    mode: Type.Optional(
      oneOf(['incremental', 'whole'], {
        description:
          'whole: what the source’s earlier files held and this one does not is taken away at the end (purchase, product, stock)',
      }),
    ),
    validateOnly: Type.Optional(Type.Boolean({ description: 'the file is read and its result told, and nothing is stored' })),
    address: Type.Optional(Address),
    mapping: Type.Optional(Mapping),
  },
  closed,
);
export type Import = Static<typeof Import>;

/** An import with its preset filled in. */
export type ResolvedImport = Import & { readonly type: ImportType; readonly format: ImportFormat };
