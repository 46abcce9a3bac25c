import { describe, expect, test } from 'vitest';
import type { Rule } from '../../../dmp/segments/rule.ts';
import { streamingOf } from '../../../dmp/streaming/streamable.ts';

const day = { days: 1 };

describe('what one more event can only bring people into is streamed', () => {
  const rules: Rule[] = [
    { purchases: {} },
    { purchases: { stores: ['st_1'], under: ['Food'], channel: 'store', window: day } },
    { purchases: { count: { min: 2 }, last: { max: 0.5 } } },
    { pages: { urlContains: '/shop', count: { min: 3 }, window: day } },
    { redemptions: { coupons: ['c1'] } },
    { actions: { names: ['app_opened'], last: { max: 1 } } },
    { exposures: { clicks: { min: 1 }, window: day } },
    { near: { stores: ['st_1'], rivals: true, metres: 300, hours: 2 } },
    { visits: {} },
    { visits: { stores: ['st_1'], geofences: ['gf_1'], minDwellSeconds: 300, count: { min: 2 }, window: day } },
    { any: [{ purchases: {} }, { all: [{ pages: {} }, { actions: {} }] }] },
  ];
  test.each(rules)('%j', (rule) => {
    expect(streamingOf(rule)).toEqual({ streams: true });
  });
});

describe('what needs more than that is not, and it is said why', () => {
  const rules: [Rule, string][] = [
    [{ not: { purchases: {} } }, '/not:'],
    [{ all: [{ purchases: {} }, { attribute: { name: 'age' } }] }, '/all/1/attribute:'],
    [{ visits: { days: { min: 2 } } }, '/visits/days:'],
    [{ visits: { weekdays: ['mon'] } }, '/visits/weekdays:'],
    [{ purchases: { sum: { min: 5 } } }, '/purchases/sum:'],
    [{ purchases: { count: { max: 2 } } }, '/purchases/count/max:'],
    [{ purchases: { count: { min: 0 } } }, '/purchases/count/min:'],
    [{ purchases: { count: { min: 1_000 } } }, '/purchases/count/min:'],
    [{ purchases: { last: { min: 5 } } }, '/purchases/last/min:'],
    [{ purchases: { hours: { from: 9, to: 12 } } }, '/purchases/hours:'],
    [{ purchases: { without: [{ brands: ['x'] }] } }, '/purchases/without:'],
    [{ exposures: { ignored: 3 } }, '/exposures/ignored:'],
    [{ exposures: { clicks: { min: 1 }, last: { max: 1 } } }, '/exposures:'],
    [{ segment: 'other' }, '/segment:'],
  ];
  test.each(rules)('%j', (rule, why) => {
    const found = streamingOf(rule);
    expect(found.streams ? 'streams' : found.why).toContain(why);
  });

  test('a rule of devices or households', () => {
    expect(streamingOf({ purchases: {} }, 'household')).toMatchObject({ streams: false });
  });
});
