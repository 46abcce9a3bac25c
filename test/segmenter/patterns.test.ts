import { afterAll, beforeAll, expect, test } from 'vitest';
import { scopeOf } from '../../dmp/segments/advertiser-scope.ts';
import type { Rule } from '../../dmp/segments/rule.ts';
import { compileScan } from '../../dmp/segments/scan.ts';
import { createFacts } from '../../segmenter/facts.ts';
import { createIdentity } from '../../segmenter/identity.ts';
import { createVisits } from '../../segmenter/visits.ts';
import { startApi, type TestApi } from '../support/api.ts';

let api: TestApi;

const HOUR = 3_600_000;
const DAY = 24 * HOUR;
const NOW = Date.now();
/** Midnight in Moscow, some days ago. */
const midnight = (days: number): number => Math.floor((NOW - days * DAY) / DAY) * DAY - 3 * HOUR;
const at = (time: number): string => new Date(time).toISOString();
const STORE = { lat: 55.751244, lon: 37.618423 };
const HOME = { lat: 55.790121, lon: 37.681537 };

const ann = [
  { kind: 'email', value: 'ann@example.org' },
  { kind: 'ifa', value: '11111111-2222-4333-8444-555555555555' },
];
const bob = [
  { kind: 'email', value: 'bob@example.org' },
  { kind: 'ifa', value: '99999999-2222-4333-8444-555555555555' },
];
const ping = (who: typeof ann, time: number, place: typeof STORE) => ({
  type: 'ping',
  at: at(time),
  identifiers: [who[1]],
  ...place,
  accuracy: 10,
});
const bought = (who: typeof ann, id: string, time: number, more: object = {}) => ({
  ...{ type: 'purchase', id, at: at(time), identifiers: [who[0]], ...more },
  lines: [{ amountMicros: 5_000_000, category: 'DAIRY', brand: id }],
});
/** Half an hour in the store. */
const visit = (who: typeof ann, time: number) => [0, 10, 20, 30].map((minute) => ping(who, time + minute * 60_000, STORE));

beforeAll(async () => {
  api = await startApi();
  await api.ok('PUT', '/v1/advertisers/adv', { name: 'A', domains: ['a.example'] });
  await api.ok('PUT', '/v1/stores/st_1', { advertiser: 'adv', name: 'S', address: '', ...STORE, timeZone: 'Europe/Moscow' });
  const fence = { type: 'circle', ...HOME, radius: 1_500 };
  await api.ok('PUT', '/v1/geofences/gf_quarter', { advertiser: 'adv', name: 'Quarter', fence });
  const flight = { start: '2026-01-01T00:00:00Z', end: '2099-01-01T00:00:00Z', status: 'paused', budgetMicros: null };
  const holdout = { percent: 50, salt: 'spring' };
  await api.ok('PUT', '/v1/campaigns/cmp', { advertiser: 'adv', name: 'C', ...flight, holdout });
  const taken = await api.ok('POST', '/v1/events', [
    { type: 'identify', at: at(NOW - 20 * DAY), identifiers: ann },
    { type: 'identify', at: at(NOW - 20 * DAY), identifiers: bob },
    // Ann looked in the store and bought online two days later; she lives in the quarter.
    ...visit(ann, midnight(10) + 13 * HOUR),
    bought(ann, 'r1', midnight(8) + 12 * HOUR),
    ...[6, 5, 4, 3].map((days) => ping(ann, midnight(days) + 2 * HOUR, HOME)),
    // Bob looked online and bought in the store; he buys every five days and is late.
    { type: 'page', at: at(midnight(21)), identifiers: [bob[1]], url: 'https://a.example/shop' },
    ...[30, 25, 20].map((days) => bought(bob, `b${days}`, midnight(days) + 12 * HOUR, { store: 'st_1' })),
    ...visit(bob, NOW - 40 * 60_000),
  ]);
  expect(taken['errors']).toEqual([]);
  await createIdentity(api.deps).fold();
  await createVisits(api.deps).find();
  await createFacts(api.deps).fold();
});
afterAll(() => api.stop());

/** The e-mails' names of whom a rule selects. */
async function selected(rule: Rule): Promise<string[]> {
  const scan = compileScan([rule], scopeOf(api.deps.things, 'adv', NOW));
  const sql = `SELECT unit FROM (${scan.units('')}) WHERE ${scan.holds[0]}`;
  const rows = await api.deps.warehouse.query<{ unit: number }>({ sql, params: scan.bound.values });
  const names: string[] = [];
  for (const [name, [email]] of Object.entries({ ann, bob })) {
    const found = await api.ok<{ id: number }>('POST', '/v1/profiles:find', { identifier: email });
    if (rows.some(({ unit }) => String(unit) === String(found.id))) names.push(name);
  }
  return names;
}

test.each<readonly [string, Rule, string[]]>([
  ['who looked in a store and bought online', { showrooming: { visited: { stores: ['st_1'] }, within: { days: 3 } } }, ['ann']],
  [
    'who looked online and bought in a store',
    { showrooming: { reverse: true, viewed: { urlContains: '/shop' }, within: { days: 3 } } },
    ['bob'],
  ],
  ['who visited and then did not buy', { sequence: { steps: [{ visited: {} }], thenNot: { bought: {} } } }, ['bob']],
  [
    'who visited, bought within three days, and did not come again',
    {
      sequence: {
        steps: [{ visited: {} }, { bought: { categories: ['DAIRY'] }, within: { days: 3 } }],
        thenNot: { visited: {}, within: { days: 2 } },
      },
    },
    ['ann'],
  ],
  ['who is overdue by the own rhythm', { rhythm: { overdue: { min: 2 } } }, ['bob']],
  ['who lives in a quarter', { home: { geofences: ['gf_quarter'], metres: 0 } }, ['ann']],
  ['who lives near a store', { home: { stores: ['st_1'], metres: 8_000 } }, ['ann']],
  ['who works near a store', { work: { metres: 8_000 } }, []],
  ['who is near a store now', { near: { metres: 300 } }, ['bob']],
  ['who was near the quarter in the last week', { near: { geofences: ['gf_quarter'], hours: 168 } }, ['ann']],
  ['who buys most often', { rfm: { frequency: { min: 2 }, groups: 2 } }, ['bob']],
  ['who buys less than before', { trend: { of: { bought: {} }, days: 15, ratio: { max: 0.5 } } }, ['bob']],
  ['who spends half or more on a brand', { share: { of: { bought: { brands: ['r1'] } }, share: { min: 0.5 } } }, ['ann']],
  [
    'who can be reached by e-mail and device',
    { all: [{ identifiers: { any: ['email'] } }, { identifiers: { any: ['ifa'] } }] },
    ['ann', 'bob'],
  ],
  ['who is in none of two halves', { not: { any: [{ sample: { percent: 50 } }, { sample: { percent: 50, from: 50 } }] } }, []],
])('events come through identity, visits and facts to %s', { timeout: 60_000 }, async (_, rule, names) => {
  expect(await selected(rule)).toEqual(names);
});

test('a holdout is the one that the bidder decides', async () => {
  const anchors = await api.deps.warehouse.query<{ item: string }>({
    sql: "SELECT DISTINCT item FROM facts WHERE kind = 'person'",
  });
  expect(anchors).toHaveLength(2);
  const { isHeldOut } = await import('../../proto/bucket.ts');
  const held = anchors.filter(({ item }) => isHeldOut(item, 'spring', 5_000));
  expect(await selected({ holdout: { campaign: 'cmp' } })).toHaveLength(held.length);
});
