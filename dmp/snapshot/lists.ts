import type { LiveLineItem, LiveList } from '../../proto/snapshot.ts';
import type { Things } from '../things/things.ts';

/** The inventory lists that these line items name; one that is gone is an empty one. */
export function liveLists(things: Things, lineItems: readonly LiveLineItem[]): LiveList[] {
  const named = lineItems.flatMap(({ targeting: { lists } }) =>
    lists === null ? [] : [...(lists.include ?? []), ...lists.exclude],
  );
  return [...new Set(named)].map((id) => {
    const list = things.get('inventory-list', id)?.body;
    return { id, kind: list?.kind ?? 'domain', entries: list?.lines ?? '' };
  });
}
