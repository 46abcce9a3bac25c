import Fastify, { type FastifyInstance } from 'fastify';
import { pino } from 'pino';
import { afterAll, beforeAll, beforeEach, describe, expect, test } from 'vitest';
import type { Warehouse } from '../../dmp/clickhouse/warehouse.ts';
import { useProblems } from '../../dmp/http/errors.ts';
import type { Principal } from '../../dmp/keys/auth.ts';
import { registerReportsRoutes } from '../../dmp/reports/routes.ts';
import type { Things } from '../../dmp/things/things.ts';
import { startWarehouse } from '../support/warehouse.ts';
import {
  type AdFact,
  clearFacts,
  type Facts,
  insertFacts,
  type LineFact,
  NOBODY,
  uuid,
  type VisitFact,
} from './reports-facts.ts';
import { randomFrom } from './reports-random.ts';
import { type Question, referenceReport } from './reports-reference.ts';

const HOUR = 3_600_000;
const DAY = 24 * HOUR;
const START = Date.UTC(2026, 2, 2);
const STORES = ['st_1', 'st_2', 'st_3'];

let warehouse: Warehouse;
let stop: () => Promise<void>;
let app: FastifyInstance;
let principal: Principal;

const holdout = { percent: 20, salt: 'pepper' };
const campaign = (advertiser: string, split: typeof holdout | null) => ({
  advertiser,
  name: 'Spring',
  status: 'active',
  start: new Date(START).toISOString(),
  end: new Date(START + 30 * DAY).toISOString(),
  budgetMicros: null,
  holdout: split,
});
const THINGS = {
  campaign: { cmp: campaign('adv', holdout), plain: campaign('adv', null), other: campaign('adv_2', holdout) },
  store: Object.fromEntries([...STORES.map((id) => [id, { advertiser: 'adv' }]), ['st_x', { advertiser: 'adv_2' }]]),
  advertiser: { adv: { currency: 'USD' }, adv_2: { currency: 'USD' } },
} as unknown as Record<string, Record<string, unknown>>;
/** The things of a test: only reading is needed here. */
const things = {
  get: (kind: string, id: string) => (Object.hasOwn(THINGS[kind] ?? {}, id) ? { id, body: THINGS[kind]?.[id] } : undefined),
  list: (kind: string) => Object.entries(THINGS[kind] ?? {}).map(([id, body]) => ({ id, body })),
} as unknown as Things;

beforeAll(async () => {
  ({ warehouse, stop } = await startWarehouse());
  app = Fastify();
  app.decorateRequest('principal', undefined as never);
  app.addHook('onRequest', async (request) => {
    request.principal = principal;
  });
  useProblems(app, pino({ level: 'silent' }));
  registerReportsRoutes(app, { warehouse, things, now: () => START + 20 * DAY });
  await app.ready();
});
afterAll(async () => {
  await app.close();
  await stop();
});
beforeEach(async () => {
  principal = { id: 'key', advertiser: null, scopes: ['reports:read'] };
  await clearFacts(warehouse);
});

const ad = (fact: Partial<AdFact> & Pick<AdFact, 'type' | 'bid'>): AdFact => {
  const at = fact.at ?? START;
  const identifier = fact.identifier ?? uuid(1);
  return {
    bidAt: at,
    at,
    lineItem: 'li_1',
    store: 'st_1',
    identifier,
    anchor: fact.anchor ?? identifier,
    cost: 0,
    campaign: 'cmp',
    test: false,
    ...fact,
  };
};
const visit = (fact: Partial<VisitFact>): VisitFact => ({
  identifier: uuid(1),
  store: 'st_1',
  start: START + DAY,
  cancelled: false,
  ...fact,
});
const line = (fact: Partial<LineFact> & Pick<LineFact, 'receipt'>): LineFact => ({
  line: '1',
  at: START + DAY,
  identifier: uuid(1),
  store: 'st_1',
  amount: 1_000_000,
  currency: 'USD',
  ...fact,
});

