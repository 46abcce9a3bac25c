import type { LiveGeofence } from '../../proto/snapshot.ts';
import { readLineItems, type WrittenLineItem } from '../../proto/snapshot-parts.ts';
import { type Cells, cellsOf } from './places.ts';
import { isLimited, shapesOf } from './records.ts';

/**
 * What a line item comes to by itself, before it is numbered among others. From one snapshot to the next little changes, so the compiler
 * keeps it; of its creatives, which are the most of it, only the shapes.
 */
export interface Prepared
  extends Pick<
    WrittenLineItem,
    'id' | 'advertiser' | 'bid' | 'start' | 'end' | 'currency' | 'childSafe' | 'targeting' | 'caps' | 'holdout'
  > {
  readonly limited: boolean;
  /** Where its record lies in the bytes of its page, see `records.ts`. */
  readonly recordAt: number;
  readonly recordLength: number;
  /** JSON of the shapes of its creatives, each once. */
  readonly shapes: readonly string[];
}

/** Line items that were published together. */
export interface PreparedPage {
  readonly bytes: Uint8Array;
  readonly lineItems: readonly Prepared[];
}

export interface PreparedGeofence extends Pick<LiveGeofence, 'id' | 'fence'> {
  readonly cells: Cells;
}

export function prepareGeofence({ id, fence, cover }: LiveGeofence): PreparedGeofence {
  return { id, fence, cells: cellsOf(cover) };
}

/** @param part a part of line items, which was checked */
export function preparePage(part: Buffer): PreparedPage {
  const { bytes, lineItems, spans } = readLineItems(part);
  return {
    bytes,
    lineItems: lineItems.map((lineItem, at) => prepare(lineItem, spans[2 * at] as number, spans[2 * at + 1] as number)),
  };
}

function prepare(written: WrittenLineItem, from: number, to: number): Prepared {
  const { id, advertiser, bid, start, end, currency, childSafe, targeting, caps, holdout } = written;
  return {
    id,
    advertiser,
    bid,
    start,
    end,
    currency,
    childSafe,
    targeting,
    caps,
    holdout,
    limited: isLimited(written),
    recordAt: from,
    recordLength: to - from,
    shapes: shapesOf(written),
  };
}
