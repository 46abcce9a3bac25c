import { setTimeout as sleep } from 'node:timers/promises';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { sentenceOf } from '../../dmp/segments/sentence.ts';
import { keyIdentifier } from '../../proto/identifier.ts';
import { type Segmenter, startSegmenter } from '../../segmenter/schedule.ts';
import { startApi, type TestApi } from '../support/api.ts';

let api: TestApi;
let segmenter: Segmenter;
let keyA: string;
let keyB: string;
const at = '2026-11-01T10:00:00Z';
const ann = { kind: 'email', value: 'ann@example.org' } as const;
const device = { kind: 'ifa', value: '11111111-2222-4333-8444-555555555555' } as const;

interface View {
  id: number;
  identifiers: { kind: string; key: string; sources: string[] }[];
  segments: object[];
  purchases: object[];
  exposures: object[];
  consents: { purposes: object };
  sources: { id: string; rows: object }[];
}
const find = (key?: string) => api.ok<View>('POST', '/v1/profiles:find', { identifier: ann }, key === undefined ? {} : { key });

beforeAll(async () => {
  api = await startApi();
  segmenter = await startSegmenter(api.deps, { refreshSeconds: null });
  for (const letter of ['a', 'b']) {
    await api.ok('PUT', `/v1/advertisers/adv_${letter}`, { name: letter, domains: [`${letter}.example`] });
    await api.ok('PUT', `/v1/sources/src_${letter}`, { name: `Source ${letter}`, party: '1p', advertiser: `adv_${letter}` });
    await api.ok('PUT', `/v1/segments/seg_${letter}`, {
      ...{ advertiser: `adv_${letter}`, name: `Buyers of ${letter}` },
      rule: { purchases: { sum: { min: 1_000_000 }, window: { from: '2026-01-01', to: '2026-12-31' } } },
    });
    await api.ok('POST', `/v1/events?source=src_${letter}`, [
      {
        type: 'purchase',
        id: `r-${letter}`,
        at,
        identifiers: [ann],
        store: `store-${letter}`,
        lines: [{ amountMicros: 2_000_000 }],
      },
    ]);
  }
  await api.ok('PUT', '/v1/advertisers/adv_c', { name: 'c', domains: ['c.example'] });
  await api.ok('POST', '/v1/events?source=src_a', [
    { type: 'identify', at, identifiers: [ann, device], attributes: { tier: 'gold' } },
  ]);
  await api.ok('POST', '/v1/consents', {
    ...{ identifiers: [ann], purposes: ['profiles'], status: 'granted' },
    proof: { document: 'form' },
  });
  const who = keyIdentifier(device, api.deps.pepper, '') as string;
  await api.deps.warehouse.insert(
    'ad_events',
    ['a', 'b'].map((letter) => ({
      ...{
        type: 'impression',
        bid: `b-${letter}`,
        bid_at: at,
        at,
        exchange: 'ex',
        auction: '',
        imp: '',
        advertiser: `adv_${letter}`,
      },
      ...{
        campaign: `cmp_${letter}`,
        line_item: 'li',
        creative: 'cr',
        store: '',
        identifier: who,
        anchor: who,
        price: 1,
        clearing: 1,
      },
      ...{ cost: 1, loss_reason: null, min_to_win: null, metres: null, test: 0, detail: '' },
    })),
  );
  const { id } = await api.ok<{ id: string }>('POST', '/v1/refresh');
  while ((await api.deps.jobs.get(id))?.state !== 'succeeded') await sleep(50);
  const issue = async (advertiser: string) =>
    (
      await api.ok<{ key: string }>('POST', '/v1/api-keys', {
        name: advertiser,
        advertiser,
        scopes: ['profiles:read', 'audit:read'],
      })
    ).key;
  [keyA, keyB] = [await issue('adv_a'), await issue('adv_b')];
}, 60_000);
afterAll(async () => {
  await segmenter.close();
  await api.stop();
});

