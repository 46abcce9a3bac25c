import type { Api } from './api.ts';
import type { City } from './city.ts';
import { type CityStore, TIME_ZONE, weekHours } from './map.ts';
import { campaign, IDS, parties, places, type Resource, segments } from './plan.ts';

/** Sets up everything the marketer would, over the API. Repeatable: ids are fixed. */
export async function setUp(api: Api, city: City): Promise<void> {
  await putAll(api, parties());
  await importStores(api, city.map.stores);
  await putAll(api, places(city));
  await putAll(api, segments(city));
  await putAll(api, campaign(city));
}

export async function putAll(api: Api, resources: readonly Resource[]): Promise<void> {
  for (const { path, body } of resources) await api.put(path, body);
}

/** The list of stores as a chain has it: a CSV with columns of its own. */
async function importStores(api: Api, stores: readonly CityStore[]): Promise<void> {
  const columns = {
    id: 'Store No',
    name: 'Name',
    address: 'Street',
    lat: 'Latitude',
    lon: 'Longitude',
    hours: 'Open',
    fence: 'Premises',
    timeZone: { constant: TIME_ZONE },
  };
  const { id } = await api.post<{ id: string }>('/v1/imports', {
    type: 'store',
    format: 'csv',
    advertiser: IDS.advertiser,
    mapping: { columns },
  });
  const header = Object.values(columns).filter((column) => typeof column === 'string');
  const lines = [header, ...stores.map(cellsOf)].map((cells) => cells.map(quoted).join(','));
  const job = await api.putFile<{ id: string }>(`/v1/imports/${id}/file`, `${lines.join('\r\n')}\r\n`);
  await api.job(job.id);
}

function cellsOf(store: CityStore): string[] {
  const { id, name, address, lat, lon, fence } = store;
  const hours = weekHours(store);
  const premises = fence.type === 'circle' ? { type: 'circle', radius: fence.radius } : fence;
  return [
    id,
    name,
    address,
    lat.toFixed(6),
    lon.toFixed(6),
    hours === null ? '' : JSON.stringify(hours),
    JSON.stringify(premises),
  ];
}

function quoted(text: string): string {
  return `"${text.replaceAll('"', '""')}"`;
}
