import type { Api } from './api.ts';
import type { City } from './city.ts';
import { type CityStore, TIME_ZONE, weekHours } from './map.ts';
import { campaign, IDS, parties, places, type Resource, segments } from './plan.ts';

/** Sets up everything the marketer would, over the API. Repeatable: ids are fixed. */
export async function setUp(api: Api, city: City): Promise<void> {
  await putAll(api, parties());
  await importStores(api, city.map.stores);
  await putAll(api, city.map.stores.map(storeResource));
  await putAll(api, places(city));
  await putAll(api, segments(city));
  await putAll(api, campaign(city));
}

async function putAll(api: Api, resources: readonly Resource[]): Promise<void> {
  for (const { path, body } of resources) await api.put(path, body);
}

/** The list of stores as a chain has it: a CSV with columns of its own. Hours and buildings come after, store by store. */
async function importStores(api: Api, stores: readonly CityStore[]): Promise<void> {
  const { id } = await api.post<{ id: string }>('/v1/imports', {
    type: 'store',
    format: 'csv',
    advertiser: IDS.advertiser,
    mapping: {
      columns: {
        id: 'Store No',
        name: 'Name',
        address: 'Street',
        lat: 'Latitude',
        lon: 'Longitude',
        timeZone: { constant: TIME_ZONE },
      },
    },
  });
  const rows = stores.map(({ id, name, address, lat, lon }) =>
    [id, name, address, lat.toFixed(6), lon.toFixed(6)].map(quoted).join(','),
  );
  const job = await api.putFile<{ job?: string; id?: string }>(
    `/v1/imports/${id}/file`,
    ['Store No,Name,Street,Latitude,Longitude', ...rows, ''].join('\n'),
  );
  await api.job(job.job ?? job.id ?? id);
}

function quoted(text: string): string {
  return `"${text.replaceAll('"', '""')}"`;
}

function storeResource(store: CityStore): Resource {
  const { id, name, address, lat, lon, fence } = store;
  const hours = weekHours(store);
  const shape = fence.type === 'circle' ? { type: 'circle', radius: fence.radius } : fence;
  return {
    path: `/v1/stores/${id}`,
    body: { advertiser: IDS.advertiser, name, address, lat, lon, timeZone: TIME_ZONE, hours, fence: shape },
  };
}