interface Answer {
  rows: Record<string, unknown>[];
  totals: Record<string, number>;
  lift: {
    status: string;
    reason: { code: string } | null;
    arms: unknown;
    srm: { pValue: number };
    visitors: Record<string, { point: number; lo: number; hi: number }> | null;
    revenue: { status: string; perPersonMicros: { point: number } };
    perExposed: { effect: { point: number }; contact: { point: number } };
    costPerIncrementalVisitor: { point: number } | null;
    warnings: string[];
    sentence: string;
  };
  window: unknown;
  asOf: string;
  definitions: Record<string, string>;
}

async function report(query: Record<string, string | number> = {}): Promise<Answer> {
  const answer = await app.inject({ url: '/v1/reports/conversions', query: { campaign: 'cmp', ...query } as never });
  expect(answer.statusCode, answer.body).toBe(200);
  return answer.json() as Answer;
}

const write = (facts: Partial<Facts>) => insertFacts(warehouse, { ads: [], visits: [], lines: [], identities: [], ...facts });

describe('attribution', () => {
  test('a report of nothing is a report of zeros', async () => {
    const { rows, totals, lift } = await report();
    expect(rows).toEqual([]);
    expect(totals).toEqual({
      bids: 0,
      wins: 0,
      exposures: 0,
      exposedPeople: 0,
      clicks: 0,
      visits: 0,
      visitors: 0,
      purchases: 0,
      revenueMicros: 0,
      spendMicros: 0,
      viewers: 0,
      dataMicros: 0,
      costMicros: 0,
    });
    expect(lift).toMatchObject({ status: 'not_enough_data', reason: { code: 'too_few_outcomes' }, visitors: null });
  });

  test('a play of a screen is one impression, and as many viewers as saw it', async () => {
    await write({
      ads: [
        ad({ type: 'impression', bid: 'b1', exposures: 12.5 }),
        ad({ type: 'billing', bid: 'b1', cost: 40, exposures: 12.5 }),
        ad({ type: 'impression', bid: 'b2' }),
      ],
    });
    expect((await report()).totals).toMatchObject({ exposures: 2, viewers: 13.5, spendMicros: 40 });
  });

  test('an impression, a visit and a purchase after it are one of each, in their day, store and line item', async () => {
    await write({
      ads: [
        ad({ type: 'bid', bid: 'b1' }),
        ad({ type: 'impression', bid: 'b1', at: START + HOUR, bidAt: START }),
        ad({ type: 'billing', bid: 'b1', at: START + HOUR, bidAt: START, cost: 4_000 }),
      ],
      visits: [visit({ store: 'st_2' })],
      lines: [
        line({ receipt: 'r1', store: 'st_2', amount: 5_000_000 }),
        line({ receipt: 'r1', line: '2', store: 'st_2', amount: 2_500_000 }),
      ],
    });
    const { rows, totals } = await report({ groupBy: 'campaign,lineItem,store,day' });
    const zero = {
      bids: 0,
      wins: 0,
      exposures: 0,
      exposedPeople: 0,
      clicks: 0,
      visits: 0,
      visitors: 0,
      purchases: 0,
      revenueMicros: 0,
      spendMicros: 0,
      viewers: 0,
      dataMicros: 0,
      costMicros: 0,
    };
    expect(rows).toEqual([
      {
        campaign: 'cmp',
        lineItem: 'li_1',
        store: 'st_1',
        day: '2026-03-02',
        ...zero,
        bids: 1,
        exposures: 1,
        exposedPeople: 1,
        spendMicros: 4000,
        viewers: 1,
        dataMicros: 0,
        costMicros: 4000,
      },
      {
        campaign: 'cmp',
        lineItem: 'li_1',
        store: 'st_2',
        day: '2026-03-03',
        ...zero,
        visits: 1,
        visitors: 1,
        purchases: 1,
        revenueMicros: 7_500_000,
      },
    ]);
    expect(totals).toEqual({
      ...zero,
      bids: 1,
      exposures: 1,
      exposedPeople: 1,
      visits: 1,
      visitors: 1,
      purchases: 1,
      revenueMicros: 7_500_000,
      spendMicros: 4000,
      viewers: 1,
      dataMicros: 0,
      costMicros: 4000,
    });
  });

  test('a click wins over a later impression', async () => {
    await write({
      ads: [
        ad({ type: 'click', bid: 'b1', lineItem: 'li_click' }),
        ad({ type: 'impression', bid: 'b2', at: START + HOUR, lineItem: 'li_view' }),
      ],
      visits: [visit({})],
    });
    const { rows } = await report({ groupBy: 'lineItem' });
    expect(rows.find((row) => row['lineItem'] === 'li_click')).toMatchObject({ visits: 1, clicks: 1 });
    expect(rows.find((row) => row['lineItem'] === 'li_view')).toMatchObject({ visits: 0, exposures: 1 });
  });

  test('each window ends on its millisecond', async () => {
    await write({
      ads: [
        ad({ type: 'click', bid: 'b1', identifier: uuid(1) }),
        ad({ type: 'impression', bid: 'b2', identifier: uuid(2) }),
        ad({ type: 'click', bid: 'b3', identifier: uuid(3), at: START - 1 }),
        ad({ type: 'impression', bid: 'b4', identifier: uuid(4), at: START + 3 * DAY - 1 }),
      ],
      visits: [1, 2, 3, 4].map((n) => visit({ identifier: uuid(n), start: START + 5 * DAY })),
    });
    expect((await report({ clickDays: 5, viewDays: 5 })).totals['visits']).toBe(3);
    expect((await report({ clickDays: 5, viewDays: 2 })).totals['visits']).toBe(1);
    expect((await report({ clickDays: 0, viewDays: 0 })).totals['visits']).toBe(0);
    expect((await report({ clickDays: 6, viewDays: 0 })).totals['visits']).toBe(2);
  });

  test('a touch after the start of the visit never counts, one at the same moment does', async () => {
    await write({
      ads: [
        ad({ type: 'impression', bid: 'b1', at: START + DAY + 1 }),
        ad({ type: 'impression', bid: 'b2', at: START + DAY, identifier: uuid(2) }),
      ],
      visits: [visit({}), visit({ identifier: uuid(2) })],
      lines: [line({ receipt: 'r1' })],
    });
    expect((await report()).totals).toMatchObject({ visits: 1, visitors: 1, purchases: 0 });
  });

  test('an impression before the window credits a visit inside it', async () => {
    await write({ ads: [ad({ type: 'impression', bid: 'b1' })], visits: [visit({ start: START + 3 * DAY })] });
    const { totals } = await report({ from: '2026-03-04', to: '2026-03-05' });
    expect(totals).toMatchObject({ exposures: 0, visits: 1 });
    expect((await report({ from: '2026-03-04', to: '2026-03-04' })).totals['visits']).toBe(0);
  });

  test('two devices of one person at a store on a day are one visit, and its person is exposed on either', async () => {
    await write({
      identities: [1, 2, 3].map((n) => ({ identifier: uuid(n), profile: 7 })),
      ads: [
        ad({ type: 'impression', bid: 'b1', identifier: uuid(1) }),
        ad({ type: 'impression', bid: 'b2', identifier: uuid(2), anchor: uuid(1) }),
      ],
      visits: [visit({ identifier: uuid(2) }), visit({ identifier: uuid(1), start: START + DAY + HOUR })],
      lines: [line({ receipt: 'r1', identifier: uuid(3) })],
    });
    expect((await report()).totals).toMatchObject({ exposures: 2, exposedPeople: 1, visits: 1, visitors: 1, purchases: 1 });
  });

  test('a device that became known later is one person with its past', async () => {
    await write({
      identities: [{ identifier: uuid(1), profile: 0 }],
      ads: [
        ad({ type: 'impression', bid: 'b1', identifier: uuid(9), anchor: uuid(1) }),
        ad({ type: 'impression', bid: 'b2', identifier: uuid(1), anchor: uuid(1) }),
        ad({ type: 'impression', bid: 'b3', identifier: NOBODY, anchor: NOBODY }),
      ],
      visits: [visit({})],
    });
    expect((await report()).totals).toMatchObject({ exposures: 3, exposedPeople: 1, visits: 1 });
  });

  test('tests, cancelled visits, other advertisers’ stores, other campaigns and repeated inserts do not count', async () => {
    const impression = ad({ type: 'impression', bid: 'b1', cost: 100 });
    const facts = {
      ads: [
        impression,
        ad({ type: 'impression', bid: 'b2', test: true }),
        ad({ type: 'impression', bid: 'b3', campaign: 'other' }),
      ],
      visits: [visit({ store: 'st_x' }), visit({ store: 'st_2' }), visit({})],
      lines: [line({ receipt: 'r1', store: 'st_x' }), line({ receipt: 'r2' })],
    };
    await write(facts);
    await write(facts);
    await write({ visits: [visit({ store: 'st_2', cancelled: true })] });
    expect((await report()).totals).toMatchObject({
      exposures: 1,
      spendMicros: 100,
      dataMicros: 0,
      costMicros: 100,
      visits: 1,
      purchases: 1,
      revenueMicros: 1_000_000,
    });
  });

  test('a refund subtracts and is no purchase; another currency is a purchase without revenue', async () => {
    await write({
      ads: [ad({ type: 'impression', bid: 'b1' })],
      lines: [
        line({ receipt: 'r1', amount: 5_000_000 }),
        line({ receipt: 'r2', amount: -2_000_000 }),
        line({ receipt: 'r3', amount: 900_000_000, currency: 'RUB' }),
      ],
    });
    expect((await report()).totals).toMatchObject({ purchases: 2, revenueMicros: 3_000_000 });
  });
});

