import type { DmpDeps } from '../deps.ts';
import { recordUses } from '../segments/uses.ts';
import type { Coded } from './lookup.ts';

const EVERY_MS = 60_000;

/** Counts what lookups tell, and writes it down each minute as a use of the segment. */
export function createLookupUses(deps: Pick<DmpDeps, 'warehouse' | 'now' | 'log'>) {
  let counts = new Map<string, { readonly told: Coded; readonly advertiser: string; people: number }>();
  const flush = async (): Promise<void> => {
    const full = counts;
    counts = new Map();
    if (full.size === 0) return;
    const uses = [...full.values()].map(({ told, advertiser, people }) => ({
      ...{ segment: told.segment, advertiser, use: 'lookup' as const, id: told.destination, version: 0, people, actor: 'lookup' },
    }));
    await recordUses(deps, uses).catch((error: unknown) => deps.log.error({ err: error }, 'uses by lookup are not written down'));
  };
  const timer = setInterval(() => void flush(), EVERY_MS);
  timer.unref();
  return {
    note: (advertiser: string, told: Coded): void => {
      const key = `${told.destination} ${told.segment}`;
      const count = counts.get(key);
      if (count === undefined) counts.set(key, { told, advertiser, people: 1 });
      else count.people++;
    },
    close: async (): Promise<void> => {
      clearInterval(timer);
      await flush();
    },
  };
}
