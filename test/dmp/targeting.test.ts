import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { BROWSERS } from '../../bidder/openrtb/browser.ts';
import { buildSnapshot } from '../../dmp/snapshot/build.ts';
import { BROWSER_NAMES } from '../../proto/browsers.ts';
import { ANY, type Snapshot } from '../../proto/snapshot.ts';
import { startApi, type TestApi } from '../support/api.ts';

let api: TestApi;
const lineItem = { campaign: 'cmp_a', name: 'Near', bid: { maxCpmMicros: 2_000_000 }, creatives: ['cr_a'] };
const list = { name: 'News', kind: 'domain', entries: ['news.example'] };

beforeAll(async () => {
  api = await startApi();
  for (const id of ['adv_a', 'adv_b'])
    await api.ok('POST', '/v1/advertisers', { id, name: id, domains: [`${id.slice(4)}.example`] });
  const flight = { start: '2026-01-01T00:00:00Z', end: '2099-01-01T00:00:00Z' };
  await api.ok('POST', '/v1/campaigns', { id: 'cmp_a', advertiser: 'adv_a', name: 'Spring', ...flight });
  const creative = { name: 'Banner', w: 300, h: 250, html: '<a href="${CLICK_URL}">x</a>' };
  await api.ok('POST', '/v1/creatives', { id: 'cr_a', advertiser: 'adv_a', landing: 'https://a.example/', ...creative });
  await api.ok('POST', '/v1/inventory-lists', { id: 'il_a', advertiser: 'adv_a', ...list });
  await api.ok('POST', '/v1/inventory-lists', { id: 'il_b', advertiser: 'adv_b', ...list });
  await api.ok('POST', '/v1/inventory-lists', { id: 'il_all', ...list, entries: ['scam.example'] });
  for (const [id, advertiser] of [
    ['seg_1', 'adv_a'],
    ['seg_2', null],
    ['seg_b', 'adv_b'],
  ])
    await api.ok('POST', '/v1/segments', { id, advertiser, name: id, rule: { visits: {} } });
});
afterAll(() => api.stop());

const faultsOf = async (targeting: object): Promise<string[]> => {
  const response = await api.call('POST', '/v1/line-items?validateOnly=true', { ...lineItem, targeting });
  if (response.statusCode === 200) return [];
  expect([response.statusCode, response.json().code]).toEqual([422, 'validation']);
  return response
    .json()
    .errors.map(({ pointer, code }: { pointer: string; code: string }) => `${pointer.replace('/targeting', '')} ${code}`);
};

/** Each dimension as it is written, and as the bidders get it. */
const DIMENSIONS: readonly [string, object, object][] = [
  ['versions of the system', { osVersions: { from: '9.1', below: '14' } }, { osVersions: { from: '9.1', below: '14' } }],
  ['a least version', { osVersions: { from: '14' } }, { osVersions: { from: '14', below: null } }],
  ['makers and models', { makes: ['Apple'], models: ['SM-S911B'] }, { makes: ['apple'], models: ['sm-s911b'] }],
  ['browsers', { browsers: ['Chrome', 'chrome '] }, { browsers: ['chrome'] }],
  ['carriers by name and code', { carriers: ['Elisa', '244-05'] }, { carriers: ['elisa', '244-05'] }],
  ['connections', { connectionTypes: [2, 6] }, { connectionTypes: [2, 6] }],
  ['languages', { languages: ['FI', 'sv'] }, { languages: ['fi', 'sv'] }],
  [
    'places by name',
    {
      geo: {
        include: [{ country: 'fi' }, { country: 'USA', region: 'US-CA', city: 'San Jose' }, { country: 'GB', zip: ' sw1a-1aa' }],
        exclude: [{ country: 'FIN', region: '18' }],
      },
    },
    {
      geo: {
        include: [
          { country: 'FIN', region: null, city: null, zip: null },
          { country: 'USA', region: 'CA', city: 'san jose', zip: null },
          { country: 'GBR', region: null, city: null, zip: 'SW1A1AA' },
        ],
        exclude: [{ country: 'FIN', region: '18', city: null, zip: null }],
      },
    },
  ],
  ['kinds of inventory', { inventory: ['app', 'dooh'] }, { inventory: ['app', 'dooh'] }],
  ['lists', { lists: { include: ['il_a'], exclude: ['il_all'] } }, { lists: { include: ['il_a'], exclude: ['il_all'] } }],
  ['lists to keep away from', { lists: { exclude: ['il_all'] } }, { lists: { include: null, exclude: ['il_all'] } }],
  [
    'content',
    { content: { include: ['iab7', 'IAB8-5', '637'], exclude: ['JLBCU7'], languages: ['FI'] } },
    { content: { include: ['IAB7', 'IAB8-5', '637'], exclude: ['JLBCU7'], languages: ['fi'] } },
  ],
  [
    'the place on the page',
    { positions: [1, 7], viewability: 0.7, interstitial: false, rewarded: true },
    { positions: [1, 7], viewability: 0.7, interstitial: false, rewarded: true },
  ],
  ['data of the request', { userData: [['4:637', 'DMP.example:Lapsed']] }, { userData: [['4:637', 'dmp.example:Lapsed']] }],
  ['extended ids', { eids: ['ID5-sync.com'] }, { eids: ['id5-sync.com'] }],
];

