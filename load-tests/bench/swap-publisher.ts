// Publishes the snapshots of the bench `swap`, as a dmp does: in a process of its own. In the generator's, snapshots of which each is 100,000 objects
// had its collector stop it while requests were under way.
import { Redis } from 'ioredis';
import type { LiveGeofence, LiveLineItem, LiveStore, Snapshot } from '../../proto/snapshot.ts';
import { type SplitSnapshot, splitSnapshot } from '../../proto/snapshot-parts.ts';
import { publishSnapshot } from './publish.ts';
import type { PublisherAnswer, PublisherCall } from './swap-published.ts';
import { drawSnapshot } from './world.ts';

// Connected when there is something to publish: drawing keeps the process busy for longer than a connection is waited for.
const redis = new Redis(process.argv[2] as string, { lazyConnect: true, maxRetriesPerRequest: null });
redis.on('error', () => undefined);
const made = new Map<string, SplitSnapshot>();
let tail: Promise<unknown> = Promise.resolve();

process.on('message', (call: PublisherCall) => {
  tail = tail.then(() => take(call)).then((answer) => process.send?.(answer));
});
process.on('disconnect', () => process.exit(0));

async function take(call: PublisherCall): Promise<PublisherAnswer> {
  if (call.type === 'draw') return draw(call);
  await publishSnapshot(redis, made.get(call.which) as SplitSnapshot);
  return { mb: 0 };
}

/** All are made beforehand, so that what is timed is a swap. */
function draw({ seed, lineItems, version }: Extract<PublisherCall, { type: 'draw' }>): PublisherAnswer {
  const first = { ...drawSnapshot(seed, { lineItems, fences: lineItems }), version };
  const renewed = everythingNew({ ...first, version: version + 1 });
  const splits = { first, renewed, edited: oneEdited({ ...renewed, version: version + 2 }) };
  for (const [which, snapshot] of Object.entries(splits)) made.set(which, splitSnapshot(snapshot));
  const { parts } = made.get('renewed') as SplitSnapshot;
  return { mb: [...parts.values()].reduce((sum, { length }) => sum + length, 0) / 2 ** 20 };
}

/** Nothing of it is known from before: each line item ends a millisecond earlier, each fence is wider by a hair. */
function everythingNew(snapshot: Snapshot): Snapshot {
  const wider = <Place extends LiveStore | LiveGeofence>(place: Place): Place =>
    place.fence.type === 'circle' ? { ...place, fence: { ...place.fence, radius: place.fence.radius + 1e-6 } } : place;
  return {
    ...snapshot,
    stores: snapshot.stores.map(wider),
    geofences: snapshot.geofences.map(wider),
    lineItems: snapshot.lineItems.map((lineItem) => ({ ...lineItem, end: lineItem.end - 1 })),
  };
}

function oneEdited(snapshot: Snapshot): Snapshot {
  const [first, ...others] = snapshot.lineItems as [LiveLineItem, ...LiveLineItem[]];
  return { ...snapshot, lineItems: [{ ...first, end: first.end - 1 }, ...others] };
}
