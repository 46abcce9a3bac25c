import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { type Counts, LEAST_ROWS, PSI, psi } from '../../dmp/sources/drift.ts';
import { startApi, type TestApi } from '../support/api.ts';

const counts = (of: Record<string, number>): Counts => new Map(Object.entries(of));

describe('the stability index', () => {
  test('is nothing for the same shape, however many rows there are', () => {
    expect(psi(counts({ a: 200, b: 200 }), counts({ a: 10_000, b: 10_000 }))).toBeCloseTo(0, 6);
  });

  test('is that of the definition', () => {
    // (0.7 − 0.5) ln(0.7/0.5) + (0.3 − 0.5) ln(0.3/0.5), with half a row in each bucket.
    const [p, q] = [7_000.5 / 10_001, 0.5];
    const expected = (p - q) * Math.log(p / q) + (q - p) * Math.log((1 - p) / (1 - q));
    expect(psi(counts({ a: 7_000, b: 3_000 }), counts({ a: 5_000, b: 5_000 }))).toBeCloseTo(expected, 12);
  });

  test('is an alarm where half of the rows move to a bucket that was empty, and not where a few do', () => {
    expect(psi(counts({ a: 500, new: 500 }), counts({ a: 1_000 }))).toBeGreaterThan(PSI.alarm);
    expect(psi(counts({ a: 990, new: 10 }), counts({ a: 1_000 }))).toBeLessThan(PSI.watch);
  });

  test('is not told of too few rows', () => {
    expect(psi(counts({ a: LEAST_ROWS - 1 }), counts({ a: 1_000 }))).toBeNull();
    expect(psi(counts({ a: 1_000 }), counts({}))).toBeNull();
  });
});

