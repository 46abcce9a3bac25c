import type { LiveLineItem } from '../../proto/snapshot.ts';
import { isLimited, storedCreative, storedLineItem } from './records.ts';
import { shapeOf } from './shapes.ts';

/**
 * What a line item comes to by itself, before it is numbered among others: most of what there is to compile. From one snapshot to the next
 * little changes, so the compiler keeps it.
 */
export interface Prepared
  extends Pick<
    LiveLineItem,
    'id' | 'advertiser' | 'bid' | 'start' | 'end' | 'currency' | 'childSafe' | 'targeting' | 'caps' | 'holdout'
  > {
  readonly limited: boolean;
  /** Its record, see `records.ts`. */
  readonly record: Buffer;
  /** JSON of the shapes of its creatives, each once. */
  readonly shapes: readonly string[];
}

export function prepare(live: LiveLineItem): Prepared {
  const stored = storedLineItem(live, live.creatives.map(storedCreative));
  return {
    id: live.id,
    advertiser: live.advertiser,
    bid: live.bid,
    start: live.start,
    end: live.end,
    currency: live.currency,
    childSafe: live.childSafe,
    targeting: live.targeting,
    caps: live.caps,
    holdout: live.holdout,
    limited: isLimited(live),
    record: Buffer.from(JSON.stringify(stored)),
    shapes: [...new Set(stored.creatives.map((creative) => JSON.stringify(shapeOf(creative))))],
  };
}
