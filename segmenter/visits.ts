import { type Group, groupsOf } from '../dmp/visits/groups.ts';
import { digestsOf, type Place, placesOf } from '../dmp/visits/places.ts';
import { passOfPlaces, type VisitsDeps } from './visits/pass.ts';
import { type Between, runPass, type Tally } from './visits/recompute.ts';
import { cancelWithheld, nextVersion } from './visits/rows.ts';
import { changedPlaces, readNews, saveSeen } from './visits/seen.ts';

export interface VisitsFound {
  readonly devices: number;
  readonly pings: number;
  readonly written: number;
  readonly cancelled: number;
  readonly seconds: number;
}

export interface Visits {
  /** Brings the visits up to date with the pings that came in and the places that changed. */
  find(between?: Between): Promise<VisitsFound>;
}

export function createVisits(deps: VisitsDeps): Visits {
  let known: { digests: string; groups: readonly Group[] } | null = null;
  const groupsFor = (places: readonly Place[], digests: ReadonlyMap<string, string>): readonly Group[] => {
    const all = JSON.stringify([...digests]);
    if (known?.digests !== all) known = { digests: all, groups: groupsOf(places) };
    return known.groups;
  };
  return {
    find: async (between = async () => undefined) => {
      const began = performance.now();
      const places = placesOf(deps.things);
      const digests = digestsOf(places);
      const ground = { groups: groupsFor(places, digests), sources: await readSources(deps) };
      const tally: Tally = { devices: 0, pings: 0, written: 0, cancelled: 0 };
      const version = await nextVersion(deps);
      const changed = await changedPlaces(deps, digests);
      const news = await readNews(deps);
      if (changed.length > 0) await cancelWithheld(deps, places, changed, version);
      // The first time everything is news, which is all that a changed place could ask for.
      if (changed.length > 0 && news?.first !== true)
        await runPass(deps, passOfPlaces(places, changed), ground, version + 1, tally, between);
      if (news !== null && places.length > 0) await runPass(deps, news.pass, ground, version + 1, tally, between);
      await saveSeen(deps, digests, changed, news?.newest ?? null);
      return { ...tally, seconds: (performance.now() - began) / 1000 };
    },
  };
}

async function readSources({ warehouse }: VisitsDeps): Promise<string[]> {
  const rows = await warehouse.query<{ source: string }>({ sql: 'SELECT DISTINCT source FROM pings ORDER BY source' });
  return rows.map(({ source }) => source);
}
