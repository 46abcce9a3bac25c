import { forgetAged, forgetPast, forgetSource } from '../dmp/segments/forget.ts';
import { rememberPresence } from '../dmp/sources/presence.ts';
import { deletePast, deleteSource, type Kept, readKept, sourcesToErase } from '../dmp/sources/retention.ts';
import type { Identity } from './identity.ts';
import type { RefreshDeps, Steps } from './refresh.ts';

const DAY_MS = 86_400_000;

export interface Retained {
  readonly deleted: readonly Pick<Kept, 'source' | 'kind' | 'past'>[];
  /** Sources whose contract ended and of which nothing is kept any more. */
  readonly erased: readonly string[];
  readonly seconds: number;
}

/** Deletes rows past their time, and all rows of sources that are to be erased. May be cut off and run again anywhere. */
export async function retain(deps: RefreshDeps, identity: Identity, steps: Steps): Promise<Retained> {
  const began = performance.now();
  const { warehouse, things } = deps;
  const now = deps.now();
  await rememberPresence(warehouse);
  const over = (await readKept(warehouse, things, now)).filter(({ past }) => past > 0);
  const erased = sourcesToErase(things);
  for (const [done, kept] of over.entries()) {
    await steps.checkpoint();
    await steps.progress({ done, total: over.length + erased.length, unit: 'kinds', stage: 'retention' });
    const cutoff = now - (kept.days as number) * DAY_MS;
    await deletePast(warehouse, kept, cutoff);
    await forgetPast(warehouse, kept.source, kept.kind, cutoff);
  }
  // Identity finds whom a source had linked by its links, so it must have let go of them before they are gone.
  if (erased.length > 0) await identity.fold();
  for (const source of erased) {
    await steps.checkpoint();
    await deleteSource(warehouse, source);
    await forgetSource(warehouse, source);
  }
  await forgetAged(warehouse, now);
  const deleted = over.map(({ source, kind, past }) => ({ source, kind, past }));
  return { deleted, erased, seconds: (performance.now() - began) / 1000 };
}