describe('random facts', () => {
  test.each([1, 2, 3, 4])('seed %i: every row, total and arm is that of the slow reference', async (seed) => {
    const facts = randomFacts(seed);
    await insertFacts(warehouse, facts);
    const questions: Question['groupBy'][] = [
      ['campaign'],
      ['lineItem', 'store'],
      ['campaign', 'lineItem', 'store', 'day'],
      ['day'],
    ];
    for (const [index, groupBy] of questions.entries()) {
      const from = START + index * DAY;
      const to = START + (9 + index) * DAY;
      const windows = { clickDays: 1 + index * 3, viewDays: 3 - Math.min(index, 2) };
      const expected = referenceReport(facts, { campaign: 'cmp', from, to, ...windows, groupBy, stores: STORES });
      const asked = { from: new Date(from).toISOString(), to: new Date(to).toISOString(), ...windows, groupBy: groupBy.join() };
      const answer = await report(asked);
      expect(answer.totals).toEqual(expected.totals);
      expect(sorted(answer.rows)).toEqual(sorted(expected.rows));
      expect(answer.lift.arms).toEqual(expected.arms);
    }
  });

  const sorted = (rows: readonly Record<string, unknown>[]) =>
    rows.map((row) => JSON.stringify(Object.entries(row).sort(([a], [b]) => (a < b ? -1 : 1)))).sort();

  /** 40 devices of 25 people, some of them never resolved; everything within twelve days, on few distinct moments. */
  function randomFacts(seed: number): Facts {
    const random = randomFrom(seed);
    const int = (n: number) => Math.floor(random() * n);
    const device = () => uuid(1 + int(40));
    const moment = () => START + int(12 * 8) * 3 * HOUR;
    const identities = Array.from({ length: 30 }, (_, n) => ({ identifier: uuid(n + 1), profile: int(25) }));
    const ads: AdFact[] = [];
    for (let n = 0; n < 400; n++) {
      const identifier = random() < 0.05 ? NOBODY : device();
      const bidAt = moment();
      const base = {
        bid: `b${n}`,
        bidAt,
        identifier,
        anchor: identifier === NOBODY ? NOBODY : random() < 0.8 ? identifier : device(),
        lineItem: `li_${int(3)}`,
        store: random() < 0.1 ? '' : (STORES[int(3)] as string),
        campaign: random() < 0.85 ? 'cmp' : 'other',
        test: random() < 0.05,
      };
      if (random() < 0.2) ads.push(ad({ ...base, type: 'ghost', at: bidAt }));
      else if (random() < 0.1) ads.push(ad({ ...base, type: 'unsent', at: bidAt }));
      else {
        if (random() < 0.8) ads.push(ad({ ...base, type: 'bid', at: bidAt }));
        if (random() < 0.6) ads.push(ad({ ...base, type: 'impression', at: bidAt + int(3) * HOUR }));
        if (random() < 0.6) ads.push(ad({ ...base, type: 'billing', at: bidAt + int(3) * HOUR, cost: int(9000) }));
        if (random() < 0.2) ads.push(ad({ ...base, type: 'click', at: bidAt + int(5) * HOUR }));
        if (random() < 0.1) ads.push(ad({ ...base, type: 'loss', at: bidAt + HOUR }));
      }
    }
    const places = [...STORES, 'st_x'];
    const seen = new Set<string>();
    const visits: VisitFact[] = [];
    for (let n = 0; n < 300; n++) {
      const one = visit({ identifier: device(), store: places[int(4)] as string, start: moment(), cancelled: random() < 0.1 });
      const key = `${one.identifier} ${one.store} ${new Date(one.start).toISOString().slice(0, 10)}`;
      if (!seen.has(key)) visits.push(one);
      seen.add(key);
    }
    const lines: LineFact[] = [];
    for (let n = 0; n < 200; n++) {
      const base = { receipt: `r${n}`, at: moment(), identifier: device(), store: places[int(4)] as string };
      for (let k = 0; k <= int(3); k++) {
        const currency = random() < 0.1 ? 'RUB' : 'USD';
        lines.push(line({ ...base, line: String(k), amount: (int(40) - 6) * 250_000, currency }));
      }
    }
    return { ads, visits, lines, identities };
  }
});

