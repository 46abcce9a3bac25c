import type { Api } from './api.ts';
import type { City } from './city.ts';
import type { Ledger } from './ledger.ts';
import { inParallel } from './pool.ts';
import { DAY } from './settings.ts';
import { visitsByStoreDay } from './truth.ts';

export interface FoundVisits {
  readonly real: number;
  readonly found: number;
  /** Share of the real visits that were found, and of the found ones that are real; by store and day. */
  readonly recall: number;
  readonly precision: number;
}

/**
 * What Walkin found against what happened, store by store and day by day: the people of a rule "visited this store on this
 * day". In a cell no more than the smaller of the two numbers can be right.
 */
export async function foundVisits(api: Api, city: City, ledger: Ledger): Promise<FoundVisits> {
  const truth = visitsByStoreDay(city, ledger);
  const cells = city.map.stores.flatMap(({ id }) =>
    Array.from({ length: city.settings.days }, (_, day) => ({ store: id, day: dateOf(city.settings.start + day * DAY) })),
  );
  let [real, found, right] = [0, 0, 0];
  await inParallel(cells, 4, async ({ store, day }) => {
    const rule = { visits: { stores: [store], window: { from: day, to: day } } };
    const { size } = await api.post<{ size: number }>('/v1/segments:estimate', { rule });
    const happened = truth.get(`${store}|${day}`) ?? 0;
    real += happened;
    found += size;
    right += Math.min(size, happened);
  });
  return { real, found, recall: real === 0 ? 1 : right / real, precision: found === 0 ? 1 : right / found };
}

function dateOf(at: number): string {
  return new Date(at).toISOString().slice(0, 10);
}
