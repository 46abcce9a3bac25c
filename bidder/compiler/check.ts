import type { LiveLineItem, Snapshot } from '../../proto/snapshot.ts';

/** Throws an Error that names the first id that a line item points to and that is not there: half a snapshot must not be served. */
export function checkSnapshot(snapshot: Snapshot): void {
  const stores = idsOf(snapshot.stores);
  const geofences = idsOf(snapshot.geofences);
  const lists = idsOf(snapshot.lists);
  const seen = new Set<string>();
  for (const lineItem of snapshot.lineItems) {
    if (seen.has(lineItem.id)) throw new Error(`snapshot: line item ${lineItem.id} is there twice`);
    seen.add(lineItem.id);
    const { targeting } = lineItem;
    checkAll(lineItem, 'store', targeting.stores ?? [], stores);
    checkAll(lineItem, 'store', targeting.promotedStores, stores);
    checkAll(lineItem, 'geofence', targeting.geofences ?? [], geofences);
    checkAll(lineItem, 'list', targeting.lists?.include ?? [], lists);
    checkAll(lineItem, 'list', targeting.lists?.exclude ?? [], lists);
  }
}

function checkAll({ id }: LiveLineItem, what: string, named: readonly string[], there: ReadonlySet<string>): void {
  for (const other of named)
    if (!there.has(other)) throw new Error(`snapshot: line item ${id} names ${what} ${other}, which is not in it`);
}

function idsOf(things: readonly { readonly id: string }[]): ReadonlySet<string> {
  return new Set(things.map(({ id }) => id));
}
