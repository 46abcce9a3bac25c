import { afterAll, beforeAll, expect, test } from 'vitest';
import { evaluate } from '../../segmenter/evaluate.ts';
import { startApi, type TestApi } from '../support/api.ts';
import { people, putFacts } from './segments-facts.ts';

let api: TestApi;
beforeAll(async () => {
  api = await startApi();
  for (const id of ['adv_1', 'adv_2'])
    await api.ok('POST', '/v1/advertisers', { id, name: id, domains: ['shop.example'], currency: 'USD' });
  for (const id of ['adv_1', 'adv_2'])
    await api.ok('POST', '/v1/stores', {
      id: `st_${id}`,
      advertiser: id,
      name: id,
      address: 'a street',
      lat: 55.75,
      lon: 37.61,
      timeZone: 'Europe/Moscow',
    });
  const profiles = Array.from({ length: 20 }, (_, n) => n + 1);
  await putFacts(api.deps.warehouse, [
    ...people(profiles),
    ...profiles.map((profile) => ({
      profile,
      kind: 'attribute',
      source: 's',
      name: 'n',
      item: String(profile),
      number: profile,
    })),
  ]);
});
afterAll(() => api.stop());

interface Shown {
  id: string;
  number: number;
  size: number | null;
  version: number | null;
  evaluatedAt: string | null;
  state: string;
  revision: number;
  rule: unknown;
}

const rule = { attribute: { name: 'n', min: 5 } };

test('a segment is made with a number of its own and shows what became of it', async () => {
  const made = await api.ok<Shown>('POST', '/v1/segments', { name: 'fives', rule });
  expect(made).toMatchObject({ size: null, version: null, evaluatedAt: null, state: 'recomputing', rule });
  const other = await api.ok<Shown>('POST', '/v1/segments', { name: 'others', rule: { not: { segment: made.id } } });
  expect(other.number).toBe(made.number + 1);
  await evaluate(api.deps, made.id);
  const shown = await api.ok<Shown>('GET', `/v1/segments/${made.id}`);
  expect(shown).toMatchObject({ size: 16, version: 1, state: 'ready', number: made.number });
  const list = await api.ok<{ data: Shown[] }>('GET', '/v1/segments');
  expect(list.data.map((segment) => segment.size)).toEqual([16, null]);
  const changed = await api.ok<Shown>(
    'PUT',
    `/v1/segments/${made.id}`,
    { ...shown, name: 'sixes', rule: { attribute: { name: 'n', min: 6 } } },
    {
      headers: { 'if-match': '*' },
    },
  );
  expect(changed).toMatchObject({ number: made.number, size: 16, state: 'recomputing', revision: 2 });
  await evaluate(api.deps, made.id);
  const runs = await api.ok<{ data: object[]; page: object }>('GET', `/v1/segments/${made.id}/runs?limit=1`);
  expect(runs.data).toMatchObject([{ version: 2, revision: 2, members: 15, entered: 0, left: 1, error: null }]);
  const next = (runs.page as { next: string }).next;
  expect(await api.ok('GET', `/v1/segments/${made.id}/runs?limit=1&before=${next}`)).toMatchObject({
    data: [{ version: 1 }],
    page: { hasMore: false, next: null },
  });
});

test('numbers go on where Redis has forgotten them', async () => {
  const before = await api.ok<Shown>('POST', '/v1/segments', { name: 'before', rule });
  await api.deps.redis.del('walkin:segment-number');
  const after = await api.ok<Shown>('POST', '/v1/segments', { name: 'after', rule });
  expect(after.number).toBeGreaterThan(before.number);
});

test('every fault of a rule is told with its pointer and code', async () => {
  const response = await api.call('POST', '/v1/segments', {
    name: 'bad',
    rule: { all: [{ visits: { window: { days: -1 } } }, { segment: 'seg_none' }, { any: [] }] },
  });
  expect(response.statusCode).toBe(422);
  expect(response.json().errors.map((fault: { pointer: string; code: string }) => `${fault.pointer} ${fault.code}`)).toEqual([
    '/rule/all/0/visits/window/days window_not_positive',
    '/rule/all/1/segment unknown_segment',
    '/rule/all/2/any empty_group',
  ]);
  expect((await api.call('POST', '/v1/segments', { name: 'bad', rule: 5 })).statusCode).toBe(422);
});

