import { type Static, Type } from 'typebox';
import { Id, Name, nullable, oneOf } from '../http/schema.ts';

export const MOST_ENTRIES = 100_000;

export const LIST_KINDS = ['domain', 'bundle', 'site', 'app', 'publisher'] as const;
export type ListKind = (typeof LIST_KINDS)[number];

/** What a user says of a list of inventory. Long lists come by `PUT /v1/inventory-lists/{id}/entries`. */
export const InventoryListInput = Type.Object(
  {
    advertiser: nullable(Id('its advertiser'), { default: null, description: 'whose it is; null: any may use it' }),
    name: Name,
    kind: oneOf(LIST_KINDS, {
      description:
        'what its entries are: domains (each with all under it), bundles of apps, or the exchange’s ids of sites, apps, publishers',
    }),
    entries: Type.Optional(
      Type.Array(Type.String({ minLength: 1, maxLength: 300 }), {
        maxItems: MOST_ENTRIES,
        description: 'what it holds now where absent. Not shown: GET /v1/inventory-lists/{id}/entries',
        examples: [['news.example', 'weather.example']],
      }),
    ),
  },
  { additionalProperties: false },
);
export type InventoryListInput = Static<typeof InventoryListInput>;

/** As it is kept: the entries as they are matched, one a line, which is cheap to keep, to carry and to publish. */
export interface InventoryList extends Omit<InventoryListInput, 'entries'> {
  readonly lines: string;
  readonly size: number;
}
