import { type Static, Type } from 'typebox';
import { IDENTIFIER_KINDS } from '../../proto/identifier.ts';
import { Id, Name, oneOf } from '../http/schema.ts';

/** A list of people that a user brings: a mailing list, customers of a campaign, staff. Rules select by it: the node `list`. */
export const ListInput = Type.Object(
  {
    advertiser: Id('its advertiser'),
    name: Name,
    kind: oneOf(IDENTIFIER_KINDS, { description: 'what its entries are: e-mails, phones, advertising ids, …' }),
    source: Id('the source under whose contract and consents the people are named'),
  },
  { additionalProperties: false },
);
export type ListInput = Static<typeof ListInput>;

/** The entries themselves are in `list_entries`, as keys. */
export interface List extends ListInput {
  readonly size: number;
}
