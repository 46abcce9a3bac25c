import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import type { CurvePoint, LookalikeFit } from '../../dmp/segments/lookalike.ts';
import { dueLookalikes, fitLookalike } from '../../dmp/segments/lookalike-fit.ts';
import { startSegmenter } from '../../segmenter/schedule.ts';
import { startApi, type TestApi } from '../support/api.ts';
import { type FactRow, people, putFacts, putMembers } from './segments-facts.ts';
import { pick, seeded } from './segments-world.ts';

/**
 * A world with a known cause: some people are gardeners, whom nothing names. They buy more in some categories, at one store, and are of one
 * band more often. The seed are gardeners, so the others of them are who should be found.
 */
const PEOPLE = 4_000;
const everybody = Array.from({ length: PEOPLE }, (_, n) => n + 1);
const random = seeded(21);
const householdOf = (one: number): number => Math.floor((one - 1) / 2) * 2 + 1;
const gardeners = new Set(everybody.filter(() => random() < 0.15));
const seed = [...gardeners].filter(() => random() < 0.5);
const strangers = everybody.filter(() => random() < 0.06);
const steps = { progress: async () => undefined, checkpoint: async () => undefined };

let api: TestApi;
let key: string;
beforeAll(async () => {
  api = await startApi();
  const { warehouse, now } = api.deps;
  const facts: FactRow[] = people(everybody, 'ifa', householdOf);
  for (const one of everybody) {
    const isGardener = gardeners.has(one);
    const row = { profile: one, household: householdOf(one), source: 'till', at: now() - Math.floor(random() * 90) * 86_400_000 };
    for (let n = 0; n < 6; n++) {
      const category =
        isGardener && random() < 0.3
          ? pick(random, ['SEEDS', 'SOIL', 'POTS'])
          : pick(random, ['MILK', 'BREAD', 'TEA', 'SOIL', 'FISH', 'SALT']);
      facts.push({
        ...row,
        kind: 'purchase',
        category,
        brand: pick(random, ['X', 'Y', 'Z']),
        hour: 12,
        place: pick(random, isGardener ? ['st_1', 'st_2'] : ['st_2', 'st_3']),
        amount: 1_000_000,
      });
    }
    facts.push({ ...row, kind: 'attribute', name: 'band', item: random() < (isGardener ? 0.7 : 0.4) ? 'high' : 'low' });
    // What only another advertiser may know gives it away.
    if (strangers.includes(one)) facts.push({ ...row, kind: 'purchase', source: 'secret', category: 'STRANGE' });
  }
  await putFacts(warehouse, facts);
  for (const letter of ['1', '2']) await api.ok('PUT', `/v1/advertisers/adv_${letter}`, { name: letter, domains: ['a.example'] });
  await api.ok('PUT', '/v1/sources/till', { name: 'till', party: '1p' });
  await api.ok('PUT', '/v1/sources/secret', { name: 'secret', party: '1p', advertisers: ['adv_2'] });
  const rule = { purchases: { categories: ['SALT'], count: { min: 99 } } };
  for (const id of ['gardeners', 'strangers', 'few', 'new']) await api.ok('PUT', `/v1/segments/seg_${id}`, { name: id, rule });
  await api.ok('PUT', '/v1/segments/seg_health', { name: 'people with diabetes', rule });
  await putMembers(warehouse, 'seg_gardeners', seed);
  await putMembers(warehouse, 'seg_strangers', strangers);
  await putMembers(warehouse, 'seg_few', seed.slice(0, 50));
  key = (
    await api.ok<{ key: string }>('POST', '/v1/api-keys', {
      name: 'one',
      advertiser: 'adv_1',
      scopes: ['segments:read', 'segments:write'],
    })
  ).key;
}, 60_000);
afterAll(() => api.stop());

const create = (id: string, body: object) => api.ok('PUT', `/v1/lookalikes/${id}`, { name: id, ...body });
const scoresOf = (model: string) =>
  api.deps.warehouse.query<{ profile: number; score: number }>({
    sql: 'SELECT profile, score FROM lookalike_scores FINAL WHERE model = {model:String} ORDER BY score DESC, profile',
    params: { model },
  });

