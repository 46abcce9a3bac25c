import { type Cover, cellOf, cellProbes, contains, type Fence } from '../../proto/fence.ts';

/** Geo first: cells of covers lead to the few places that can hold a point, so fenced line items are never scanned. */

export interface Place {
  readonly fence: Fence;
  readonly cover: Cover;
  /** What a signal must be better than, metres. */
  readonly radius: number;
}

interface Postings<P> {
  readonly inner: P[];
  readonly boundary: P[];
}

export type GeoIndex<P> = ReadonlyMap<string, Postings<P>>;

export function indexPlaces<P extends Place>(places: readonly P[]): GeoIndex<P> {
  const cells = new Map<string, Postings<P>>();
  for (const place of places) {
    for (const cell of place.cover.inner) postingsOf(cells, cell).inner.push(place);
    for (const cell of place.cover.boundary) postingsOf(cells, cell).boundary.push(place);
  }
  return cells;
}

function postingsOf<P>(cells: Map<string, Postings<P>>, cell: string): Postings<P> {
  let postings = cells.get(cell);
  if (postings === undefined) {
    postings = { inner: [], boundary: [] };
    cells.set(cell, postings);
  }
  return postings;
}

/** The places whose fence holds the point, exactly. The point must be in range. */
export function placesAt<P extends Place>(index: GeoIndex<P>, lat: number, lon: number): P[] {
  const found: P[] = [];
  if (index.size === 0) return found;
  for (const cell of cellProbes(cellOf(lat, lon))) {
    const postings = index.get(cell);
    if (postings === undefined) continue;
    for (const place of postings.inner) found.push(place);
    for (const place of postings.boundary) if (contains(place.fence, lat, lon)) found.push(place);
  }
  return found;
}
