import { distance } from '../../proto/fence.ts';
import { isWithin, minuteOfWeek, zoneOffset } from '../../proto/hours.ts';
import type { LiveStore } from '../../proto/snapshot.ts';
import type { Location } from '../openrtb/request.ts';

/** The store that an ad shows, and the way to it. */
export interface Promoted {
  readonly store: LiveStore;
  /** Null where the device's place is unknown. */
  readonly metres: number | null;
  readonly open: boolean;
}

/** The nearest open store, else the nearest; where the place is unknown the first open one, else the first. Null without stores. */
export function nearestStore(stores: readonly LiveStore[], location: Location | null, now: number): Promoted | null {
  let best: Promoted | null = null;
  for (const store of stores) {
    const metres = location === null ? null : distance(location.lat, location.lon, store.lat, store.lon);
    // The distance is cheaper than the hours: ask those only of a store that could win.
    if (best?.open && !isNearer(metres, best.metres)) continue;
    const open = isOpen(store, now);
    if (best === null || (open && !best.open) || (open === best.open && isNearer(metres, best.metres))) {
      best = { store, metres, open };
    }
  }
  return best;
}

function isNearer(metres: number | null, than: number | null): boolean {
  return metres !== null && than !== null && metres < than;
}

export function isOpen(store: LiveStore, now: number): boolean {
  return store.hours === null || isWithin(store.hours, minuteOfWeek(now, zoneOffset(store.timeZone, now)));
}
