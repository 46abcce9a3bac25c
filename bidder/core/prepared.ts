import type { LiveGeofence } from '../../proto/snapshot.ts';
import { type Cells, cellsOf } from './places.ts';

/** A fence without the texts of its cover. From one snapshot to the next few change, so the compiler keeps them. */
export interface PreparedGeofence extends Pick<LiveGeofence, 'id' | 'fence'> {
  readonly cells: Cells;
}

export function prepareGeofence({ id, fence, cover }: LiveGeofence): PreparedGeofence {
  return { id, fence, cells: cellsOf(cover) };
}
