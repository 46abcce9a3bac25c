import { setTimeout as sleep } from 'node:timers/promises';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { keyIdentifier } from '../../proto/identifier.ts';
import { capsKey, profileKey } from '../../proto/keys.ts';
import { decodeProfile } from '../../proto/profile.ts';
import { type Segmenter, startSegmenter } from '../../segmenter/schedule.ts';
import { startApi, type TestApi } from '../support/api.ts';
import { putLineItem } from './rig.ts';

const HOUR = 3_600_000;
const SHOWN = Date.parse('2026-11-02T10:00:00Z');
const time = (at: number) => new Date(at).toISOString();

let api: TestApi;
let segmenter: Segmenter;
const phone = { kind: 'ifa', value: '11111111-2222-4333-8444-555555555555' };
const tablet = { kind: 'ifa', value: '99999999-2222-4333-8444-555555555555' };
const card = { kind: 'loyalty', value: '7001' };
const keyOf = (identifier: { kind: string; value: string }) => keyIdentifier(identifier as never, api.deps.pepper) as string;

const refresh = async () => {
  const { id } = await api.ok<{ id: string }>('POST', '/v1/refresh');
  for (let turn = 0; turn < 1200; turn++) {
    const job = await api.ok('GET', `/v1/jobs/${id}`);
    if (job['state'] === 'succeeded') return;
    if (job['state'] === 'failed') throw new Error(String(job['error']));
    await sleep(50);
  }
  throw new Error('it has not ended');
};

const shown = (bid: string, who: { kind: string; value: string }) => {
  const row = {
    ...{ bid, bid_at: time(SHOWN), exchange: 'ex', auction: bid, imp: '1', advertiser: 'adv', campaign: 'cmp', line_item: 'li' },
    ...{ creative: 'cr', store: 'st', identifier: keyOf(who), anchor: keyOf(who), price: 1_000_000, test: 0 },
  };
  return [
    { ...row, type: 'bid', at: time(SHOWN), cost: 0 },
    { ...row, type: 'impression', at: time(SHOWN + 1_000), cost: 0 },
    { ...row, type: 'billing', at: time(SHOWN + 1_000), cost: 1_000 },
  ];
};

beforeAll(async () => {
  api = await startApi();
  segmenter = await startSegmenter(api.deps, { refreshSeconds: null });
  await api.ok('PUT', '/v1/advertisers/adv', { name: 'A', domains: ['a.example'] });
  await api.ok('PUT', '/v1/stores/st', { advertiser: 'adv', name: 'S', address: 'S', lat: 55.75, lon: 37.6, timeZone: 'UTC' });
  const flight = { start: '2026-11-01T00:00:00Z', end: '2099-01-01T00:00:00Z' };
  const holdout = { percent: 1, salt: 'salt' };
  await api.ok('PUT', '/v1/campaigns/cmp', {
    advertiser: 'adv',
    name: 'C',
    status: 'active',
    ...flight,
    budgetMicros: null,
    holdout,
  });
  await api.ok('PUT', '/v1/segments/buyers', { name: 'Buyers', rule: { purchases: {} }, minimumSize: 1 });
  await putLineItem(api.deps, 'live', ['buyers']);
  const bought = { type: 'purchase', id: 'r1', at: time(SHOWN + HOUR), store: 'st', identifiers: [card] };
  await api.ok('POST', '/v1/events', [{ ...bought, lines: [{ amountMicros: 5_000_000 }] }]);
  for (const device of [phone, tablet])
    await api.ok('POST', '/v1/events', [
      { type: 'page', at: time(SHOWN - HOUR), identifiers: [device], url: 'https://a.example/' },
    ]);
  await api.deps.warehouse.insert('ad_events', [...shown('b1', phone), ...shown('b2', tablet)]);
  await refresh();
  await api.deps.redis.hset(capsKey(keyOf(phone)), 'li:1:1', 2);
  await api.deps.redis.hset(capsKey(keyOf(tablet)), 'li:1:1', 3);
}, 60_000);
afterAll(async () => {
  await segmenter.close();
  await api.stop();
});

interface Told {
  readonly exposed: number;
  readonly purchases: number;
  readonly revenue: number;
  readonly spend: number;
  readonly treated: number;
  readonly member: boolean;
  readonly caps: number;
}

/** What reports, bidders and frequency counters know of the phone's person. */
async function told(): Promise<Told> {
  const { totals, lift } = await api.ok<{ totals: Record<string, number>; lift: { arms: { treated: { people: number } } } }>(
    'GET',
    '/v1/reports/conversions?campaign=cmp&from=2026-11-01&to=2026-11-21',
  );
  const value = await api.deps.redis.getBuffer(profileKey(keyOf(phone)));
  const profile = value === null ? null : decodeProfile(value);
  return {
    exposed: totals['exposedPeople'] as number,
    purchases: totals['purchases'] as number,
    revenue: totals['revenueMicros'] as number,
    spend: totals['spendMicros'] as number,
    treated: lift.arms.treated.people,
    member: (profile?.memberships.length ?? 0) > 0,
    caps: Number((await api.deps.redis.hget(capsKey(profile?.anchor ?? keyOf(phone)), 'li:1:1')) ?? 0),
  };
}

const APART: Told = { exposed: 2, purchases: 0, revenue: 0, spend: 2_000, treated: 2, member: false, caps: 2 };

test('conversions, lift, caps and memberships are right within one refresh after people merge, and again after they part', async () => {
  expect(await told()).toEqual(APART);

  const named = { type: 'identify', at: time(SHOWN) };
  await api.ok('POST', '/v1/events', [
    { ...named, identifiers: [phone, card] },
    { ...named, identifiers: [tablet, card] },
  ]);
  await refresh();
  // One person saw both, whoever of them was named; the receipt is theirs. Money is not a question of who is who.
  expect(await told()).toEqual({
    ...{ exposed: 1, purchases: 1, revenue: 5_000_000, spend: 2_000, treated: 1, member: true, caps: 5 },
  });

  for (const device of [phone, tablet]) await api.ok('POST', '/v1/identity-withdrawals', { a: device, b: card, source: null });
  await refresh();
  // Nobody's cap begins anew: each has seen what both have.
  expect(await told()).toEqual({ ...APART, caps: 5 });

  await api.ok('POST', '/v1/events', [{ ...named, at: time(SHOWN + 2 * HOUR), identifiers: [phone, card] }]);
  await refresh();
  expect(await told()).toMatchObject({ exposed: 2, purchases: 1, revenue: 5_000_000, treated: 2, member: true });
}, 90_000);