describe('lift', () => {
  /** `visitors` of `people` in an arm come; of the treated every second is exposed. */
  function arm(
    control: boolean,
    people: number,
    visitors: number,
    offset: number,
  ): Partial<Facts> & { ads: AdFact[]; visits: VisitFact[]; lines: LineFact[] } {
    const ads: AdFact[] = [];
    const visits: VisitFact[] = [];
    const lines: LineFact[] = [];
    for (let n = 0; n < people; n++) {
      const identifier = uuid(offset + n);
      ads.push(ad({ type: control ? 'ghost' : 'bid', bid: `b${offset + n}`, identifier }));
      if (!control && n % 2 === 0) ads.push(ad({ type: 'impression', bid: `b${offset + n}`, identifier, cost: 1_000 }));
      if (n < visitors) {
        visits.push(visit({ identifier }));
        lines.push(line({ receipt: `r${offset + n}`, identifier, amount: 10_000_000 + (n % 7) * 1_000_000 }));
      }
    }
    return { ads, visits, lines };
  }
  const two = async (treated: [number, number], control: [number, number]) => {
    await write(arm(false, ...treated, 1));
    await write(arm(true, ...control, 100_000));
  };

  test('gives difference, relative lift, people, cost and the effect per exposed person from one inference', async () => {
    await two([800, 200], [200, 30]);
    const { lift, totals } = await report();
    expect(lift).toMatchObject({ status: 'ok', reason: null, warnings: [] });
    expect(lift.arms).toMatchObject({
      treated: { people: 800, exposed: 400, visitors: 200 },
      control: { people: 200, exposed: 0, visitors: 30 },
    });
    expect(lift.srm).toEqual({ expectedShare: 0.2, observedShare: 0.2, pValue: 1 });
    const { difference, relative, incremental } = lift.visitors as NonNullable<Answer['lift']['visitors']>;
    const half = 1.959963984540054 * Math.sqrt((0.25 * 0.75) / 800 + (0.15 * 0.85) / 200);
    expect(difference?.point).toBeCloseTo(0.1, 12);
    expect(difference?.lo).toBeCloseTo(0.1 - half, 9);
    expect(difference?.hi).toBeCloseTo(0.1 + half, 9);
    expect(relative?.point).toBeCloseTo(2 / 3, 12);
    expect(incremental?.point).toBeCloseTo(80, 9);
    expect(lift.perExposed.contact.point).toBeCloseTo(0.5, 12);
    expect(lift.perExposed.effect.point).toBeCloseTo(0.2, 12);
    expect(totals['spendMicros']).toBe(400_000);
    expect(lift.costPerIncrementalVisitor?.point).toBeCloseTo(5_000, 6);
    expect(lift.revenue.status).toBe('ok');
    const mean = (n: number, of: number) => Array.from({ length: n }, (_, i) => 10 + (i % 7)).reduce((a, b) => a + b, 0) / of;
    expect(lift.revenue.perPersonMicros.point / 1e6).toBeCloseTo(mean(200, 800) - mean(30, 200), 9);
    expect(lift.sentence).toContain('80 more visitors');
  });

  test('whom a bid that did not leave was decided for is of the treated, and no bid is counted', async () => {
    await two([700, 190], [200, 30]);
    const unsent = Array.from({ length: 100 }, (_, n) => uuid(50_000 + n));
    await write({
      ads: unsent.map((identifier) => ad({ type: 'unsent', bid: `u${identifier}`, identifier })),
      visits: unsent.slice(0, 10).map((identifier) => visit({ identifier })),
    });
    const { lift, totals } = await report();
    expect(lift.arms).toMatchObject({ treated: { people: 800, exposed: 350, visitors: 200 }, control: { people: 200 } });
    expect(lift).toMatchObject({ status: 'ok', srm: { observedShare: 0.2, pValue: 1 } });
    expect(totals['bids']).toBe(700);
  });

  test('arms that do not fit the holdout are invalid, and no lift is shown', async () => {
    await two([900, 200], [100, 30]);
    const { lift } = await report();
    expect(lift).toMatchObject({
      status: 'invalid',
      reason: { code: 'sample_ratio_mismatch' },
      visitors: null,
      revenue: { status: 'invalid' },
    });
    expect(lift.srm.pValue).toBeLessThan(0.001);
    expect(lift.costPerIncrementalVisitor).toBeNull();
  });

  test('fewer than twenty visitors in an arm are not enough', async () => {
    await two([400, 100], [100, 19]);
    expect((await report()).lift).toMatchObject({
      status: 'not_enough_data',
      reason: { code: 'too_few_outcomes' },
      visitors: null,
    });
  });

  test('no effect is never said: what could have been detected is', async () => {
    await two([800, 200], [200, 50]);
    const { lift } = await report();
    expect(lift.sentence).toMatch(/^No effect found; the test could detect \d/);
    expect(lift.costPerIncrementalVisitor).toBeNull();
  });

  test('a campaign without a holdout has no lift', async () => {
    const answer = await app.inject({ url: '/v1/reports/conversions?campaign=plain' });
    expect(answer.json()).toMatchObject({ lift: { status: 'not_enough_data', reason: { code: 'no_holdout' } } });
  });

  test('a visit before the first decision is no outcome, and a person of both arms counts in the first', async () => {
    await write({
      ads: [
        ad({ type: 'ghost', bid: 'b1', at: START + DAY }),
        ad({ type: 'bid', bid: 'b2', at: START + 2 * DAY }),
        ad({ type: 'win', bid: 'b3', at: START + DAY + HOUR, bidAt: START + DAY, identifier: uuid(2) }),
      ],
      visits: [visit({ start: START + HOUR }), visit({ identifier: uuid(2), start: START + DAY + 1 })],
    });
    const { lift } = await report();
    expect(lift.arms).toMatchObject({ treated: { people: 1, visitors: 1 }, control: { people: 1, visitors: 0 } });
    expect(lift.warnings.join()).toContain('1 people have decisions of both arms');
  });

  test('a holdout that changed its salt on the way makes the lift invalid; one that was changed before does not', async () => {
    await two([800, 200], [200, 30]);
    const revision = (n: number, at: number, salt: string) => ({
      kind: 'campaign',
      id: 'cmp',
      revision: n,
      at: new Date(at).toISOString(),
      actor: 'key',
      deleted: 0,
      body: JSON.stringify(campaign('adv', { percent: 20, salt })),
    });
    await warehouse.insert('revisions', [revision(1, START - 2 * DAY, 'a'), revision(2, START - DAY, 'pepper')]);
    expect((await report()).lift.status).toBe('ok');
    await warehouse.insert('revisions', [revision(3, START + DAY, 'new')]);
    expect((await report()).lift).toMatchObject({ status: 'invalid', reason: { code: 'holdout_changed' } });
  });
});

