import { cellToParent, latLngToCell } from 'h3-js';
import { afterAll, beforeAll, expect, test } from 'vitest';
import type { Warehouse } from '../../dmp/clickhouse/warehouse.ts';
import { cellOf, cellToUInt64 } from '../../proto/fence.ts';
import { HOME_TERMS, type Whereabouts, whereaboutsStatement } from '../../segmenter/homes.ts';
import { startWarehouse } from '../support/warehouse.ts';

let warehouse: Warehouse;
let stop: () => Promise<void>;
beforeAll(async () => {
  ({ warehouse, stop } = await startWarehouse());
});
afterAll(() => stop());

interface Ping {
  identifier: string;
  at: number;
  lat: number;
  lon: number;
  source: string;
  class: 'high' | 'low';
}

const HOUR = 3_600_000;
const DAY = 24 * HOUR;
/** A Monday, 0:00 UTC, two weeks ago or more. */
const MONDAY = Math.floor((Date.now() / DAY - 24) / 7) * 7 * DAY + 4 * DAY;
const device = (n: number): string => `00000000-0000-8000-8000-${String(n).padStart(12, '0')}`;

/** Said slowly: for each device, look at every ping. */
function slowly(pings: readonly Ping[]): string[] {
  const found: string[] = [];
  for (const identifier of new Set(pings.map((ping) => ping.identifier))) {
    const own = pings.filter((ping) => ping.identifier === identifier && ping.class !== 'low');
    if (own.length === 0) continue;
    const near = (ping: Ping): string => cellToParent(cellOf(ping.lat, ping.lon), 9);
    for (const source of new Set(own.map((ping) => ping.source))) {
      const last = own
        .filter((ping) => ping.source === source)
        .sort((a, b) => b.at - a.at || b.lat - a.lat || b.lon - a.lon)[0] as Ping;
      found.push(`${identifier} position ${cellToUInt64(near(last))} ${source} ${new Date(last.at).toISOString()}`);
    }
    const newest = Math.max(...own.map((ping) => ping.at));
    const best = (counts: (day: Date) => boolean, except: string | null): string | null => {
      const days = new Map<string, Set<string>>();
      for (const ping of own) {
        const local = new Date(ping.at + Math.round(ping.lon / 15) * HOUR);
        if (ping.at <= newest - HOME_TERMS.days * DAY || !counts(local) || near(ping) === except) continue;
        const seen = days.get(near(ping)) ?? new Set();
        days.set(near(ping), seen.add(local.toISOString().slice(0, 10)));
      }
      const enough = [...days].filter(([, seen]) => seen.size >= HOME_TERMS.least);
      enough.sort((a, b) => b[1].size - a[1].size || (BigInt(`0x${b[0]}`) > BigInt(`0x${a[0]}`) ? 1 : -1));
      return enough[0]?.[0] ?? null;
    };
    const home = best((local) => local.getUTCHours() < 6, null);
    const isWork = (local: Date): boolean =>
      local.getUTCDay() >= 1 && local.getUTCDay() <= 5 && local.getUTCHours() >= 10 && local.getUTCHours() < 17;
    const work = best(isWork, home);
    if (home !== null) found.push(`${identifier} home ${cellToUInt64(home)}`);
    if (work !== null) found.push(`${identifier} work ${cellToUInt64(work)}`);
  }
  return found.sort();
}

async function fill(pings: readonly Ping[]): Promise<void> {
  await warehouse.command({ sql: 'TRUNCATE TABLE pings' });
  const rows = pings.map((ping) => ({
    ...ping,
    at: new Date(ping.at).toISOString(),
    error: 10,
    cell: cellToUInt64(cellOf(ping.lat, ping.lon)),
    ingested: new Date().toISOString(),
  }));
  await warehouse.insert('pings', rows);
}

async function fast(): Promise<Whereabouts[]> {
  return warehouse.query<Whereabouts>(whereaboutsStatement('1'));
}

const said = (rows: readonly Whereabouts[]): string[] =>
  rows
    .map(({ identifier, kind, cell, source, at }) =>
      kind === 'position'
        ? `${identifier} position ${cell} ${source} ${new Date(`${at.replace(' ', 'T')}Z`).toISOString()}`
        : `${identifier} ${kind} ${cell}`,
    )
    .sort();

test('who sleeps in Moscow and works in Moscow has a home and a work there, by the hours of Moscow', async () => {
  const home = { lat: 55.71, lon: 37.79 };
  const work = { lat: 55.75, lon: 37.61 };
  const at = (day: number, hour: number): number => MONDAY + day * DAY + (hour - 3) * HOUR;
  const ping = (day: number, hour: number, where: object, more: object = {}) =>
    ({ identifier: device(1), at: at(day, hour), source: 'app', class: 'high', ...where, ...more }) as Ping;
  // Two nights and five days are no home, but a work.
  const days = [0, 1, 2, 3, 4].map((day) => ping(day, 11, work));
  await fill([...days, ping(0, 1, home), ping(1, 5, home)]);
  expect((await fast()).filter((row) => row.kind === 'home')).toEqual([]);
  await fill([...days, ping(0, 1, home), ping(1, 5, home), ping(2, 5.99, home), ping(3, 4, home, { class: 'low' })]);
  const rows = await fast();
  const cell = (place: { lat: number; lon: number }): string =>
    cellToUInt64(cellToParent(latLngToCell(place.lat, place.lon, 11), 9));
  expect(rows.find((row) => row.kind === 'home')).toMatchObject({ cell: cell(home), sources: ['app'] });
  expect(rows.find((row) => row.kind === 'work')).toMatchObject({ cell: cell(work) });
  expect(rows.find((row) => row.kind === 'position')).toMatchObject({ cell: cell(work), source: 'app' });
});

test('random pings give the whereabouts that a slow look at every ping gives', async () => {
  let state = 7;
  const random = (): number => {
    state = (state * 48_271) % 2_147_483_647;
    return state / 2_147_483_647;
  };
  const places = [
    { lat: 55.71, lon: 37.79 },
    { lat: 55.75, lon: 37.61 },
    { lat: 40.71, lon: -74 },
    { lat: -33.86, lon: 151.2 },
  ];
  const pings = Array.from(
    { length: 6_000 },
    (): Ping => ({
      identifier: device(Math.floor(random() * 60)),
      at: MONDAY - Math.floor(random() * (random() < 0.2 ? 70 : 12) * 24) * HOUR + Math.floor(random() * 1000),
      ...(places[Math.floor(random() ** 2 * 4)] as { lat: number; lon: number }),
      source: random() < 0.7 ? 'app' : 'wifi',
      class: random() < 0.1 ? 'low' : 'high',
    }),
  );
  await fill(pings);
  const expected = slowly(pings);
  expect(expected.filter((line) => line.includes(' work ')).length).toBeGreaterThan(20);
  expect(said(await fast())).toEqual(expected);
});
