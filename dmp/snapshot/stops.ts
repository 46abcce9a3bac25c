import { STOPPED_CHANNEL } from '../../proto/keys.ts';
import { encodeStop } from '../../proto/stop.ts';
import type { DmpDeps } from '../deps.ts';
import type { Kind } from '../things/things.ts';

/** Tells the bidders of line items that may not bid any more, ahead of the snapshot that is without them. */
export function announceStops({ redis, things, now }: Pick<DmpDeps, 'redis' | 'things' | 'now'>): void {
  things.onChange((kind: Kind, id: string) => {
    const lineItems = stoppedBy(things, kind, id);
    // Where it is lost the snapshot does it, a little later.
    if (lineItems.length > 0) redis.publish(STOPPED_CHANNEL, encodeStop({ lineItems, at: now() })).catch(() => undefined);
  });
}

function stoppedBy(things: DmpDeps['things'], kind: Kind, id: string): string[] {
  const isActive = (thing: { readonly body: { readonly status: string } } | undefined): boolean =>
    thing?.body.status === 'active';
  if (kind === 'line-item') return isActive(things.get('line-item', id)) ? [] : [id];
  if (kind !== 'campaign' || isActive(things.get('campaign', id))) return [];
  return things.list('line-item').flatMap((lineItem) => (lineItem.body.campaign === id ? [lineItem.id] : []));
}
