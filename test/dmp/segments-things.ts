import type { Rule } from '../../dmp/segments/rule.ts';
import type { Things } from '../../dmp/things/things.ts';
import { plainThings } from '../support/plain-things.ts';

/** The things that the examples of nodes and the random rules name. */
export async function thingsOfRules(): Promise<Things> {
  const things = plainThings();
  const by = { actor: 'test' };
  const store = {
    ...{ name: 's', address: '', lat: 55.7, lon: 37.6, timeZone: 'UTC', hours: null },
    fence: { type: 'circle', radius: 75 },
  } as const;
  for (const advertiser of ['adv_1', 'adv_2'])
    await things.put('advertiser', advertiser, { name: advertiser, domains: ['shop.example'], currency: 'USD' }, by);
  for (const id of ['st_1', 'st_2', 'st_3', '']) await things.put('store', id, { ...store, advertiser: 'adv_1' }, by);
  await things.put('store', 'st_rival', { ...store, advertiser: 'adv_2' }, by);
  for (const id of ['sg_1', 'sg_2', 'sg_none'])
    await things.put('store-group', id, { advertiser: 'adv_1', name: 'g', stores: [] }, by);
  const fence = { type: 'circle', lat: 55.7, lon: 37.6, radius: 100 } as const;
  for (const id of ['gf_1', 'gf_2']) await things.put('geofence', id, { advertiser: 'adv_1', name: 'f', fence }, by);
  for (const id of ['till', 'bank'])
    await things.put('source', id, { name: id, party: '1p', timeZone: 'UTC', currency: 'USD' }, by);
  const perUsd = { EUR: 0.92, RUB: 91.4, XXX: 3 };
  await things.put('rates', 'rates', { at: '2026-03-01T00:00:00Z', base: 'USD', perUsd }, by);
  const flight = { start: '2026-01-01T00:00:00Z', end: '2099-01-01T00:00:00Z', status: 'active', budgetMicros: null } as const;
  const holdout = { percent: 50, salt: 'spring' };
  for (const id of ['cmp_1', 'cmp_2'])
    await things.put('campaign', id, { advertiser: 'adv_1', name: id, ...flight, holdout }, by);
  for (const [id, source] of [
    ['lst_1', 'till'],
    ['lst_2', 'bank'],
  ] as const)
    await things.put('list', id, { advertiser: 'adv_1', name: id, kind: 'email', source, size: 0 }, by);
  const segment = (id: string, rule: Rule, advertiser: string | null = null) =>
    things.put('segment', id, { advertiser, name: id, rule, number: 1 }, by);
  await segment('seg_1', { visits: {} });
  await segment('seg_2', { segment: 'seg_1' });
  for (const id of ['la_1', 'la_2'])
    await things.put('lookalike', id, { advertiser: null, name: id, seed: 'seg_1', population: null, refitHours: 24 }, by);
  await segment('seg_rival', { visits: {} }, 'adv_2');
  return things;
}