describe('the door', () => {
  const faults = async (query: string) => {
    const answer = await app.inject({ url: `/v1/reports/conversions?${query}` });
    expect(answer.statusCode).toBe(422);
    return (answer.json() as { errors: { pointer: string; code: string }[] }).errors.map(
      ({ pointer, code }) => `${pointer} ${code}`,
    );
  };
  test('names every fault at once', async () => {
    expect(await faults('from=x&to=2026-02-30&clickDays=-1&viewDays=1.5&groupBy=day,day,shop&colour=red')).toEqual([
      '?colour unknown_property',
      '?campaign required',
      '?groupBy duplicate',
      '?groupBy enum',
      '?from format',
      '?to format',
      '?clickDays minimum',
      '?viewDays type',
    ]);
    expect(await faults('campaign=cmp&clickDays=91&viewDays=1e3')).toEqual(['?clickDays maximum', '?viewDays type']);
    expect(await faults('campaign=cmp&campaign=other&groupBy=')).toEqual(['?campaign type']);
    expect(await faults('campaign=cmp&from=2026-03-05&to=2026-03-04')).toEqual(['?to end_before_start']);
    expect(await faults('campaign=cmp&from=2024-03-05&to=2026-03-04')).toEqual(['?to window_too_long']);
  });
  test('knows no campaign of others, nor one that is not there', async () => {
    for (const [advertiser, id] of [
      [null, 'nope'],
      ['adv', 'other'],
      ['adv_2', 'cmp'],
      [null, '__proto__'],
    ] as const) {
      principal = { id: 'key', advertiser, scopes: ['reports:read'] };
      const answer = await app.inject({ url: '/v1/reports/conversions', query: { campaign: id } });
      expect([answer.statusCode, answer.json()]).toMatchObject([404, { code: 'not_found' }]);
    }
    principal = { id: 'key', advertiser: 'adv', scopes: [] };
    expect((await app.inject({ url: '/v1/reports/conversions?campaign=cmp' })).statusCode).toBe(403);
  });
  test('what is asked is bound, never part of the statement', async () => {
    const answer = await app.inject({ url: '/v1/reports/conversions', query: { campaign: "cmp' OR 1=1 --" } });
    expect(answer.statusCode).toBe(404);
    expect(await faults(`campaign=cmp&groupBy=${encodeURIComponent('day) FROM facts; DROP TABLE visits')}`)).toEqual([
      '?groupBy enum',
    ]);
  });
  test('says as of when, for which window, and what the columns mean', async () => {
    const answer = await report({ from: '2026-03-02', to: '2026-03-03T12:00:00+03:00' });
    expect(answer.asOf).toBe(new Date(START + 20 * DAY).toISOString());
    expect(answer.window).toEqual({
      from: '2026-03-02T00:00:00.000Z',
      to: '2026-03-03T09:00:00.000Z',
      clickDays: 30,
      viewDays: 14,
      interim: false,
    });
    expect(Object.keys(answer.definitions)).toEqual(
      expect.arrayContaining(['attribution', 'store', 'day', 'lift', ...Object.keys(answer.totals)]),
    );
  });
  test('leaves out visits and receipts of who withdrew measurement, to this advertiser or to all, and visits of who withdrew their location', async () => {
    await write({ ads: [ad({ type: 'impression', bid: 'b1', cost: 7 })], visits: [visit({})] });
    const url = '/v1/reports/conversions?campaign=cmp';
    const visits = async () => (await app.inject({ url })).json().totals.visits as number;
    const [row] = await warehouse.query<{ identifier: string }>({ sql: 'SELECT identifier FROM visits' });
    const say = async (advertiser: string, granted: 0 | 1, at: string, purpose = 'measurement') => {
      await warehouse.insert('consents', [
        {
          identifier: row?.identifier,
          purpose,
          advertiser,
          granted,
          at,
          expires: '2299-01-01T00:00:00Z',
          recorded: at,
        },
      ]);
    };
    await warehouse.insert('identities', [
      { identifier: row?.identifier, kind: 'ifa', profile: 77, anchor: row?.identifier, version: 1 },
    ]);
    const before = await visits();
    await say('other', 0, '2026-01-01T00:00:00Z');
    expect([before, await visits()]).toEqual([1, 1]);
    await say('adv', 0, '2026-01-02T00:00:00Z');
    expect(await visits()).toBe(0);
    await say('', 1, '2026-01-03T00:00:00Z');
    expect(await visits()).toBe(1);
    // Where somebody was is not measured either when they do not let their place be used; what they bought is.
    await say('', 0, '2026-01-04T00:00:00Z', 'location');
    expect(await visits()).toBe(0);
    await write({ ads: [], visits: [], lines: [line({ receipt: 'r' })] });
    const purchases = async () => (await app.inject({ url })).json().totals.purchases as number;
    expect(await purchases()).toBe(1);
    await say('', 0, '2026-01-05T00:00:00Z');
    expect(await purchases()).toBe(0);
    await warehouse.command({ sql: 'TRUNCATE TABLE consents' });
    await warehouse.command({ sql: 'TRUNCATE TABLE identities' });
  });
  test('gives a table as CSV to who asks for one', async () => {
    await write({ ads: [ad({ type: 'impression', bid: 'b1', cost: 7 })], visits: [visit({})] });
    const url = '/v1/reports/conversions?campaign=cmp&groupBy=day,store';
    const answer = await app.inject({ url, headers: { accept: 'text/csv' } });
    expect(answer.headers['content-type']).toBe('text/csv; charset=utf-8');
    expect(answer.body.split('\r\n')).toEqual([
      'day,store,bids,wins,exposures,exposedPeople,clicks,visits,visitors,purchases,revenueMicros,spendMicros,viewers,dataMicros,costMicros',
      '2026-03-02,st_1,0,0,1,1,0,0,0,0,0,7,1,0,7',
      '2026-03-03,st_1,0,0,0,0,0,1,1,0,0,0,0,0,0',
      'total,,0,0,1,1,0,1,1,0,0,7,1,0,7',
      '',
    ]);
    const json = await app.inject({ url, headers: { accept: 'application/json, text/csv' } });
    expect(json.headers['content-type']).toContain('application/json');
  });
});