test('a person is shown in one view, with masked identifiers and the reason for each segment', async () => {
  const view = await find();
  expect(await api.ok('GET', `/v1/profiles/${view.id}`)).toEqual(view);
  expect(view).toMatchObject({
    optedOut: false,
    segments: [
      { id: 'seg_a', name: 'Buyers of a', reason: 'People who bought, for at least 1, from 2026-01-01 to 2026-12-31' },
      { id: 'seg_b', name: 'Buyers of b' },
    ],
    consents: { purposes: { profiles: 'granted' } },
  });
  expect(view.identifiers.map(({ kind }) => kind)).toContain('ifa');
  expect(view.purchases).toEqual(
    expect.arrayContaining([
      { at, source: 'src_a', store: 'store-a', receipt: 'r-a', amountMicros: 2_000_000, currency: 'USD', lines: 1 },
    ]),
  );
  expect(view.exposures.length).toBe(2);
  expect(view.sources).toEqual([
    { id: 'src_a', name: 'Source a', rows: { purchases: 1, attributes: 1 } },
    { id: 'src_b', name: 'Source b', rows: { purchases: 1 } },
  ]);
  const key = keyIdentifier(ann, api.deps.pepper, '') as string;
  expect(JSON.stringify(view)).not.toContain(key);
  expect(JSON.stringify(view)).not.toContain('ann@');
});

test('a bound key sees what is its advertiser’s, and nobody whom none of its sources names', async () => {
  const view = await find(keyB);
  expect(JSON.stringify(view)).not.toMatch(/src_a|seg_a|cmp_a|store-a|r-a|gold/);
  expect(view).toMatchObject({
    segments: [{ id: 'seg_b' }],
    purchases: [{ receipt: 'r-b' }],
    exposures: [{ campaign: 'cmp_b' }],
  });
  expect(view.identifiers.map(({ kind }) => kind)).not.toContain('ifa');
  const rows = (await api.call('GET', `/v1/profiles/${view.id}/export`, undefined, { key: keyB })).body;
  expect(rows).toContain('r-b');
  expect(rows).not.toMatch(/src_a|seg_a|cmp_a|store-a|"r-a"|gold/);
  const { key } = await api.ok<{ key: string }>('POST', '/v1/api-keys', {
    name: 'c',
    advertiser: 'adv_c',
    scopes: ['profiles:read'],
  });
  expect((await api.call('GET', `/v1/profiles/${view.id}`, undefined, { key })).statusCode).toBe(404);
  expect((await api.call('POST', '/v1/profiles:find', { identifier: ann }, { key })).statusCode).toBe(404);
});

test('an export has every row of the person, one a line', async () => {
  const { id } = await find();
  const answer = await api.call('GET', `/v1/profiles/${id}/export`);
  expect(answer.headers['content-type']).toContain('application/x-ndjson');
  const rows = answer.body
    .trimEnd()
    .split('\n')
    .map((line) => JSON.parse(line) as { table: string });
  const counts: Record<string, number> = {};
  for (const { table } of rows) counts[table] = (counts[table] ?? 0) + 1;
  expect(counts).toMatchObject({ purchases: 2, attributes: 1, consents: 1, ad_events: 2, memberships: 2 });
});

test('each look is in the audit log, without an identifier', async () => {
  const { id } = await find(keyA);
  await api.ok('GET', `/v1/profiles/${id}`, undefined, { key: keyA });
  const { data } = await api.ok<{ data: { action: string; id: string }[] }>('GET', '/v1/audit-log?kind=profiles', undefined, {
    key: keyA,
  });
  expect(data.map(({ action, id: at }) => `${action} ${at}`).sort()).toEqual([`findProfile ${id}`, `getProfile ${id}`]);
});

test('a rule is told as a sentence', () => {
  expect(
    sentenceOf({
      all: [
        { purchases: { sum: { min: 20_000_000, max: 50_000_000 }, departments: ['GROCERY', 'WINE'], window: { days: 90 } } },
        { not: { any: [{ visits: { storeGroups: ['north'] } }, { attribute: { name: 'tier', in: ['gold'] } }] } },
        { segment: 'seg_1' },
      ],
    }),
  ).toBe(
    'People who bought something of department GROCERY or WINE, for at least 20 and at most 50, in the last 90 days and are not among those who (were at a store of group north or have the attribute tier: gold) and are in segment seg_1',
  );
});
