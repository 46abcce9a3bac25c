import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { distanceToFence, fenceFaults } from '../../dmp/geofences/check-fence.ts';
import { importStores } from '../../dmp/stores/import.ts';
import { startApi, type TestApi } from '../support/api.ts';

let api: TestApi;
beforeAll(async () => {
  api = await startApi();
  await api.ok('POST', '/v1/advertisers', { id: 'adv_a', name: 'A', domains: ['a.example'] });
  await api.ok('POST', '/v1/advertisers', { id: 'adv_b', name: 'B', domains: ['b.example'] });
});
afterAll(() => api.stop());

const store = {
  advertiser: 'adv_a',
  name: 'Arbat',
  address: 'Arbat 1',
  lat: 55.75,
  lon: 37.6,
  timeZone: 'Europe/Moscow',
};

type Ring = [number, number][];
/** A ring of metres east and north of the store. */
const ring = (...points: Ring): Ring => points.map(([east, north]) => [37.6 + east / 62_600, 55.75 + north / 111_200]);
const square = (size: number, east = 0, north = 0): Ring =>
  ring([east, north], [east + size, north], [east + size, north + size], [east, north + size], [east, north]);
const polygon = (...rings: Ring[]) => ({ fence: { type: 'polygon', rings } });

const faultsOf = async (path: string, body: object): Promise<string[]> => {
  const response = await api.call('POST', `${path}?validateOnly=true`, body);
  if (response.statusCode === 200) return [];
  expect([response.statusCode, response.json().code]).toEqual([422, 'validation']);
  return response.json().errors.map((fault: { pointer: string; code: string }) => `${fault.pointer} ${fault.code}`);
};

test('a store is a circle of 75 m that is always open unless it says otherwise', async () => {
  const made = await api.ok('POST', '/v1/stores', { id: 'st_plain', ...store });
  expect(made).toMatchObject({ fence: { type: 'circle', radius: 75 }, hours: null });
});

test('a store may have hours past midnight, a polygon around its door, and holes', async () => {
  const body = {
    ...store,
    hours: { mon: [['09:00', '21:00']], fri: [['10:00', '02:00']] },
    ...polygon(square(300, -100, -100), square(50, 50, 50)),
  };
  expect(await faultsOf('/v1/stores', body)).toEqual([]);
});