describe('of a seed with something in common', () => {
  let fit: LookalikeFit;
  beforeAll(async () => {
    await create('lal_garden', { seed: 'seg_gardeners' });
    fit = await fitLookalike(api.deps, 'lal_garden', steps);
  }, 60_000);

  test('the model finds it: seeds that it has not seen are told from others, with an interval', async () => {
    expect(fit.auc?.value).toBeGreaterThan(0.8);
    expect(fit.auc?.lo).toBeGreaterThan(0.75);
    expect(fit.auc?.hi).toBeLessThan(0.99);
    expect((fit.auc?.hi as number) - (fit.auc?.lo as number)).toBeGreaterThan(0.01);
    expect(fit).toMatchObject({
      refused: null,
      seeds: seed.length,
      population: PEOPLE - seed.length,
      heldOut: { seeds: seed.length },
    });
    expect(fit.weights.slice(0, 5).map(({ feature }) => feature)).toContain('category SEEDS');
  });

  test('those who resemble the seed most are the others who were drawn alike, and no seed is among them', async () => {
    const scores = await scoresOf('lal_garden');
    expect(scores).toHaveLength(PEOPLE - seed.length);
    const members = new Set(seed);
    expect(scores.some(({ profile }) => members.has(profile))).toBe(false);
    const found = (n: number) => scores.slice(0, n).filter(({ profile }) => gardeners.has(profile)).length / n;
    expect(found(100)).toBeGreaterThan(0.5);
    expect(found(100)).toBeGreaterThan(3 * found(scores.length));
  });

  test('the curve goes from few and alike to everybody and no better than chance', () => {
    const { curve } = fit;
    expect(curve.length).toBeGreaterThanOrEqual(15);
    const [first, last] = [curve[0] as CurvePoint, curve.at(-1) as CurvePoint];
    expect(first.size).toBe(100);
    expect(first.lift.value).toBeGreaterThan(3);
    expect(first.lift.lo).toBeGreaterThan(2);
    expect(last).toMatchObject({ size: PEOPLE - seed.length, lift: { value: 1 }, recall: { value: 1 } });
    for (const [at, point] of curve.slice(1).entries()) {
      const before = curve[at] as CurvePoint;
      expect(point.size).toBeGreaterThan(before.size);
      expect(point.similarity).toBeLessThanOrEqual(before.similarity);
      expect(point.recall.value).toBeGreaterThanOrEqual(before.recall.value);
    }
  });

  test('the same facts give the same model, and a new fit takes the place of the old', async () => {
    const before = await scoresOf('lal_garden');
    // Within the same hour, by which it looks at what fades.
    const later = Math.min(fit.at + 5_000, fit.at - (fit.at % 3_600_000) + 3_599_999);
    const again = await fitLookalike({ ...api.deps, now: () => later }, 'lal_garden', steps);
    expect(again.auc).toEqual(fit.auc);
    expect(again.weights).toEqual(fit.weights);
    expect(await scoresOf('lal_garden')).toEqual(before);
    const [row] = await api.deps.warehouse.query<{ n: string }>({ sql: 'SELECT uniqExact(version) AS n FROM lookalike_scores' });
    expect(Number(row?.n)).toBe(1);
  });

  test('rules select by it, the best so many or all above a similarity', async () => {
    const size = async (lookalike: object) =>
      (
        await api.ok<{ size: number }>('POST', '/v1/segments:estimate', {
          rule: { lookalike: { model: 'lal_garden', ...lookalike } },
        })
      ).size;
    expect(await size({ most: 300 })).toBe(300);
    const scores = await scoresOf('lal_garden');
    expect(await size({ least: 0.5 })).toBe(scores.filter(({ score }) => score >= 0.5).length);
  });

  test('it is shown with what it came to, and what uses it keeps it', async () => {
    const shown = await api.ok<{ state: string; fit: { auc: object; curve: object[] } }>('GET', '/v1/lookalikes/lal_garden');
    expect(shown).toMatchObject({ state: 'ready', fit: { auc: fit.auc, refused: null, fittedAt: expect.any(String) } });
    await api.ok('PUT', '/v1/segments/seg_like', { name: 'like', rule: { lookalike: { model: 'lal_garden', most: 100 } } });
    expect((await api.call('DELETE', '/v1/lookalikes/lal_garden', undefined, { headers: { 'if-match': '*' } })).statusCode).toBe(
      409,
    );
  });

  test('what the seed’s own rule asks for is not looked at', async () => {
    await api.ok(
      'PATCH',
      '/v1/segments/seg_gardeners',
      { rule: { purchases: { categories: ['SEEDS'] } } },
      { headers: { 'if-match': '*' } },
    );
    const { weights, auc } = await fitLookalike({ ...api.deps, now: () => fit.at + 10_000 }, 'lal_garden', steps);
    expect(weights.map(({ feature }) => feature)).not.toContain('category SEEDS');
    expect(auc?.value).toBeGreaterThan(0.7);
  });
});