test('a cycle is refused where it would close', async () => {
  await api.ok('POST', '/v1/segments', { id: 'seg_x', name: 'x', rule });
  await api.ok('POST', '/v1/segments', { id: 'seg_y', name: 'y', rule: { segment: 'seg_x' } });
  const body = { name: 'x', rule: { any: [{ segment: 'seg_y' }] } };
  const response = await api.call('PUT', '/v1/segments/seg_x', body, { headers: { 'if-match': '*' } });
  expect(response.statusCode).toBe(422);
  expect(response.json().errors).toMatchObject([{ pointer: '/rule/any/0/segment', code: 'segment_cycle' }]);
  expect((await api.call('DELETE', '/v1/segments/seg_x', undefined, { headers: { 'if-match': '*' } })).statusCode).toBe(409);
});

test('two that name each other at the same time are no cycle: the second is refused', async () => {
  const put = (id: string, other: object) =>
    api.call('PUT', `/v1/segments/${id}`, { name: id, rule: other }, { headers: { 'if-match': '*' } });
  for (let turn = 0; turn < 3; turn++) {
    for (const id of ['seg_p', 'seg_q']) await put(id, rule);
    const both = await Promise.all([put('seg_p', { segment: 'seg_q' }), put('seg_q', { segment: 'seg_p' })]);
    const faults = both.flatMap((one) => (one.statusCode < 300 ? [] : one.json().errors));
    expect(faults).toMatchObject([{ pointer: '/rule/segment', code: 'segment_cycle' }]);
  }
});

test('an estimate tells the reach, but not of fewer than ten', async () => {
  const estimate = (body: object) => api.ok('POST', '/v1/segments:estimate', body);
  expect(await estimate({ rule })).toMatchObject({
    size: 16,
    belowMinimum: false,
    method: 'exact',
    interval: null,
    profiles: 20,
  });
  expect(await estimate({ rule: { attribute: { name: 'n', min: 15 } } })).toMatchObject({ size: null, belowMinimum: true });
  expect(await estimate({ rule: { attribute: { name: 'n', min: 99 } } })).toMatchObject({ size: null, belowMinimum: true });
  const bad = await api.call('POST', '/v1/segments:estimate', { rule: { attribute: {} }, advertiser: 'adv_9' });
  expect(bad.statusCode).toBe(422);
  expect(bad.json().errors.map((fault: { code: string }) => fault.code)).toEqual(['unknown_advertiser', 'required']);
});

test('a rule is shown as a sentence, and with what is wrong with it since', async () => {
  await api.ok('POST', '/v1/sources', { id: 'rubles', name: 'Rubles', party: '1p', timeZone: 'UTC', currency: 'RUB' });
  const money = { purchases: { sum: { min: 20_000_000 }, count: { max: 21 }, window: { days: 2 } } };
  const shown = await api.ok<{ sentence: object; warnings: object[] }>('POST', '/v1/segments', { name: 'money', rule: money });
  expect(shown.sentence).toEqual({
    en: 'People who bought at most 21 times, for at least 20, in the last 2 days',
    ru: 'Люди, которые покупали не более 21 раза, на сумму не менее 20, за последние 2 дня',
  });
  expect(shown.warnings).toMatchObject([{ pointer: '/rule/purchases/currency', code: 'no_rate' }]);
  const own = await api.ok<{ warnings: object[] }>('POST', '/v1/segments', {
    name: 'own',
    advertiser: 'adv_1',
    rule: { visits: { stores: ['st_adv_1'] } },
  });
  expect(own.warnings).toEqual([]);
  // A rule may be older than what it names: what is gone is told, and the rest is evaluated.
  const { things } = api.deps;
  const gone = { name: 'gone', advertiser: 'adv_1', number: 999, rule: { not: { visits: { storeGroups: ['sg_gone'] } } } };
  await things.put('segment', 'seg_gone', gone, { actor: 'test' });
  expect(await api.ok('GET', '/v1/segments/seg_gone')).toMatchObject({
    warnings: [{ pointer: '/rule/not/visits/storeGroups/0', code: 'unknown_store_group' }],
  });
  expect(await evaluate(api.deps, 'seg_gone')).toMatchObject({ error: '', members: 20 });
});

