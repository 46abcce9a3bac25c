import { afterAll, beforeAll, expect, test } from 'vitest';
import { keepRound } from '../../dmp/segments/rounds.ts';
import { evaluateSegments } from '../../segmenter/evaluate.ts';
import { createFacts } from '../../segmenter/facts.ts';
import { startApi, type TestApi } from '../support/api.ts';

let api: TestApi;
beforeAll(async () => {
  api = await startApi();
});
afterAll(() => api.stop());

interface Run {
  version: number;
  revision: number;
  members: number;
  mode: string;
  asked: number;
  rows: number;
  bytes: number;
}

async function evaluate(): Promise<void> {
  await createFacts(api.deps).fold();
  await evaluateSegments(api.deps, undefined);
}

test('a version is restored: its rule, and with it its members; runs tell what each cost', async () => {
  const identifiers = [1, 2, 3].map((n) => `00000000-0000-8000-8000-00000000000${n}`);
  const { warehouse } = api.deps;
  await warehouse.insert(
    'identities',
    identifiers.map((identifier, n) => ({ identifier, kind: 'ifa', profile: n + 1, anchor: identifier, version: 1 })),
  );
  const at = new Date().toISOString();
  const row = { source: 'crm', name: 'age', at };
  await warehouse.insert(
    'attributes',
    identifiers.map((identifier, n) => ({ ...row, identifier, text: `${20 + n}`, number: 20 + n })),
  );
  const young = { attribute: { name: 'age', max: 20 } };
  await api.ok('POST', '/v1/segments', { id: 'seg_1', name: 'ages', confidence: 0.5, rule: young });
  await evaluate();
  await api.ok(
    'PATCH',
    '/v1/segments/seg_1',
    { rule: { attribute: { name: 'age', min: 21, max: null } }, confidence: 0 },
    { headers: { 'if-match': '*' } },
  );
  await evaluate();
  const runs = async (): Promise<Run[]> => (await api.ok<{ data: Run[] }>('GET', '/v1/segments/seg_1/runs')).data;
  expect(await runs()).toMatchObject([
    { version: 2, revision: 2, members: 2, mode: 'full', asked: 3, rows: 6 },
    { version: 1, revision: 1, members: 1, mode: 'full', asked: 3, rows: 6 },
  ]);
  expect((await runs())[0]?.bytes).toBeGreaterThan(0);

  const restored = await api.call('POST', '/v1/segments/seg_1/restore', { version: 1 });
  expect(restored.statusCode).toBe(202);
  expect(await api.ok('GET', '/v1/segments/seg_1')).toMatchObject({
    ...{ rule: young, confidence: 0.5, revision: 3, state: 'recomputing', number: 1 },
  });
  await evaluate();
  expect(await api.ok('GET', '/v1/segments/seg_1')).toMatchObject({ state: 'ready', version: 3 });
  expect((await runs())[0]).toMatchObject({ version: 3, revision: 3, members: 1 });
  // A later refresh that found nobody touched has no run of it; one in which it failed says nothing.
  const evaluatedAt = async () => (await api.ok<{ evaluatedAt: string }>('GET', '/v1/segments/seg_1')).evaluatedAt;
  const first = await evaluatedAt();
  const later = Date.parse(first) + 60_000;
  await keepRound(api.deps.redis, { at: later, failed: ['seg_1'] });
  expect(await evaluatedAt()).toBe(first);
  await keepRound(api.deps.redis, { at: later, failed: [] });
  expect(await evaluatedAt()).toBe(new Date(later).toISOString());
  // The members of each rule are kept.
  const kept = await warehouse.query({ sql: 'SELECT DISTINCT version FROM segment_members FINAL ORDER BY version' });
  expect(kept).toEqual([{ version: 1 }, { version: 2 }, { version: 3 }]);

  // A shared segment is the operator's: an advertiser's key sees it, and gives it no other rule.
  await api.ok('POST', '/v1/advertisers', { id: 'adv_a', name: 'A', domains: ['a.example'] });
  const { key } = await api.ok<{ key: string }>('POST', '/v1/api-keys', { name: 'A', advertiser: 'adv_a', role: 'marketer' });
  expect((await api.call('GET', '/v1/segments/seg_1', undefined, { key })).statusCode).toBe(200);
  expect((await api.call('POST', '/v1/segments/seg_1/restore', { version: 1 }, { key })).statusCode).toBe(403);
  expect(await api.ok('GET', '/v1/segments/seg_1')).toMatchObject({ revision: 3 });

  const unknown = await api.call('POST', '/v1/segments/seg_1/restore', { version: 9 });
  expect([unknown.statusCode, unknown.json()]).toMatchObject([422, { errors: [{ pointer: '/version', code: 'not_found' }] }]);
  expect((await api.call('POST', '/v1/segments/seg_2/restore', { version: 1 })).statusCode).toBe(404);
});
