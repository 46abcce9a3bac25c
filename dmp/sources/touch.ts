import type { LineItem } from '../campaigns/line-item.ts';
import type { Segment } from '../segments/segment.ts';
import type { Thing, Things } from '../things/things.ts';
import { type Moment, segmentsOf, standingOf } from './lineage.ts';

/** What stands on a source, before its contract or a grant ends. */
export interface Touched {
  readonly segments: readonly Thing<Segment>[];
  readonly lineItems: readonly (Thing<LineItem> & { readonly advertiser: string })[];
}

/**
 * Segments that stand on the source, and line items that target one of them. With an advertiser only what that one would lose:
 * its own, and where the source was everybody's also shared segments, which then lose it for all.
 */
export function touchedBy(things: Things, moment: Moment, source: string, advertiser: string | null, wasOpen: boolean): Touched {
  const segments = things.list('segment').filter(({ id, body }) => {
    const isMeant = advertiser === null || body.advertiser === advertiser || (wasOpen && body.advertiser === null);
    return isMeant && standingOf(moment, [id]).some((standing) => standing.source === source && standing.used);
  });
  const ids = new Set(segments.map(({ id }) => id));
  const lineItems = things.list('line-item').flatMap((item) => {
    if (!segmentsOf(item.body).some((segment) => ids.has(segment))) return [];
    return [{ ...item, advertiser: things.get('campaign', item.body.campaign)?.body.advertiser ?? '' }];
  });
  return { segments, lineItems };
}