test('how sure a segment must be is checked, kept, said, and estimated with', async () => {
  const part = { confidence: 0.9, level: 'household', rule: { attribute: { name: 'n' } } };
  const shown = await api.ok<Shown & { confidence: number; sentence: object }>('POST', '/v1/segments', { name: 's', ...part });
  expect(shown).toMatchObject({
    confidence: 0.9,
    streaming: false,
    sentence: {
      en: 'People who have the attribute n. What all of a household did is counted together, and all of it are in the segment. Only what is theirs with a certainty of at least 90 % counts.',
      ru: 'Люди, которые имеют признак n. Всё, что делали живущие вместе, считается вместе, и в сегмент входят все они. Учитывается только то, что относится к ним с уверенностью не менее 90 %.',
    },
  });
  for (const confidence of [-0.1, 1.01, 0.555, '1']) {
    const bad = await api.call('POST', '/v1/segments:estimate', { ...part, confidence });
    expect(bad.json().errors, String(confidence)).toMatchObject([{ pointer: '/confidence' }]);
  }
  const sizeAt = async (confidence: number): Promise<number | null> => {
    const { size } = await api.ok<{ size: number | null }>('POST', '/v1/segments:estimate', { rule, confidence });
    return size;
  };
  const { warehouse } = api.deps;
  await warehouse.command({
    sql: "ALTER TABLE facts UPDATE person_sure = 85 WHERE kind = 'attribute' AND profile % 4 = 0 SETTINGS mutations_sync = 2",
  });
  expect([await sizeAt(0), await sizeAt(0.85), await sizeAt(0.9)]).toEqual([16, 16, 12]);
  await warehouse.command({ sql: 'ALTER TABLE facts UPDATE person_sure = 100 WHERE 1 SETTINGS mutations_sync = 2' });
});

test('an evaluation is a job', async () => {
  const { id } = await api.ok<Shown>('POST', '/v1/segments', { name: 'job', rule });
  const response = await api.call('POST', `/v1/segments/${id}/evaluate`);
  expect(response.statusCode).toBe(202);
  expect(await api.ok('GET', response.headers['location'] as string)).toMatchObject({ type: 'evaluate', state: 'queued' });
  expect((await api.call('POST', '/v1/segments/seg_none/evaluate')).statusCode).toBe(404);
});

test('a key that is bound to an advertiser sees and names its own things only', async () => {
  const { key } = await api.ok<{ key: string }>('POST', '/v1/api-keys', {
    name: 'k',
    advertiser: 'adv_1',
    scopes: ['segments:read', 'segments:write'],
  });
  const theirs = await api.ok<Shown>('POST', '/v1/segments', { advertiser: 'adv_2', name: 'theirs', rule });
  const own = await api.ok<Shown & { advertiser: string }>('POST', '/v1/segments', { name: 'own', rule }, { key });
  expect(own.advertiser).toBe('adv_1');
  const faults = async (rule: object): Promise<string[]> => {
    const response = await api.call('POST', '/v1/segments:estimate', { rule }, { key });
    return response.statusCode === 200 ? [] : response.json().errors.map((fault: { code: string }) => fault.code);
  };
  expect(await faults({ visits: { stores: ['st_adv_2'] } })).toEqual(['unknown_store']);
  expect(await faults({ segment: theirs.id })).toEqual(['unknown_segment']);
  expect(await faults({ visits: { stores: ['st_adv_1'] } })).toEqual([]);
  for (const path of ['', '/runs'])
    expect((await api.call('GET', `/v1/segments/${theirs.id}${path}`, undefined, { key })).statusCode).toBe(404);
  expect((await api.call('POST', `/v1/segments/${theirs.id}/evaluate`, undefined, { key })).statusCode).toBe(404);
  const others = await api.call('POST', '/v1/segments:estimate', { rule, advertiser: 'adv_2' }, { key });
  expect(others.statusCode).toBe(422);
});