describe('a targeting is taken and published', () => {
  test.each(DIMENSIONS)('with %s', async (_, written, published) => {
    await api.ok('PUT', '/v1/line-items/li_x', { ...lineItem, targeting: written }, { headers: { 'if-match': '*' } });
    expect((await api.ok<{ targeting: object }>('GET', '/v1/line-items/li_x')).targeting).toMatchObject(written);
    expect(snapshot().lineItems[0]?.targeting).toEqual({ ...ANY, ...published });
  });
});

const snapshot = (): Snapshot =>
  buildSnapshot(api.deps.things, () => ({ resolution: 11, inner: [], boundary: [] }), 1, Date.now());

test('a rule of segments is published as a conjunction of their numbers', async () => {
  const number = (id: string) => api.deps.things.get('segment', id)?.body.number;
  const segmentRule = { any: [{ segment: 'seg_1', withinHours: 48 }, { not: { segment: 'seg_2' } }] };
  await api.ok('PUT', '/v1/line-items/li_x', { ...lineItem, targeting: { segmentRule } }, { headers: { 'if-match': '*' } });
  expect(snapshot().lineItems[0]?.targeting.segmentRule).toEqual([
    [
      { segment: number('seg_1'), not: false, withinHours: 48 },
      { segment: number('seg_2'), not: true, withinHours: null },
    ],
  ]);
  const refused = await api.call('DELETE', '/v1/segments/seg_2', undefined, { headers: { 'if-match': '*' } });
  expect(refused.json().code).toBe('in_use');
});

test('the browsers that can be asked for are those that the bidder tells apart', () => {
  expect([...BROWSERS].sort()).toEqual([...BROWSER_NAMES].sort());
});

test('only lists that live line items name are published', async () => {
  await api.ok(
    'PUT',
    '/v1/line-items/li_x',
    { ...lineItem, targeting: { lists: { exclude: ['il_all'] } } },
    { headers: { 'if-match': '*' } },
  );
  expect(snapshot().lists).toEqual([{ id: 'il_all', kind: 'domain', entries: 'scam.example' }]);
  await api.ok('PATCH', '/v1/line-items/li_x', { status: 'paused' }, { headers: { 'if-match': '*' } });
  expect(snapshot().lists).toEqual([]);
});

describe('a targeting is refused', () => {
  test.each<[string, object, string[]]>([
    [
      'with a version that is none',
      { osVersions: { from: '14.x', below: 'new' } },
      ['/osVersions/from bad_version', '/osVersions/below bad_version'],
    ],
    ['with versions the wrong way round', { osVersions: { from: '10', below: '9.9' } }, ['/osVersions range_reversed']],
    ['with versions of nothing', { osVersions: {} }, ['/osVersions too_few_properties']],
    [
      'with a country that is none',
      { geo: { include: [{ country: 'XX' }, { country: 'ZZZ' }] } },
      ['/geo/include/0/country unknown_country', '/geo/include/1/country unknown_country'],
    ],
    [
      'with a region of another country',
      { geo: { exclude: [{ country: 'FI', region: 'US-CA' }] } },
      ['/geo/exclude/0/region bad_region'],
    ],
    ['with a city of no country', { geo: { include: [{ city: 'oslo' }] } }, ['/geo/include/0/country required']],
    [
      'with languages that are none',
      { languages: ['xx', 'finnish'], content: { languages: ['zq'] } },
      ['/languages/0 unknown_language', '/languages/1 unknown_language', '/content/languages/0 unknown_language'],
    ],
    ['with a browser that is none', { browsers: ['Chrome', 'netscape'] }, ['/browsers/1 unknown_browser']],
    ['with a carrier’s code that is none', { carriers: ['24405'] }, ['/carriers/0 bad_carrier']],
    [
      'with a category that is none',
      { content: { include: ['Sport'], exclude: ['IAB7-1-2'] } },
      ['/content/include/0 bad_category', '/content/exclude/0 bad_category'],
    ],
    [
      'with user data without its source',
      { userData: [['637']], eids: ['id5'] },
      ['/userData/0/0 bad_user_data', '/eids/0 bad_domain'],
    ],
    ['with a list that is not there', { lists: { include: ['il_x'] } }, ['/lists/include/0 unknown_inventory_list']],
    ['with another advertiser’s list', { lists: { exclude: ['il_b'] } }, ['/lists/exclude/0 unknown_inventory_list']],
    [
      'that excludes the list it asks for',
      { lists: { include: ['il_a'], exclude: ['il_all', 'il_a'] } },
      ['/lists/exclude/1 contradiction'],
    ],
    [
      'that excludes the country it asks for',
      { geo: { include: [{ country: 'FI' }], exclude: [{ country: 'FIN' }] } },
      ['/geo/exclude/0 contradiction'],
    ],
    [
      'with another advertiser’s segment in a rule',
      { segmentRule: { all: [{ segment: 'seg_1' }, { not: { segment: 'seg_b' } }] } },
      ['/segmentRule/all/1/not/segment unknown_segment'],
    ],
    ['with a rule that is none', { segmentRule: { some: [] } }, ['/segmentRule/some unknown_variant']],
    [
      'out of the lists of OpenRTB',
      { positions: [8], connectionTypes: [9], viewability: 1.5, inventory: ['tv'] },
      ['/connectionTypes/0 maximum', '/inventory/0 enum', '/positions/0 maximum', '/viewability maximum'],
    ],
    ['with a member that is none', { browser: ['chrome'] }, ['/browser unknown_property']],
  ])('%s', async (_, targeting, expected) => {
    expect((await faultsOf(targeting)).sort()).toEqual([...expected].sort());
  });
});
