import fc from 'fast-check';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { restoreSpend } from '../../dmp/snapshot/spend.ts';
import { type Cell, chargesOf, dayFee, divide } from '../../dmp/sources/cost.ts';
import { bookFlatPrices } from '../../dmp/sources/flat-charges.ts';
import type { Price } from '../../dmp/sources/source.ts';
import { campaignBudgetKey, flatChargesKey, lineItemBudgetKey } from '../../proto/keys.ts';
import type { Snapshot } from '../../proto/snapshot.ts';
import { startApi, type TestApi } from '../support/api.ts';

const cell = (more: Partial<Cell>): Cell => ({
  advertiser: 'adv',
  campaign: 'cmp',
  lineItem: 'li',
  store: '',
  day: '2026-02-01',
  asked: true,
  impressions: 0,
  media: 0,
  sources: new Map(),
  ...more,
});
const sources = (price: Price): Map<string, Price> => new Map([['s', price]]);
const charged = (cells: Cell[], fee = 0) =>
  chargesOf(cells, new Map([['s', new Map([['2026-02-01', fee]])]])).map(({ micros }) => micros);

describe('a charge is a whole number of micros', () => {
  test('per thousand impressions, half a micro rounds up', () => {
    const price = { model: 'cpm', micros: 1_500_001 } as const;
    expect(charged([1, 3, 1000].map((impressions) => cell({ impressions, sources: sources(price) })))).toEqual([
      1500, 4500, 1_500_001,
    ]);
    expect(charged([cell({ impressions: 1, sources: sources({ model: 'cpm', micros: 1_500 }) })])).toEqual([2]);
  });

  test('as a share of media, also where the product is beyond 2^53', () => {
    expect(charged([cell({ media: 9_007_199_254_740_991, sources: sources({ model: 'share', percent: 12.34 }) })])).toEqual([
      1_111_488_388_035_038,
    ]);
    expect(charged([cell({ media: 333, sources: sources({ model: 'share', percent: 0.15 }) })])).toEqual([0]);
  });

  test('as a part of a flat price that leaves no rest, taking those not asked for into account', () => {
    const price = { model: 'flat', micros: 1 } as const;
    const cells = [3, 1, 1].map((impressions, n) =>
      cell({ impressions, lineItem: `li_${n}`, asked: n < 2, sources: sources(price) }),
    );
    expect(charged(cells, 1_001)).toEqual([601, 200]);
    expect(charged([cell({ impressions: 0, media: 5, sources: sources(price) })], 10)).toEqual([0]);
  });

  test('parts always add up to the amount, and no part is a whole micro off', () => {
    fc.assert(
      fc.property(fc.nat(), fc.array(fc.nat(1_000_000), { minLength: 1 }), (amount, weights) => {
        const total = weights.reduce((sum, weight) => sum + weight, 0);
        const parts = divide(amount, weights);
        expect(parts.reduce((sum, part) => sum + part, 0)).toBe(total === 0 ? 0 : amount);
        parts.forEach((part, n) => {
          if (total > 0) expect(Math.abs(part - (amount * (weights[n] as number)) / total)).toBeLessThan(1);
        });
      }),
    );
  });

  test('the days of a month add up to its price', () => {
    for (const [month, days] of [
      ['2026-02', 28],
      ['2028-02', 29],
      ['2026-12', 31],
    ] as const) {
      const fees = Array.from({ length: days }, (_, n) => dayFee(1_000_003, `${month}-${String(n + 1).padStart(2, '0')}`));
      expect(fees.reduce((sum, fee) => sum + fee, 0)).toBe(1_000_003);
    }
  });
});

