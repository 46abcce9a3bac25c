import type { Segment } from '../segments/segment.ts';
import { familyOf, type Moment } from './lineage.ts';
import type { Price } from './source.ts';

/** What the use of a segment costs by its own terms; null: nothing beside its sources. */
export function priceOfSegment({ price }: Segment): Price | null {
  if (price == null) return null;
  if (price.cpmMicros !== undefined) return { model: 'cpm', micros: price.cpmMicros };
  return price.percent === undefined ? null : { model: 'share', percent: price.percent };
}

/** The segments with a price that segments are made of, themselves too, each once: whoever names one owes for it. */
export function pricesIn(moment: Moment, segments: readonly string[]): Map<string, Price> {
  const family = new Map(segments.flatMap((id) => [...familyOf(moment, id)]));
  const prices = [...family].flatMap(([id, segment]) => {
    const price = priceOfSegment(segment);
    return price === null ? [] : [[id, price] as const];
  });
  return new Map(prices.sort(([a], [b]) => (a < b ? -1 : 1)));
}
