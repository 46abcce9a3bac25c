import type { DmpDeps } from '../deps.ts';
import { segmentsStreamed } from '../publication/needed.ts';

/** As often as the guard rails are looked at for line items. */
const FRESH_MS = 5_000;

/**
 * Ids of the segments that events may add to, as the guard rails stand. The first who asks waits; later, what is some seconds old is
 * answered while it is read again, and after a change of things nothing older than that.
 */
export function createOpenSegments(deps: Pick<DmpDeps, 'warehouse' | 'things' | 'now'>): () => Promise<ReadonlySet<string>> {
  let known: { readonly ids: ReadonlySet<string>; readonly at: number } | null = null;
  let reading: Promise<ReadonlySet<string>> | null = null;
  let changes = 0;
  deps.things.onChange(() => {
    known = null;
    reading = null;
    changes++;
  });
  const read = async (): Promise<ReadonlySet<string>> => {
    const before = changes;
    try {
      const ids = await segmentsStreamed(deps, deps.now());
      if (before === changes) known = { ids, at: performance.now() };
      return ids;
    } finally {
      if (before === changes) reading = null;
    }
  };
  return async () => {
    if (known !== null && performance.now() - known.at < FRESH_MS) return known.ids;
    reading ??= read();
    if (known === null) return reading;
    // Whoever waits for it meets the fault.
    reading.catch(() => undefined);
    return known.ids;
  };
}
