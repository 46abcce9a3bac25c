import { MAX_RADIUS } from '../../proto/fence.ts';
import { distanceToFence, fenceFaults, pointFaults } from '../geofences/check-fence.ts';
import { timeZoneFaults } from '../http/time-zone.ts';
import type { Fault } from '../problem.ts';
import type { Things } from '../things/things.ts';
import { hoursFaults } from './hours.ts';
import { type Store, storeFence } from './store.ts';

/** Metres that a store may be from its polygon: its door may be across the car park. */
const NEAR = 1_000;

/** Everything that the world has against a store whose shape is right. The API and the imports ask the same. */
export function checkStore(store: Store, things: Things): Fault[] {
  const place = pointFaults(store.lat, store.lon, '');
  return [
    ...(things.get('advertiser', store.advertiser) === undefined
      ? [{ pointer: '/advertiser', code: 'unknown_advertiser' as const, message: `there is no advertiser ${store.advertiser}` }]
      : []),
    ...place,
    ...timeZoneFaults(store.timeZone, '/timeZone'),
    ...(store.hours === null ? [] : hoursFaults(store.hours, '/hours')),
    ...storeFenceFaults(store, place.length === 0),
  ];
}

function storeFenceFaults(store: Store, isPlaced: boolean): Fault[] {
  if (store.fence.type === 'circle') return isPlaced ? fenceFaults(storeFence(store), '/fence') : [];
  const fence = storeFence(store);
  const faults = fenceFaults(fence, '/fence');
  if (faults.length > 0 || !isPlaced) return faults;
  const metres = distanceToFence(fence, store.lat, store.lon);
  if (metres <= NEAR) return [];
  const far = metres > 2 * MAX_RADIUS ? 'far away' : `${Math.round(metres)} m away`;
  return [{ pointer: '/fence', code: 'fence_away_from_store', message: `is ${far} from the store` }];
}
