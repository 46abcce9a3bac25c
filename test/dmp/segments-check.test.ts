import { beforeEach, expect, test } from 'vitest';
import { checkRule } from '../../dmp/segments/check.ts';
import type { Rule } from '../../dmp/segments/rule.ts';
import type { Things } from '../../dmp/things/things.ts';
import { plainThings } from '../support/plain-things.ts';
import { randomRule } from './segments-oracle.ts';
import { seeded } from './segments-world.ts';

let things: Things;
beforeEach(async () => {
  things = plainThings();
  const by = { actor: 'test' };
  const store = {
    name: 's',
    address: '',
    lat: 55.7,
    lon: 37.6,
    timeZone: 'UTC',
    hours: null,
    fence: { type: 'circle', radius: 75 },
  } as const;
  for (const id of ['st_1', 'st_2', 'st_3', '']) await things.put('store', id, { ...store, advertiser: 'adv_1' }, by);
  await things.put('store', 'st_rival', { ...store, advertiser: 'adv_2' }, by);
  for (const id of ['sg_1', 'sg_2', 'sg_none'])
    await things.put('store-group', id, { advertiser: 'adv_1', name: 'g', stores: [] }, by);
  for (const id of ['gf_1', 'gf_2'])
    await things.put(
      'geofence',
      id,
      { advertiser: 'adv_1', name: 'f', fence: { type: 'circle', lat: 55.7, lon: 37.6, radius: 100 } },
      by,
    );
  for (const id of ['till', 'bank'])
    await things.put('source', id, { name: id, party: '1p', timeZone: 'UTC', currency: 'USD' }, by);
  await segment('seg_1', { visits: {} });
  await segment('seg_2', { segment: 'seg_1' });
  await segment('seg_rival', { visits: {} }, 'adv_2');
});

async function segment(id: string, rule: Rule, advertiser: string | null = null): Promise<void> {
  await things.put('segment', id, { advertiser, name: id, rule, number: 1 }, { actor: 'test' });
}

function faultsOf(rule: unknown, advertiser: string | null = null, self: string | null = null): string[] {
  return checkRule(rule, { things, advertiser, self }).map(({ pointer, code }) => `${pointer} ${code}`);
}

test('random rules of the right shape pass', () => {
  const random = seeded(7);
  for (let n = 0; n < 200; n++) {
    const rule = randomRule(random);
    expect(faultsOf(rule), JSON.stringify(rule)).toEqual([]);
  }
});

