import { setImmediate as turn } from 'node:timers/promises';
import type { Logger } from 'pino';
import { fewCellsOf } from '../../proto/cover.ts';
import type { Cover, Fence } from '../../proto/fence.ts';

/** Covers by their fence. One takes 10 to 300 ms to make, which is why they are kept, and made one a turn of the event loop. */
export interface Covers {
  /** Takes over what was published, so that a process that starts makes none again. */
  learn(fenced: readonly { readonly fence: Fence; readonly cover: Cover }[]): void;
  /** Calls `build` with all covers that it asks for; what it did not ask for is forgotten. */
  with<T>(build: (cover: (fence: Fence) => Cover) => T): Promise<T>;
}

const NOWHERE: Cover = { resolution: 11, inner: [], boundary: [] };

export function createCovers(log: Logger): Covers {
  let known = new Map<string, Cover>();
  const make = (fence: Fence): Cover => {
    try {
      return fewCellsOf(fence);
    } catch (error) {
      // One fence that has no cover must not keep all else from being published.
      log.error({ fence, err: error }, 'a fence has no cover');
      return NOWHERE;
    }
  };
  return {
    learn: (fenced) => {
      for (const { fence, cover } of fenced) known.set(JSON.stringify(fence), cover);
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