describe('of a seed that was drawn by chance', { timeout: 180_000 }, () => {
  test('the model says that it found nothing, also where another advertiser’s source would tell', async () => {
    await create('lal_chance', { seed: 'seg_strangers', advertiser: 'adv_1' });
    const { auc, curve } = await fitLookalike(api.deps, 'lal_chance', steps);
    expect(auc?.lo).toBeLessThan(0.5);
    expect(auc?.hi).toBeGreaterThan(0.5);
    expect((auc?.hi as number) - (auc?.lo as number)).toBeLessThan(0.15);
    expect(curve[0]?.lift.lo).toBeLessThan(1.01);
    await create('lal_told', { seed: 'seg_strangers', advertiser: 'adv_2' });
    expect((await fitLookalike(api.deps, 'lal_told', steps)).auc?.value).toBeGreaterThan(0.95);
  });

  test('the population may be narrowed by a rule', async () => {
    await create('lal_some', { seed: 'seg_gardeners', population: { attribute: { name: 'band', in: ['high'] } } });
    const { population } = await fitLookalike(api.deps, 'lal_some', steps);
    expect(population).toBeLessThan(0.6 * PEOPLE);
    expect(population).toBeGreaterThan(0.3 * PEOPLE);
  });
});

describe('is refused', () => {
  const faults = async (body: object, options = {}) => {
    const answer = await api.call('POST', '/v1/lookalikes', { name: 'x', ...body }, options);
    return answer.statusCode === 201
      ? []
      : answer.json().errors.map(({ code, pointer }: { code: string; pointer: string }) => `${pointer} ${code}`);
  };

  test('of a seed that is sensitive, too small, of another advertiser, or not there', async () => {
    expect(await faults({ seed: 'seg_health' })).toEqual(['/seed sensitive_seed']);
    expect(await faults({ seed: 'seg_gardeners', population: { not: { segment: 'seg_health' } } })).toEqual([
      '/population sensitive_seed',
    ]);
    expect(await faults({ seed: 'seg_few' })).toEqual(['/seed seed_too_small']);
    expect(await faults({ seed: 'seg_gone' })).toEqual(['/seed unknown_segment']);
    await api.ok('PUT', '/v1/segments/seg_theirs', { name: 'theirs', advertiser: 'adv_2', rule: { purchases: {} } });
    expect(await faults({ seed: 'seg_theirs' })).toEqual(['/seed seed_not_shared']);
    expect(await faults({ seed: 'seg_theirs' }, { key })).toEqual(['/seed unknown_segment']);
  });

  test('by the job too, where it became so later, and its scores go', async () => {
    await create('lal_later', { seed: 'seg_new' });
    await expect(fitLookalike(api.deps, 'lal_later', steps)).rejects.toThrow('seed_not_evaluated');
    await putMembers(api.deps.warehouse, 'seg_new', seed.slice(0, 99));
    await expect(fitLookalike(api.deps, 'lal_later', steps)).rejects.toThrow('seed_too_small');
    expect(await api.ok('GET', '/v1/lookalikes/lal_later')).toMatchObject({
      state: 'refused',
      fit: { refused: 'seed_too_small', auc: null },
    });
    await putMembers(api.deps.warehouse, 'seg_new', seed, 2);
    await fitLookalike(api.deps, 'lal_later', steps);
    expect((await scoresOf('lal_later')).length).toBeGreaterThan(0);
    await api.ok('PATCH', '/v1/segments/seg_new', { name: 'psychiatric patients' }, { headers: { 'if-match': '*' } });
    await expect(fitLookalike(api.deps, 'lal_later', steps)).rejects.toThrow('sensitive_seed');
    expect(await scoresOf('lal_later')).toEqual([]);
  });
});

test('it is fitted again when it was changed or its hours have passed', async () => {
  const due = (hours: number) => dueLookalikes({ things: api.deps.things, now: () => api.deps.now() + hours * 3_600_000 });
  expect(due(0)).not.toContain('lal_told');
  expect(due(25)).toContain('lal_told');
  await create('lal_fresh', { seed: 'seg_gardeners' });
  expect(due(0)).toContain('lal_fresh');
  const job = await api.call('POST', '/v1/lookalikes/lal_fresh/fit');
  expect(job.statusCode).toBe(202);
});

test('of a look-alike that is gone nothing is left', async () => {
  await api.ok('DELETE', '/v1/lookalikes/lal_told', undefined, { headers: { 'if-match': '*' } });
  await fitLookalike(api.deps, 'lal_some', steps);
  expect(await scoresOf('lal_told')).toEqual([]);
  expect(api.deps.things.get('lookalike-fit', 'lal_told')).toBeUndefined();
});

test('the segmenter fits one when it is asked to', async () => {
  const segmenter = await startSegmenter(api.deps, { refreshSeconds: null });
  try {
    const { id } = await api.ok<{ id: string }>('POST', '/v1/lookalikes/lal_fresh/fit');
    const job = () => api.ok<{ state: string }>('GET', `/v1/jobs/${id}`);
    await expect.poll(async () => (await job()).state, { timeout: 60_000 }).toBe('succeeded');
    expect(await api.ok('GET', '/v1/lookalikes/lal_fresh')).toMatchObject({ state: 'ready', fit: { refused: null } });
  } finally {
    await segmenter.close();
  }
}, 90_000);
