import { setImmediate as turn } from 'node:timers/promises';
import type { Logger } from 'pino';
import { type Cover, coverOf, type Fence } from '../../proto/fence.ts';
import type { Snapshot } from '../../proto/snapshot.ts';

/** Covers by their fence. One takes 10 to 300 ms to make, which is why they are kept, and made one a turn of the event loop. */
export interface Covers {
  /** Takes over what a snapshot holds, so that a process that starts makes none again. */
  learn(snapshot: Snapshot): void;
  /** Calls `build` with all covers that it asks for; what it did not ask for is forgotten. */
  with<T>(build: (cover: (fence: Fence) => Cover) => T): Promise<T>;
}

const NOWHERE: Cover = { resolution: 11, inner: [], boundary: [] };

export function createCovers(log: Logger): Covers {
  let known = new Map<string, Cover>();
  const make = (fence: Fence): Cover => {
    try {
      return coverOf(fence);
    } catch (error) {
      // One fence that has no cover must not keep all else from being published.
      log.error({ fence, err: error }, 'a fence has no cover');
      return NOWHERE;
    }
  };
  return {
    learn: ({ stores, geofences }) => {
      for (const { fence, cover } of [...stores, ...geofences]) known.set(JSON.stringify(fence), cover);
    },
    with: async (build) => {
      for (;;) {
        const asked = new Map<string, Fence>();
        const built = build((fence) => {
          const key = JSON.stringify(fence);
          asked.set(key, fence);
          return known.get(key) ?? NOWHERE;
        });
        const missing = [...asked].filter(([key]) => !known.has(key));
        if (missing.length === 0) {
          known = new Map([...known].filter(([key]) => asked.has(key)));
          return built;
        }
        for (const [key, fence] of missing) {
          known.set(key, make(fence));
          await turn();
        }
      }
    },
  };
}
