import { afterAll, beforeAll, beforeEach, expect, test } from 'vitest';
import type { Source } from '../../dmp/sources/source.ts';
import { cellOf, cellToUInt64 } from '../../proto/fence.ts';
import { createIdentity } from '../../segmenter/identity.ts';
import { createRefresh } from '../../segmenter/refresh.ts';
import { createVisits } from '../../segmenter/visits.ts';
import { putPeople, type Rig, startRig, uuid } from './rig.ts';

/** After a revocation or the end of a grant one refresh takes the source's data out of every membership, and puts it back after a grant. */

let rig: Rig;
beforeAll(async () => {
  rig = await startRig();
});
afterAll(() => rig.stop());
beforeEach(() => rig.reset());

const BY = { actor: 'test' };
const steps = { progress: async () => undefined, checkpoint: async () => undefined };

const refresh = () => createRefresh(rig, createIdentity(rig), createVisits(rig)).all(steps);

async function source(id: string, more: Partial<Source> = {}): Promise<void> {
  await rig.things.put('source', id, { name: id, party: '2p', timeZone: 'UTC', currency: 'USD', ...more }, BY);
}

const REVOKED = { revoked: { at: '2026-01-01T00:00:00Z', reason: '', actor: 'test', erase: false } };

async function members(segment: string): Promise<number[]> {
  const sql = `SELECT profile FROM memberships WHERE segment = {segment:String} GROUP BY profile
    HAVING argMax(status, version) = 1 ORDER BY profile`;
  return (await rig.warehouse.query<{ profile: number }>({ sql, params: { segment } })).map(({ profile }) => profile);
}

const all = async (): Promise<Record<string, number[]>> =>
  Object.fromEntries(await Promise.all(rig.things.list('segment').map(async ({ id }) => [id, await members(id)])));

const purchase = (of: string, profile: number): object => ({
  source: of,
  receipt: `${of}-${profile}`,
  line: '1',
  at: new Date(rig.now() - 3_600_000).toISOString(),
  identifier: uuid(profile),
  amount: 1_000_000,
  currency: 'USD',
  quantity: '1',
  ingested: new Date(rig.now()).toISOString(),
});

test('purchases and attributes of a revoked source, and of one that is not granted, are in no membership', async () => {
  await source('mine');
  await source('partner', { advertisers: ['adv'] });
  await putPeople(rig, [1, 2, 3]);
  await rig.warehouse.insert('purchases', [purchase('mine', 1), purchase('partner', 2), purchase('partner', 3)]);
  await rig.warehouse.insert('attributes', [
    { source: 'partner', identifier: uuid(3), name: 'tier', text: 'gold', number: null, at: new Date(rig.now()).toISOString() },
  ]);
  await rig.segment('of_adv', { purchases: {} }, 1, 'adv');
  await rig.segment('of_other', { purchases: {} }, 2, 'other');
  await rig.segment('shared', { purchases: {} }, 3);
  await rig.segment('gold', { attribute: { name: 'tier' } }, 4, 'adv');
  await rig.segment('nested', { any: [{ segment: 'gold' }] }, 5, 'adv');
  await rig.segment('shared_nested', { any: [{ segment: 'gold' }] }, 6);
  await refresh();
  const before = { of_adv: [1, 2, 3], of_other: [1], shared: [1], gold: [3], nested: [3], shared_nested: [] };
  expect(await all()).toEqual(before);

  await source('partner', { advertisers: [] });
  await refresh();
  expect(await all()).toEqual({ of_adv: [1], of_other: [1], shared: [1], gold: [], nested: [], shared_nested: [] });

  await source('partner', { advertisers: ['adv'] });
  await source('mine', REVOKED);
  await refresh();
  expect(await all()).toEqual({ ...before, of_adv: [2, 3], of_other: [], shared: [] });

  await source('mine', { purposes: ['measurement'] });
  await refresh();
  expect(await all()).toEqual({ ...before, of_adv: [2, 3], of_other: [], shared: [] });
});

const MINUTE = 60_000;
const [LAT, OTHER_LAT, LON] = [55.75, 55.77, 37.61];

/** Half an hour at each of the two stores, a ping every two minutes. */
async function stay(of: string, profile: number, day: number): Promise<void> {
  const from = Math.floor(rig.now() / 86_400_000) * 86_400_000 - day * 86_400_000 + 12 * 60 * MINUTE;
  const rows = Array.from({ length: 32 }, (_, n) => ({
    source: of,
    identifier: uuid(profile),
    at: new Date(from + (n + (n < 16 ? 0 : 120)) * 2 * MINUTE).toISOString(),
    lat: n < 16 ? LAT : OTHER_LAT,
    lon: LON,
    error: 15,
    class: 'high',
    cell: cellToUInt64(cellOf(n < 16 ? LAT : OTHER_LAT, LON)),
    ingested: new Date(rig.now()).toISOString(),
  }));
  await rig.warehouse.insert('pings', rows);
}

test('a visit made of a withheld source’s pings is taken back, and what other pings show of it remains', async () => {
  await source('app');
  await source('sdk');
  await putPeople(rig, [1, 2, 3]);
  await rig.store('st', LAT, LON, 75, { advertiser: 'adv' });
  await rig.store('st_other', OTHER_LAT, LON, 75, { advertiser: 'other' });
  await stay('app', 1, 3);
  await stay('sdk', 2, 3);
  await stay('app', 3, 3);
  await stay('sdk', 3, 3);
  await rig.segment('ours', { visits: {} }, 1, 'adv');
  await rig.segment('theirs', { visits: {} }, 2, 'other');
  await refresh();
  expect(await all()).toEqual({ ours: [1, 2, 3], theirs: [1, 2, 3] });

  await source('sdk', { advertisers: ['other'] });
  await refresh();
  expect(await all()).toEqual({ ours: [1, 3], theirs: [1, 2, 3] });

  await stay('sdk', 1, 2);
  rig.pass(1000);
  await stay('sdk', 2, 1);
  await refresh();
  expect(await all()).toEqual({ ours: [1, 3], theirs: [1, 2, 3] });
  const sql = "SELECT count() AS n FROM visits FINAL WHERE place = 'st' AND cancelled = 0";
  expect(await rig.warehouse.query({ sql })).toEqual([{ n: '2' }]);

  await source('sdk', REVOKED);
  await refresh();
  expect(await all()).toEqual({ ours: [1, 3], theirs: [1, 3] });

  await source('sdk');
  await refresh();
  expect(await all()).toEqual({ ours: [1, 2, 3], theirs: [1, 2, 3] });
});