describe('the report', () => {
  let api: TestApi;
  let keyA: string;
  let keyB: string;
  const START = Date.parse('2026-03-10T00:00:00Z');
  const HOUR = 3_600_000;

  /** As `deps.things` would have written it then. */
  async function revision(kind: string, id: string, number: number, at: number, body: object | null): Promise<void> {
    await api.deps.warehouse.insert('revisions', [
      {
        kind,
        id,
        revision: number,
        at: new Date(at).toISOString(),
        actor: 'test',
        deleted: body === null ? 1 : 0,
        body: body === null ? '' : JSON.stringify(body),
      },
    ]);
  }

  let bids = 0;
  async function impressions(
    lineItem: string,
    advertiser: string,
    count: number,
    at: number,
    cost: number,
    store = '',
  ): Promise<void> {
    const rows = Array.from({ length: count }, () => {
      const row = {
        bid: `b${bids++}`,
        bid_at: new Date(at).toISOString(),
        at: new Date(at + 1000).toISOString(),
        exchange: 'ex',
        advertiser,
        campaign: `cmp_${advertiser}`,
        line_item: lineItem,
        store,
        identifier: '00000000-0000-0000-0000-000000000000',
        anchor: '00000000-0000-0000-0000-000000000000',
        test: 0,
      };
      return [
        { ...row, type: 'impression', cost: 0 },
        { ...row, type: 'billing', cost },
      ];
    });
    await api.deps.warehouse.insert('ad_events', rows.flat());
  }

  interface Costs {
    rows: ({ source: string; lineItem: string; dataMicros: number; impressions: number; mediaMicros: number } & Record<
      string,
      unknown
    >)[];
    totals: { dataMicros: number };
    unallocated: { source: string; micros: number }[];
  }
  const costs = (query: string, key?: string) =>
    api.ok<Costs>('GET', `/v1/reports/data-costs?${query}`, undefined, key === undefined ? {} : { key });
  const shortly = async (query: string) =>
    (await costs(`groupBy=source,lineItem&${query}`)).rows.map((row) => [
      row.source,
      row.lineItem,
      row.impressions,
      row.dataMicros,
    ]);

  beforeAll(async () => {
    api = await startApi();
    const source = (id: string, price: object | null, advertisers: string[] | null = null, more = {}) => ({
      ...{ name: id, party: '3p', timeZone: 'UTC', currency: 'USD', price, advertisers, ...more },
    });
    const segment = (advertiser: string | null, rule: object, number: number) => ({ advertiser, name: 's', rule, number });
    const lineItem = (advertiser: string, segments: string[][]) => ({
      ...{ campaign: `cmp_${advertiser}`, name: 'l', status: 'active', budget: {}, bid: { maxCpmMicros: 1 }, caps: [] },
      ...{ creatives: [], targeting: segments.length === 0 ? {} : { segments } },
    });
    const before = START - 24 * HOUR;
    await revision('source', 'cpm', 1, before, source('cpm', { model: 'cpm', micros: 2_000_000 }));
    await revision('source', 'cpm', 2, START + 12 * HOUR, source('cpm', { model: 'cpm', micros: 4_000_000 }));
    await revision('source', 'flat', 1, before, source('flat', { model: 'flat', micros: 31_000 }, ['a', 'b']));
    await revision('source', 'share', 1, before, source('share', { model: 'share', percent: 10 }, ['a']));
    await revision('source', 'free', 1, before, source('free', null));
    const revoked = { revoked: { at: '', reason: '', actor: '', erase: false } };
    await revision('source', 'share', 2, START + 36 * HOUR, source('share', { model: 'share', percent: 10 }, ['a'], revoked));
    await revision('segment', 'seg_cpm', 1, before, segment(null, { purchases: { sources: ['cpm'] } }, 1));
    await revision('segment', 'seg_flat', 1, before, segment('a', { purchases: { sources: ['flat'] } }, 2));
    await revision('segment', 'seg_flat_b', 1, before, segment('b', { purchases: { sources: ['flat', 'share'] } }, 3));
    await revision(
      'segment',
      'seg_share',
      1,
      before,
      segment('a', { all: [{ purchases: { sources: ['share', 'free'] } }, { segment: 'seg_cpm' }] }, 4),
    );
    await revision('line-item', 'li_1', 1, before, lineItem('a', [['seg_cpm']]));
    await revision('line-item', 'li_1', 2, START + 36 * HOUR, lineItem('a', []));
    await revision('line-item', 'li_2', 1, before, lineItem('a', [['seg_flat'], ['seg_share']]));
    await revision('line-item', 'li_3', 1, before, lineItem('b', [['seg_flat_b']]));
    await revision('line-item', 'li_4', 1, before, lineItem('b', []));
    // Segments with prices of their own: one by the thousand that becomes dearer, one by the share, which the line item names in a rule.
    const sold = (price: object) => ({ ...segment(null, { attribute: { name: 'x', sources: ['free'] } }, 5), price });
    await revision('segment', 'seg_sold', 1, before, sold({ cpmMicros: 3_000_000 }));
    await revision('segment', 'seg_sold', 2, START + 252 * HOUR, sold({ cpmMicros: 5_000_000 }));
    await revision('segment', 'seg_part', 1, before, sold({ percent: 20 }));
    await revision('segment', 'seg_own', 1, before, segment('c', { segment: 'seg_sold' }, 7));
    const targeting = { segmentRule: { all: [{ segment: 'seg_own' }, { not: { segment: 'seg_part' } }] } };
    await revision('line-item', 'li_5', 1, before, { ...lineItem('c', []), targeting });
    // Known to the process through its own writes only: as another process that read them at its start.
    const { things } = api.deps;
    for (const id of ['a', 'b', 'c']) {
      await api.ok('POST', '/v1/advertisers', { id, name: id, domains: [`${id}.example`] });
      const flight = { start: '2026-03-01T00:00:00Z', end: '2026-05-01T00:00:00Z' };
      await things.put(
        'campaign',
        `cmp_${id}`,
        { advertiser: id, name: id, status: 'active', ...flight, budgetMicros: null, holdout: null } as never,
        { actor: 'test' },
      );
    }
    const issue = async (advertiser: string) =>
      (await api.ok<{ key: string }>('POST', '/v1/api-keys', { name: 'k', advertiser, role: 'analyst' })).key;
    [keyA, keyB] = [await issue('a'), await issue('b')];

    await impressions('li_1', 'a', 3, START + HOUR, 1_000, 'st_1');
    await impressions('li_1', 'a', 2, START + 13 * HOUR, 1_000, 'st_2');
    await impressions('li_1', 'a', 5, START + 37 * HOUR, 1_000);
    await impressions('li_2', 'a', 3, START + HOUR, 1_005);
    await impressions('li_2', 'a', 1, START + 37 * HOUR, 1_000);
    await impressions('li_3', 'b', 1, START + HOUR, 1_000);
    await impressions('li_4', 'b', 9, START + HOUR, 1_000);
    await impressions('li_5', 'c', 4, START + 241 * HOUR, 1_000);
    await impressions('li_5', 'c', 2, START + 253 * HOUR, 1_000);
  });
  afterAll(() => api.stop());

  test('charges each line item for the sources it stood on when it bid, at the prices of then', async () => {
    expect(await shortly('from=2026-03-10&to=2026-03-10')).toEqual([
      // 3 impressions at 2.00 and 2 at 4.00 CPM.
      ['cpm', 'li_1', 5, 6_000 + 8_000],
      ['cpm', 'li_2', 3, 6_000],
      // A day of March is 1000 micros: 3 of 4 impressions.
      ['flat', 'li_2', 3, 750],
      ['flat', 'li_3', 1, 250],
      ['share', 'li_2', 3, 302],
    ]);
    // The day after: li_1 targets nothing any more, the share source is revoked.
    expect(await shortly('from=2026-03-11&to=2026-03-11')).toEqual([
      ['cpm', 'li_2', 1, 4_000],
      ['flat', 'li_2', 1, 1_000],
    ]);
  });

  test('adds up however it is grouped and cut', async () => {
    const whole = await costs('from=2026-03-10&to=2026-03-11');
    expect(whole.totals.dataMicros).toBe(14_000 + 6_000 + 1_000 + 302 + 4_000 + 1_000);
    for (const groupBy of ['source', 'lineItem', 'advertiser,day', 'campaign,store', 'source,store,day,lineItem']) {
      const { rows } = await costs(`from=2026-03-10&to=2026-03-11&groupBy=${groupBy}`);
      expect(rows.reduce((sum, row) => sum + row.dataMicros, 0)).toBe(whole.totals.dataMicros);
    }
    const parts = await Promise.all(['a', 'b'].map((id) => costs(`from=2026-03-10&to=2026-03-11&advertiser=${id}`)));
    expect(parts.reduce((sum, part) => sum + part.totals.dataMicros, 0)).toBe(whole.totals.dataMicros);
  });

  test('tells the flat price of days on which nobody used the source', async () => {
    expect((await costs('from=2026-03-10&to=2026-03-13')).unallocated).toEqual([{ source: 'flat', micros: 2_000 }]);
    expect((await costs('from=2026-03-10&to=2026-03-13&advertiser=a')).unallocated).toEqual([]);
  });

  test('is part of the cost in the report of conversions', async () => {
    const { rows, totals } = await api.ok<{ rows: Record<string, unknown>[]; totals: Record<string, number> }>(
      'GET',
      '/v1/reports/conversions?campaign=cmp_a&from=2026-03-10&to=2026-03-10&groupBy=lineItem,store',
    );
    expect(rows.map((row) => [row['lineItem'], row['store'], row['spendMicros'], row['dataMicros'], row['costMicros']])).toEqual([
      ['li_1', 'st_1', 3_000, 6_000, 9_000],
      ['li_1', 'st_2', 2_000, 8_000, 10_000],
      ['li_2', '', 3_015, 7_052, 10_067],
    ]);
    expect(totals).toMatchObject({ spendMicros: 8_015, dataMicros: 21_052, costMicros: 29_067 });
  });

  test('charges segments by their own price, as it was when the bid was made', async () => {
    const query = 'from=2026-03-20&to=2026-03-20&advertiser=c';
    const { rows, totals } = await costs(`${query}&groupBy=segment,source,lineItem`);
    expect(rows.map((row) => [row['segment'], row.source, row.lineItem, row.impressions, row.dataMicros])).toEqual([
      ['seg_part', '', 'li_5', 6, 800 + 400],
      ['seg_sold', '', 'li_5', 6, 12_000 + 10_000],
    ]);
    expect(totals.dataMicros).toBe(23_200);
    expect((await costs(`${query}&segment=seg_part`)).totals.dataMicros).toBe(1_200);
    const report = await api.ok<{ totals: object }>(
      'GET',
      '/v1/reports/conversions?campaign=cmp_c&from=2026-03-20&to=2026-03-20&groupBy=lineItem',
    );
    expect(report.totals).toMatchObject({ spendMicros: 6_000, dataMicros: 23_200, costMicros: 29_200 });
  });

  test('shows a bound key its own costs only', async () => {
    expect((await costs('from=2026-03-10&to=2026-03-10&groupBy=lineItem', keyB)).rows).toMatchObject([
      { lineItem: 'li_3', dataMicros: 250 },
    ]);
    expect((await costs('from=2026-03-10&to=2026-03-10', keyA)).unallocated).toEqual([]);
    const call = (query: string) =>
      api.call('GET', `/v1/reports/data-costs?from=2026-03-10&to=2026-03-10&${query}`, undefined, { key: keyA });
    for (const query of ['campaign=cmp_b', 'advertiser=b']) expect((await call(query)).statusCode).toBe(404);
  });

  test('tells what is wrong with its question', async () => {
    const call = await api.call('GET', '/v1/reports/data-costs?from=x&to=2026-13-01&groupBy=colour');
    expect(call.json().errors.map((fault: { pointer: string }) => fault.pointer)).toEqual(['?from', '?to', '?groupBy']);
  });

  test('a flat price is charged to the budgets of those who stood on its source, once, and again where late impressions divide it anew', async () => {
    const { redis, warehouse } = api.deps;
    const deps = (hours: number) => ({ ...api.deps, now: () => START + hours * HOUR });
    const spent = (key: string) => redis.hget(key, 'spent');
    const li2 = lineItemBudgetKey('cmp_a', 'li_2');
    for (const key of [campaignBudgetKey('cmp_a'), li2]) await redis.hset(key, 'spent', 100);
    // The day that goes on is not charged yet.
    expect(await bookFlatPrices(deps(23))).toBe(0);
    expect(await bookFlatPrices(deps(49))).toBe(3);
    expect([await spent(campaignBudgetKey('cmp_a')), await spent(li2)]).toEqual(['1850', '1850']);
    // What Redis does not know comes from the warehouse.
    expect(await spent(campaignBudgetKey('cmp_b'))).toBeNull();
    expect(await bookFlatPrices(deps(50))).toBe(0);
    await impressions('li_3', 'b', 1, START + 2 * HOUR, 0);
    expect(await bookFlatPrices(deps(51))).toBe(2);
    expect([await spent(campaignBudgetKey('cmp_a')), await spent(li2)]).toEqual(['1700', '1700']);
    await redis.del(flatChargesKey('cmp_a'), campaignBudgetKey('cmp_a'), li2);
    const snapshot = { at: START, lineItems: [{ id: 'li_2', campaign: 'cmp_a' }] } as unknown as Snapshot;
    await restoreSpend(warehouse, redis, snapshot);
    expect(await spent(li2)).toBe(String(3 * 1_005 + 1_000 + 600 + 1_000));
    expect(await bookFlatPrices(deps(52))).toBe(0);
    // Cut off before it was written down, it books nothing twice.
    await impressions('li_3', 'b', 5, START + 3 * HOUR, 0);
    const broken = { ...warehouse, insert: async () => Promise.reject(new Error('away')) };
    await expect(bookFlatPrices({ ...deps(53), warehouse: broken })).rejects.toThrow('away');
    expect(await bookFlatPrices(deps(54))).toBe(2);
    expect(await spent(li2)).toBe(String(3 * 1_005 + 1_000 + 300 + 1_000));
  });
});
