import { beforeEach, expect, test } from 'vitest';
import { checkRule } from '../../dmp/segments/check.ts';
import { edgesOfAges } from '../../dmp/segments/measures.ts';
import type { Rule } from '../../dmp/segments/rule.ts';
import { sentenceOf } from '../../dmp/segments/sentence.ts';
import type { Things } from '../../dmp/things/things.ts';
import { randomRule } from './segments-oracle.ts';
import { thingsOfRules } from './segments-things.ts';
import { seeded } from './segments-world.ts';

let things: Things;
beforeEach(async () => {
  things = await thingsOfRules();
});

async function segment(id: string, rule: Rule): Promise<void> {
  await things.put('segment', id, { advertiser: null, name: id, rule, number: 1 }, { actor: 'test' });
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
  ['fewer than none', { purchases: { count: { min: -3 } } }, ['/rule/purchases/count/min minimum']],
  ['at most fewer than none', { pages: { days: { max: -1 } } }, ['/rule/pages/days/max minimum']],
  ['an age of ten million years', { visits: { last: { min: 3_650_000_000 } } }, ['/rule/visits/last/min maximum']],
  ['an age before birth', { purchases: { first: { max: -1e9 } } }, ['/rule/purchases/first/max minimum']],
  ['money beyond all money', { purchases: { sum: { min: 1e308 } } }, ['/rule/purchases/sum/min maximum']],
  ['a share in per cent', { share: { of: { bought: {} }, share: { min: 50 } } }, ['/rule/share/share/min maximum']],
  [
    'a share of another kind',
    { share: { of: { bought: {} }, among: { visited: {} }, share: { min: 0.5 } } },
    ['/rule/share/among contradiction'],
  ],
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
  ['hours that end when they begin', { pages: { hours: { from: 5, to: 5 } } }, ['/rule/pages/hours bad_hours']],
  ['a day of the week that is none', { visits: { weekdays: ['mon', 'day'] } }, ['/rule/visits/weekdays/1 enum']],
  ['half a point', { visits: { near: { metres: 10, lat: 55 } } }, ['/rule/visits/near shape']],
  [
    'a distance from an unknown store',
    { actions: { near: { metres: 9, stores: ['st_9'] } } },
    ['/rule/actions/near/stores/0 unknown_store'],
  ],
  ['a basket of nothing', { purchases: { with: [{}] } }, ['/rule/purchases/with/0 too_few_properties']],
  [
    'dates the wrong way',
    { attribute: { name: 'a', since: '2026-02-01', before: '2026-02-01' } },
    ['/rule/attribute range_reversed'],
  ],
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

test.each([
  ['Own', 'Own'],
  ['O’Neill & Sons 2', 'O’Neill & Sons 2'],
  ['milk, bread or tea', '"milk, bread or tea"'],
  ['хлеб или соль', '"хлеб или соль"'],
  ['', '""'],
  [' ', '" "'],
  ["'", '"\'"'],
  ['5" pipe', '"5\\" pipe"'],
  ['a\nb\0', '"a\\u{a}b\\u{0}"'],
  ['\u202elive', '"\\u{202e}live"'],
  ['\ud800', '"\\u{d800}"'],
  ['💥', '💥'],
])('in a sentence %j stands as %s', (text, shown) => {
  const rule: Rule = { all: [{ attribute: { name: text, in: [text] } }, { purchases: { brands: [text, 'B'] } }] };
  expect(sentenceOf(rule, 'en')).toBe(
    `People who have the attribute ${shown}: ${shown} and bought something of brand ${shown} or B`,
  );
  expect(sentenceOf(rule, 'ru')).toBe(`Люди, которые имеют признак ${shown}: ${shown} и покупали что-либо марки ${shown} или B`);
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

test('money has one currency: the advertiser’s, or one that has a rate', async () => {
  expect(faultsOf({ purchases: { sum: { min: 1 }, currency: 'EUR' } })).toEqual([]);
  expect(faultsOf({ purchases: { sum: { min: 1 }, currency: 'GBP' } })).toEqual(['/rule/purchases/currency no_rate']);
  expect(faultsOf({ purchases: { sum: { min: 1 }, currency: 'euro' } })).toEqual(['/rule/purchases/currency pattern']);
  const brand = { name: 'a', domains: ['a.example'] };
  await things.put('advertiser', 'adv_2', { ...brand, currency: 'EUR' as 'USD' }, { actor: 'test' });
  expect(faultsOf({ purchases: { sum: { min: 1 } } })).toEqual(['/rule/purchases/currency required']);
  expect(faultsOf({ purchases: { sum: { min: 1 }, currency: 'USD' } })).toEqual([]);
  expect(faultsOf({ purchases: { count: { min: 1 } } })).toEqual([]);
  expect(faultsOf({ purchases: { mean: { min: 1 } } }, 'adv_1')).toEqual([]);
});

test('a list of ten thousand values is taken, a longer one is not', () => {
  const products = (n: number) => ({ purchases: { products: Array.from({ length: n }, (_, at) => `p${at}`) } });
  expect(faultsOf(products(10_000))).toEqual([]);
  expect(faultsOf(products(10_001))).toEqual(['/rule/purchases/products too_long']);
});

test('a rule of two hundred levels and a window of more than a hundred years are refused', () => {
  let deep: Rule = { visits: { window: { days: 36_500 } } };
  expect(faultsOf(deep)).toEqual([]);
  for (let n = 0; n < 200; n++) deep = { all: [deep] };
  expect(faultsOf(deep).map((fault) => fault.split(' ')[1])).toEqual(['rule_too_deep']);
  expect(faultsOf({ visits: { window: { days: 36_501 } } })).toEqual(['/rule/visits/window/days maximum']);
});

test('an old rule may hold an age that none comes to: nobody is asked for it again', () => {
  expect(edgesOfAges({ min: 1e9 }, { min: -1e9, max: 3 })).toEqual([3 * 86_400_000]);
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