test.each<[string, unknown, string[]]>([
  ['no object', 5, ['/rule type']],
  ['a list', [], ['/rule type']],
  ['no member', {}, ['/rule too_few_properties']],
  ['two members', { all: [], not: {} }, ['/rule too_many_properties']],
  ['an unknown rule', { bought: {} }, ['/rule/bought unknown_variant']],
  ['a member of the prototype', { constructor: {} }, ['/rule/constructor unknown_variant']],
  ['an empty group', { all: [] }, ['/rule/all empty_group']],
  ['an empty group within', { any: [{ not: { any: [] } }] }, ['/rule/any/0/not/any empty_group']],
  ['a window of -1 day', { visits: { window: { days: -1 } } }, ['/rule/visits/window/days window_not_positive']],
  ['a window of 0 days', { pages: { window: { days: 0 } } }, ['/rule/pages/window/days window_not_positive']],
  ['a window of half a day', { pages: { window: { days: 0.5 } } }, ['/rule/pages/window/days type']],
  [
    'a window that ends first',
    { visits: { window: { from: '2026-02-02', to: '2026-02-01' } } },
    ['/rule/visits/window window_reversed'],
  ],
  ['a day that is none', { visits: { window: { from: '2026-02-30', to: '2026-03-01' } } }, ['/rule/visits/window/from format']],
  ['half a window', { visits: { window: { from: '2026-02-02' } } }, ['/rule/visits/window shape']],
  ['a mixed window', { visits: { window: { days: 3, to: '2026-02-02' } } }, ['/rule/visits/window shape']],
  ['a reversed range', { purchases: { sum: { min: 2, max: 1 } } }, ['/rule/purchases/sum range_reversed']],
  ['a reversed attribute', { attribute: { name: 'a', min: 2, max: 1 } }, ['/rule/attribute range_reversed']],
  ['a range without ends', { purchases: { count: {} } }, ['/rule/purchases/count too_few_properties']],
  ['a range of text', { purchases: { count: { min: '1' } } }, ['/rule/purchases/count/min type']],
  ['an unknown member', { purchases: { colour: ['red'] } }, ['/rule/purchases/colour unknown_property']],
  [
    'an unknown member of a range',
    { purchases: { count: { min: 1, mean: 2 } } },
    ['/rule/purchases/count/mean unknown_property'],
  ],
  ['an empty list', { purchases: { brands: [] } }, ['/rule/purchases/brands too_short']],
  ['no name', { attribute: { in: ['a'] } }, ['/rule/attribute/name required']],
  ['an unknown store', { visits: { stores: ['st_1', 'st_9'] } }, ['/rule/visits/stores/1 unknown_store']],
  ['an unknown group', { purchases: { storeGroups: ['sg_9'] } }, ['/rule/purchases/storeGroups/0 unknown_store_group']],
  ['an unknown geofence', { visits: { geofences: ['gf_9'] } }, ['/rule/visits/geofences/0 unknown_geofence']],
  ['an unknown source', { purchases: { sources: ['x'] } }, ['/rule/purchases/sources/0 unknown_source']],
  ['an unknown segment', { not: { segment: 'seg_9' } }, ['/rule/not/segment unknown_segment']],
  ['a segment that is no text', { segment: 5 }, ['/rule/segment type']],
  [
    'faults of several kinds, all told',
    { all: [{ segment: 'seg_9' }, { visits: { window: { days: -1 }, count: { min: 3, max: 2 } } }] },
    [
      '/rule/all/0/segment unknown_segment',
      '/rule/all/1/visits/window/days window_not_positive',
      '/rule/all/1/visits/count range_reversed',
    ],
  ],
])('%s is refused', (_, rule, expected) => {
  expect(faultsOf(rule)).toEqual(expected);
});

test('a segment cannot need itself, directly or through others', async () => {
  expect(faultsOf({ segment: 'seg_1' }, null, 'seg_1')).toEqual(['/rule/segment segment_cycle']);
  expect(faultsOf({ any: [{ visits: {} }, { segment: 'seg_2' }] }, null, 'seg_1')).toEqual(['/rule/any/1/segment segment_cycle']);
  expect(faultsOf({ segment: 'seg_2' }, null, 'seg_3')).toEqual([]);
});

test('a cycle that is there already is no endless walk', async () => {
  await segment('seg_1', { segment: 'seg_2' });
  expect(faultsOf({ segment: 'seg_2' }, null, 'seg_3')).toEqual([]);
});

test('an advertiser sees its own things and shared segments only', () => {
  const rule = {
    all: [{ visits: { stores: ['st_rival'] } }, { segment: 'seg_rival' }, { segment: 'seg_1' }, { visits: { stores: ['st_1'] } }],
  };
  expect(faultsOf(rule, 'adv_1')).toEqual(['/rule/all/0/visits/stores/0 unknown_store', '/rule/all/1/segment unknown_segment']);
  expect(faultsOf(rule)).toEqual([]);
});

test('depth and size have limits, also where they are far over them', () => {
  let deep: Rule = { visits: {} };
  for (let n = 0; n < 19; n++) deep = { not: deep };
  expect(faultsOf(deep)).toEqual([]);
  expect(faultsOf({ not: deep })).toEqual([`/rule${'/not'.repeat(20)} rule_too_deep`]);
  for (let n = 0; n < 5_000; n++) deep = { not: deep };
  expect(faultsOf(deep)).toHaveLength(1);
  expect(faultsOf({ any: Array.from({ length: 199 }, () => ({ visits: {} })) })).toEqual([]);
  expect(faultsOf({ any: Array.from({ length: 50_000 }, () => ({ visits: {} })) })).toEqual(['/rule/any/199 rule_too_large']);
});