describe('a store is refused', () => {
  test.each<[string, object, string[]]>([
    ['at (0, 0)', { lat: 0, lon: 0 }, ['/lat null_island']],
    ['near (0, 0)', { lat: 0.004, lon: -0.003 }, ['/lat null_island']],
    ['with latitude copied into longitude', { lat: 37.6, lon: 37.6 }, ['/lat lat_equals_lon']],
    ['off the globe', { lat: 91, lon: -181 }, ['/lat lat_out_of_range', '/lon lon_out_of_range']],
    ['in a zone that is none', { timeZone: 'Europe/Nowhere' }, ['/timeZone unknown_time_zone']],
    ['with hours that are no times', { hours: { mon: [['9', '25:00']] } }, ['/hours/mon/0 bad_hours']],
    ['with a day that is none', { hours: { funday: [] } }, ['/hours/funday unknown_property']],
    ['of an advertiser that is none', { advertiser: 'adv_none' }, ['/advertiser unknown_advertiser']],
    ['with a circle over 50 km', { fence: { type: 'circle', radius: 50_001 } }, ['/fence/radius maximum']],
    ['with a circle of nothing', { fence: { type: 'circle', radius: 0 } }, ['/fence/radius minimum']],
    ['with a fence of no known kind', { fence: { type: 'star' } }, ['/fence unknown_variant']],
    ['with a fence of two kinds', { fence: { type: 'circle', radius: 5, rings: [] } }, ['/fence/rings unknown_property']],
    ['with coordinates that are texts', { lat: '55.75' }, ['/lat type']],
    ['with an open ring', polygon(ring([0, 0], [100, 0], [100, 100], [0, 100])), ['/fence/rings/0 ring_not_closed']],
    ['with a ring of three points', polygon(ring([0, 0], [100, 0], [0, 0])), ['/fence/rings/0 ring_too_short']],
    [
      'with a polygon that crosses itself',
      polygon(ring([0, 0], [100, 100], [100, 0], [0, 100], [0, 0])),
      ['/fence/rings/0 self_intersecting'],
    ],
    [
      'with a polygon that touches itself',
      polygon(ring([0, 0], [100, 0], [50, 0], [50, 100], [0, 0])),
      ['/fence/rings/0 self_intersecting'],
    ],
    [
      'with a point listed twice',
      polygon(ring([0, 0], [100, 0], [100, 0], [100, 100], [0, 0])),
      ['/fence/rings/0 self_intersecting'],
    ],
    ['with a hole outside', polygon(square(100), square(20, 500, 500)), ['/fence/rings/1 hole_outside']],
    ['with a hole that crosses the edge', polygon(square(100), square(50, 80, 80)), ['/fence/rings/1 self_intersecting']],
    ['with a polygon far from it', polygon(square(100, 1_200, 0)), ['/fence fence_away_from_store']],
    ['with a polygon over the limit', polygon(square(120_000, -60_000, -60_000)), ['/fence/rings fence_too_large']],
    [
      'with a sliver that reaches too far',
      polygon(ring([0, 0], [150_000, 0], [150_000, 5], [0, 0])),
      ['/fence/rings fence_too_large'],
    ],
    ['with a polygon without area', polygon(ring([0, 0], [0.1, 0], [0.1, 0.1], [0, 0])), ['/fence/rings fence_too_small']],
    [
      'with a point off the globe',
      polygon([
        [37, 55],
        [200, 55],
        [37, 95],
        [37, 55],
      ]),
      ['/fence/rings/0/1/0 lon_out_of_range', '/fence/rings/0/2/1 lat_out_of_range'],
    ],
    [
      'with a polygon around the globe',
      polygon([
        [-170, 50],
        [170, 50],
        [170, 60],
        [-170, 50],
      ]),
      ['/fence/rings/0 crosses_antimeridian'],
    ],
    ['with a point of three numbers', polygon([[1, 2, 3]] as unknown as Ring), ['/fence/rings/0/0 too_long']],
  ])('%s', async (_, change, expected) => {
    expect(await faultsOf('/v1/stores', { ...store, ...change })).toEqual(expected);
  });

  test('with more than 1000 points, 1000 being quick to check', async () => {
    const round = (n: number): Ring =>
      Array.from({ length: n }, (_, i) => {
        const angle = ((i % (n - 1)) / (n - 1)) * 2 * Math.PI;
        return [37.6 + 0.002 * Math.cos(angle), 55.75 + 0.001 * Math.sin(angle)];
      });
    expect(await faultsOf('/v1/stores', { ...store, ...polygon(round(1_001)) })).toEqual(['/fence/rings ring_too_long']);
    const began = performance.now();
    expect(await faultsOf('/v1/stores', { ...store, ...polygon(round(1_000)) })).toEqual([]);
    expect(performance.now() - began).toBeLessThan(1_000);
  });

  test('with all its faults at once', async () => {
    const body = { ...store, lat: 0, lon: 0, timeZone: 'x', advertiser: 'adv_none', hours: { tue: [['a', 'b']] } };
    const faults = [
      '/advertiser unknown_advertiser',
      '/lat null_island',
      '/timeZone unknown_time_zone',
      '/hours/tue/0 bad_hours',
    ];
    expect(await faultsOf('/v1/stores', body)).toEqual(faults);
  });
});