describe('the report', () => {
  let api: TestApi;
  const DAY = 86_400_000;
  const today = Math.floor(Date.now() / DAY) * DAY;
  const dayOf = (ago: number) => new Date(today - ago * DAY).toISOString().slice(0, 10);

  interface Report {
    rows: (Record<string, unknown> & { source: string; day: string; drift: Record<string, number | null> })[];
    freshness: Record<string, unknown>[];
    alarms: { source: string; day: string | null; code: string; measure: string }[];
  }
  const report = (query: string, key?: string) =>
    api.ok<Report>('GET', `/v1/reports/quality?${query}`, undefined, key === undefined ? {} : { key });

  beforeAll(async () => {
    api = await startApi();
    for (const id of ['adv_a', 'adv_b'])
      await api.ok('POST', '/v1/advertisers', { id, name: id, domains: [`${id.at(-1)}.example`] });
  });
  afterAll(() => api.stop());

  const bought = (id: string, more: object = {}) => ({
    type: 'purchase',
    id,
    at: new Date(Date.now() - 60_000).toISOString(),
    identifiers: [{ kind: 'loyalty', value: id }],
    lines: [{ amountMicros: 1_000_000 }],
    ...more,
  });

  test('counts what came in: stored, repeated, late and refused by its reason', async () => {
    await api.ok('PUT', '/v1/sources/tills', { name: 'Tills', party: '1p', advertiser: 'adv_a', lateHours: 24 });
    const late = { at: new Date(Date.now() - 25 * 3_600_000).toISOString() };
    await api.ok('POST', '/v1/events?source=tills', [
      bought('1'),
      bought('2', { lines: [{ amountMicros: 1 }, { amountMicros: 2 }] }),
      bought('3', late),
      bought('4', { at: 'never' }),
      bought('5', { at: 'never' }),
      bought('6', { identifiers: [] }),
    ]);
    // The same event, and the same call.
    await api.ok('POST', '/v1/events?source=tills', [bought('1'), bought('7')]);
    await api.ok('POST', '/v1/events?source=tills', bought('8', { at: '2026-01-01T00:00:00Z' }));
    await api.ok('POST', '/v1/events?source=tills', bought('8', { at: '2026-01-01T00:00:00Z' }));
    const { rows } = await report(`source=tills&from=${dayOf(1)}&to=${dayOf(-1)}`);
    const total = (name: string) => rows.reduce((sum, row) => sum + Number(row[name]), 0);
    expect([total('received'), total('stored'), total('duplicates'), total('late'), total('rejected')]).toEqual([8, 6, 2, 2, 3]);
    expect(rows.at(-1)).toMatchObject({ rejectedBy: { bad_time: 2, no_identifier: 1 }, byKind: { purchase: 8 }, matchRate: 0 });
  });

  const history = async (source: string, ago: number, count: number, amount: number, identifier = 0): Promise<void> => {
    const ingested = new Date(today - ago * DAY + 3_600_000).toISOString();
    await api.deps.warehouse.insert(
      'purchases',
      Array.from({ length: count }, (_, n) => ({
        source,
        receipt: `${source}-${ago}-${n}`,
        line: '1',
        at: ingested,
        identifier: `00000000-0000-8000-8000-${String(identifier + n).padStart(12, '0')}`,
        amount,
        quantity: '1',
        ingested,
      })),
    );
  };
  const codes = (alarms: Report['alarms']) => alarms.map(({ day, code, measure }) => `${day} ${code} ${measure}`.trim());

  test('raises an alarm where amounts, volume or the match rate move against the four weeks before', async () => {
    await api.ok('PUT', '/v1/sources/shop', { name: 'Shop', party: '1p' });
    const people = Array.from({ length: 400 }, (_, n) => n);
    await api.deps.warehouse.insert(
      'identities',
      people.map((n) => {
        const identifier = `00000000-0000-8000-8000-${String(n).padStart(12, '0')}`;
        return { identifier, kind: n < 200 ? 'ifa' : 'loyalty', profile: n + 1, anchor: identifier, version: 1 };
      }),
    );
    for (let ago = 12; ago > 2; ago--) await history('shop', ago, 200, 1_000_000);
    await history('shop', 2, 200, 64_000_000, 200);
    await history('shop', 1, 450, 1_000_000);
    const { rows, alarms } = await report(`source=shop&from=${dayOf(3)}&to=${dayOf(1)}`);
    expect(rows.map(({ day, stored, matchRate, duplicates }) => [day, stored, matchRate, duplicates])).toEqual([
      [dayOf(3), 200, 1, null],
      [dayOf(2), 200, 0, null],
      [dayOf(1), 450, 200 / 450, null],
    ]);
    expect(rows[0]?.drift['purchase.amount']).toBeCloseTo(0, 3);
    expect(codes(alarms)).toEqual([
      `${dayOf(2)} match`,
      `${dayOf(2)} drift purchase.amount`,
      `${dayOf(1)} volume`,
      `${dayOf(1)} match`,
      // Back to what was usual, but the odd day is part of what it is compared with.
      `${dayOf(1)} drift purchase.amount`,
    ]);
  });

  test('raises an alarm where too many rows are refused, come again or come late, and none below', async () => {
    for (const id of ['noisy', 'quiet']) await api.ok('PUT', `/v1/sources/${id}`, { name: id, party: '1p', lateHours: 24 });
    const late = { at: new Date(Date.now() - 25 * 3_600_000).toISOString() };
    const rows = (source: string, refused: number, lateOnes: number) =>
      Array.from({ length: 150 }, (_, n) =>
        bought(`${source}-${n}`, n < lateOnes ? late : n >= 150 - refused ? { at: 'never' } : {}),
      );
    const send = (source: string, events: object[]) => api.ok('POST', `/v1/events?source=${source}`, events);
    // Of 150 rows: 10 and 5 refused, 40 and 20 late, 20 and 10 again.
    await send('noisy', rows('noisy', 10, 40));
    await send('noisy', rows('noisy', 0, 40).slice(0, 20));
    await send('quiet', rows('quiet', 5, 20));
    await send('quiet', rows('quiet', 0, 20).slice(0, 10));
    const alarmsOf = async (source: string) =>
      (await report(`source=${source}&from=${dayOf(1)}&to=${dayOf(-1)}`)).alarms.map(({ code }) => code).sort();
    expect(await alarmsOf('noisy')).toEqual(['duplicates', 'late', 'rejected']);
    expect(await alarmsOf('quiet')).toEqual([]);
  });

  test('says what is stale, what has no legal basis, and lists it with the alarms and the metric', async () => {
    await api.ok('PUT', '/v1/sources/bought', { name: 'Bought', party: '3p', refreshHours: 24 });
    await history('bought', 4, 1, 1);
    const { freshness } = await report('source=bought');
    expect(freshness).toMatchObject([{ source: 'bought', refreshHours: 24, stale: true }]);
    const { data } = await api.ok<{ data: Report['alarms'] }>('GET', '/v1/alarms');
    expect(codes(data.filter(({ source }) => source === 'bought'))).toEqual(['null stale', 'null no_legal_basis']);
    await api.ok('PATCH', '/v1/sources/bought', { legalBasis: 'contract', refreshHours: 240 }, { headers: { 'if-match': '*' } });
    const after = await api.ok<{ data: Report['alarms'] }>('GET', '/v1/alarms');
    expect(after.data.filter(({ source }) => source === 'bought')).toEqual([]);
  });

  test('shows a bound key the sources that its advertiser holds', async () => {
    const issue = async (advertiser: string) =>
      (await api.ok<{ key: string }>('POST', '/v1/api-keys', { name: 'k', advertiser, role: 'data_owner' })).key;
    const sources = async (key: string) => [
      ...new Set((await report(`from=${dayOf(5)}&to=${dayOf(-1)}`, key)).rows.map(({ source }) => source)),
    ];
    expect(await sources(await issue('adv_a'))).toEqual(['tills']);
    expect(await sources(await issue('adv_b'))).toEqual([]);
  });

  test('says how long rows are kept, and which are past their time', async () => {
    // 200 rows a day, 12 to 3 days ago at one o'clock.
    const past = 200 * (Date.now() - today > 3_600_000 ? 3 : 2);
    await api.ok('PATCH', '/v1/sources/shop', { retention: { purchase: 10 } }, { headers: { 'if-match': '*' } });
    const kept = await api.ok<{ past: number; rows: { source: string; past: number; days: number }[] }>(
      'GET',
      '/v1/reports/retention',
    );
    expect(kept.rows.find(({ source }) => source === 'shop')).toMatchObject({ days: 10, past });
    expect(kept.past).toBe(past);
    expect((await api.call('POST', '/v1/retention')).statusCode).toBe(202);
  });

  test('tells what is wrong with its question', async () => {
    const faults = async (query: string) => (await api.call('GET', `/v1/reports/quality?${query}`)).json().errors[0].code;
    expect(await faults('from=2026-02-30')).toBe('format');
    expect(await faults('from=2026-02-03&to=2026-02-01')).toBe('end_before_start');
    expect(await faults('from=2026-01-01&to=2026-12-01')).toBe('window_too_long');
  });
});