test('a geofence is checked as a store is', async () => {
  const geofence = (fence: object) => ({ advertiser: 'adv_a', name: 'Park', fence });
  const circle = { type: 'circle', lat: 55.75, lon: 37.6, radius: 500 };
  expect(await faultsOf('/v1/geofences', geofence(circle))).toEqual([]);
  expect(await faultsOf('/v1/geofences', geofence({ ...circle, lat: 0, lon: 0 }))).toEqual(['/fence/lat null_island']);
  expect(await faultsOf('/v1/geofences', geofence({ ...circle, lat: 89.999 }))).toEqual(['/fence crosses_antimeridian']);
  const crossed = ring([0, 0], [100, 100], [100, 0], [0, 100], [0, 0]);
  expect(await faultsOf('/v1/geofences', geofence({ type: 'polygon', rings: [crossed] }))).toEqual([
    '/fence/rings/0 self_intersecting',
  ]);
});

test('a store group holds stores of its advertiser only', async () => {
  await api.ok('POST', '/v1/stores', { id: 'st_b', ...store, advertiser: 'adv_b' });
  const group = { advertiser: 'adv_a', name: 'All', stores: ['st_plain', 'st_b', 'st_none'] };
  expect(await faultsOf('/v1/store-groups', group)).toEqual(['/stores/1 unknown_store', '/stores/2 unknown_store']);
});

test('a store cannot move to another advertiser', async () => {
  const response = await api.call('PATCH', '/v1/stores/st_plain', { advertiser: 'adv_b' }, { headers: { 'if-match': '*' } });
  expect([response.statusCode, response.json().errors[0].code]).toEqual([422, 'immutable']);
});

describe('an import of stores', () => {
  const rows = () => [
    { id: 'st_i1', body: { ...store } },
    { id: 'st_i2', body: { ...store, lat: 0, lon: 0 } },
    { id: 'bad id', body: { ...store } },
    { id: 'st_i3', body: { ...store, name: 7 } },
    { id: 'st_b', body: { ...store } },
    { id: 'st_i4', body: 'nonsense' },
  ];

  test('takes the good rows and says what is wrong with each of the others', async () => {
    const faults = await importStores(api.deps, rows(), 'test');
    expect(faults.map((row) => row.map(({ pointer, code }) => `${pointer} ${code}`))).toEqual([
      [],
      ['/lat null_island'],
      ['/id pattern'],
      ['/name type'],
      ['/id exists'],
      [' type'],
    ]);
    expect(api.deps.things.get('store', 'st_i1')?.body.fence).toEqual({ type: 'circle', radius: 75 });
    expect(api.deps.things.get('store', 'st_b')?.body.advertiser).toBe('adv_b');
  });

  test('changes nothing where it says what is already so', async () => {
    await importStores(api.deps, rows(), 'test');
    expect(api.deps.things.get('store', 'st_i1')?.revision).toBe(1);
    await importStores(api.deps, [{ id: 'st_i1', body: { ...store, name: 'Renamed' } }], 'test');
    expect(api.deps.things.get('store', 'st_i1')).toMatchObject({ revision: 2, body: { name: 'Renamed' } });
  });
});

test('the distance to a polygon is that to its nearest edge', () => {
  const fence = { type: 'polygon' as const, rings: [square(100, 200, 0)] };
  expect(distanceToFence(fence, 55.75, 37.6)).toBeCloseTo(200, -1);
  expect(distanceToFence(fence, 55.7505, 37.604)).toBe(0);
});

test('edges that only nearly meet do not cross, those that just meet do', () => {
  const bent = (gap: number): Ring => [
    [10, 50],
    [10.01, 50],
    [10.01, 50.01],
    [10.005, 50 + gap],
    [10, 50.01],
    [10, 50],
  ];
  const codesOf = (outer: Ring) => fenceFaults({ type: 'polygon', rings: [outer] }, '').map((fault) => fault.code);
  expect(codesOf(bent(1e-9))).toEqual([]);
  expect(codesOf(bent(0))).toEqual(['self_intersecting']);
});
