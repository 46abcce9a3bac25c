import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { readBatches } from '../../dmp/imports/batches.ts';
import type { ResolvedImport } from '../../dmp/imports/import.ts';
import { allows } from '../../dmp/sources/access.ts';
import type { Source } from '../../dmp/sources/source.ts';
import { startApi, type TestApi } from '../support/api.ts';
import { temporaryFolder } from '../support/folder.ts';

let api: TestApi;
beforeAll(async () => {
  api = await startApi();
  for (const id of ['adv_a', 'adv_b'])
    await api.ok('POST', '/v1/advertisers', { id, name: id, domains: [`${id.at(-1)}.example`] });
});
afterAll(() => api.stop());

const contract = {
  name: 'Loyalty of a partner',
  party: '2p',
  timeZone: 'Europe/Moscow',
  currency: 'RUB',
  owner: { name: 'Partner Ltd', domain: 'partner.example', contact: 'privacy desk' },
  legalBasis: 'consent',
  purposes: ['profiles', 'measurement'],
  kinds: ['purchase', 'identify'],
  identifierKinds: ['loyalty', 'email'],
  keyColumns: ['receipt', 'line'],
  precision: 'individual',
  refreshHours: 24,
  lateHours: 48,
  retention: { purchase: 365 },
  price: { model: 'cpm', micros: 500_000 },
  advertisers: ['adv_a'],
  label: {
    audienceName: 'Regulars',
    taxonomyIds: ['472'],
    criteria: 'People with a loyalty card',
    dataSources: ['Loyalty Card', 'Offline Transaction'],
    methodology: 'Observed/Known',
    lookbackDays: 90,
    geographies: ['RUS'],
    privacyPolicy: 'https://partner.example/privacy',
  },
};

const faults = async (body: object): Promise<string[]> => {
  const response = await api.call('POST', '/v1/sources?validateOnly=true', body);
  return response.statusCode === 422
    ? response.json().errors.map((fault: { pointer: string; code: string }) => `${fault.pointer} ${fault.code}`)
    : [];
};

const bound = async (advertiser: string): Promise<string> =>
  (
    await api.ok<{ key: string }>('POST', '/v1/api-keys', {
      name: advertiser,
      advertiser,
      scopes: ['sources:read', 'sources:write', 'events:write', 'segments:read'],
    })
  ).key;

describe('a contract', () => {
  test('needs no more than a name and a party, and is open to all by default', async () => {
    const made = await api.ok('POST', '/v1/sources', { id: 'plain', name: 'Plain', party: '1p' });
    expect(made).toMatchObject({
      advertiser: null,
      advertisers: null,
      legalBasis: null,
      kinds: null,
      price: null,
      revoked: null,
    });
    expect(made['purposes']).toContain('profiles');
  });

  test('keeps every term that is written', async () => {
    await api.ok('PUT', '/v1/sources/partner', contract);
    expect(await api.ok('GET', '/v1/sources/partner')).toMatchObject(contract);
  });

  test('names all that is wrong with it', async () => {
    expect(
      await faults({
        name: 'x',
        party: '4p',
        currency: 'roubles',
        kinds: ['purchase', 'dream'],
        retention: { purchase: 0, dream: 3 },
        label: { taxonomyIds: ['x'], methodology: 'guessed' },
      }),
    ).toEqual([
      '/party enum',
      '/currency pattern',
      '/kinds/1 enum',
      '/retention/dream unknown_property',
      '/retention/purchase minimum',
      '/label/taxonomyIds/0 pattern',
      '/label/methodology enum',
    ]);
    expect(
      await faults({ name: 'x', party: '1p', advertisers: ['adv_a', 'nobody'], price: { model: 'share', micros: 3 } }),
    ).toEqual(['/advertisers/1 unknown_advertiser', '/price/percent required', '/price/micros unknown_property']);
  });

  test('says what of a row it allows', async () => {
    const { body } = api.deps.things.get('source', 'partner') ?? {};
    expect(allows(undefined, { kind: 'ping', identifierKinds: ['ifa'] })).toBeNull();
    expect(allows(body, { kind: 'purchase', identifierKinds: ['loyalty'] })).toBeNull();
    expect(allows(body, { kind: 'ping', identifierKinds: ['loyalty', 'ifa'] })).toMatchObject([
      { pointer: '/type', code: 'kind_not_allowed' },
      { pointer: '/identifiers/1/kind', code: 'kind_not_allowed' },
    ]);
  });

  test('is exported as the label of the Data Transparency Standard', async () => {
    expect(await api.ok('GET', '/v1/sources/partner/label')).toMatchObject({
      'Provider Name': 'Partner Ltd',
      'Provider Domain': 'partner.example',
      'Branded Audience Name': 'Regulars',
      'Taxonomy ID List': ['472'],
      'Audience Criteria': 'People with a loyalty card',
      'Audience Precision Level(s)': ['Individual'],
      'ID Type(s)': ['Proprietary ID', 'User-enabled ID'],
      Geography: ['RUS'],
      'Data Sources': ['Loyalty Card', 'Offline Transaction'],
      'Data Inclusion Methodology': 'Observed/Known',
      'Audience Refresh Cadence': 'Daily',
      'Source Lookback Window': 'Quarterly',
      'Audience Size': 0,
      'Last Refresh': 'N/A',
    });
  });
});

describe('who a contract does not name', () => {
  test('does not know of the source, and who it names does not know of the others', async () => {
    const [a, b] = [await bound('adv_a'), await bound('adv_b')];
    const ids = async (key: string) =>
      (await api.ok<{ data: { id: string }[] }>('GET', '/v1/sources', undefined, { key })).data.map(({ id }) => id);
    expect(await ids(a)).toEqual(['plain', 'partner']);
    expect(await ids(b)).toEqual(['plain']);
    for (const path of ['/v1/sources/partner', '/v1/sources/partner/label'])
      expect((await api.call('GET', path, undefined, { key: b })).statusCode).toBe(404);
    await api.ok('PATCH', '/v1/sources/partner', { advertisers: ['adv_a', 'adv_b'] }, { headers: { 'if-match': '*' } });
    expect(await api.ok('GET', '/v1/sources/partner', undefined, { key: b })).toMatchObject({ advertisers: ['adv_b'] });
    expect((await api.call('POST', '/v1/sources/partner:revoke', {}, { key: b })).statusCode).toBe(403);
    expect((await api.call('POST', '/v1/sources/plain:revoke', {}, { key: b })).statusCode).toBe(403);
  });

  test('a source that an advertiser holds is its own alone, until it names others', async () => {
    const [a, b] = [await bound('adv_a'), await bound('adv_b')];
    expect(await api.ok('POST', '/v1/sources', { id: 'own', name: 'Own', party: '1p' }, { key: a })).toMatchObject({
      advertiser: 'adv_a',
      advertisers: null,
    });
    expect((await api.call('GET', '/v1/sources/own', undefined, { key: b })).statusCode).toBe(404);
    await api.ok('POST', '/v1/sources/own:grant', { advertiser: 'adv_b' }, { key: a });
    expect((await api.call('GET', '/v1/sources/own', undefined, { key: b })).statusCode).toBe(200);
    const own = await api.call('DELETE', '/v1/sources/own', undefined, { key: b, headers: { 'if-match': '*' } });
    expect(own.statusCode).toBe(403);
  });
});

describe('a revocation', () => {
  test('says what stands on the source, and changes nothing while it is only asked', async () => {
    await api.ok('PUT', '/v1/sources/tills', { name: 'Tills', party: '2p', advertisers: ['adv_a', 'adv_b'] });
    await api.ok('POST', '/v1/events?source=tills', {
      type: 'purchase',
      id: 'r1',
      at: '2026-01-02T00:00:00Z',
      identifiers: [{ kind: 'loyalty', value: '1' }],
      lines: [{ amountMicros: 1_000_000 }],
    });
    const segment = (id: string, advertiser: string | null, rule: object) =>
      api.ok('PUT', `/v1/segments/${id}`, { advertiser, name: id, rule });
    await segment('bought', 'adv_a', { purchases: {} });
    await segment('nested', 'adv_a', { all: [{ segment: 'bought' }] });
    await segment('named', 'adv_b', { purchases: { sources: ['tills'] } });
    await segment('paged', 'adv_a', { pages: {} });
    const asked = await api.ok('POST', '/v1/sources/tills:revoke?validateOnly=true', { advertiser: 'adv_a' });
    expect(asked).toMatchObject({ source: 'tills', segments: [{ id: 'bought' }, { id: 'nested' }], lineItems: [], job: null });
    expect(await api.ok('GET', '/v1/sources/tills')).toMatchObject({
      advertisers: ['adv_a', 'adv_b'],
      revoked: null,
      revision: 1,
    });
    expect(await api.ok('GET', '/v1/segments/nested/lineage')).toMatchObject({
      needs: ['bought'],
      sources: [{ source: 'tills', kinds: ['purchase'], segments: ['bought'], used: true, party: '2p' }],
    });
    const revoked = await api.ok('POST', '/v1/sources/tills:revoke', { advertiser: 'adv_a', reason: 'contract of A ended' });
    expect(revoked['job']).toMatch(/^job_refresh_/);
    expect(await api.ok('GET', '/v1/sources/tills')).toMatchObject({ advertisers: ['adv_b'], revoked: null });
    expect(await api.ok('GET', '/v1/segments/nested/lineage')).toMatchObject({ sources: [] });
    expect(await api.ok('GET', '/v1/segments/named/lineage')).toMatchObject({ sources: [{ source: 'tills', used: true }] });
  });

  test('of the whole contract ends it for all, takes no more events, and can be taken back', async () => {
    expect(await api.ok('POST', '/v1/sources/tills:revoke', { reason: 'over' })).toMatchObject({ segments: [{ id: 'named' }] });
    expect(await api.ok('GET', '/v1/sources/tills')).toMatchObject({ revoked: { reason: 'over', actor: 'admin', erase: false } });
    const { body } = api.deps.things.get('source', 'tills') ?? {};
    expect(allows(body, { kind: 'purchase', identifierKinds: [] })).toMatchObject([{ code: 'source_revoked' }]);
    expect(await api.ok('GET', '/v1/segments/named/lineage')).toMatchObject({
      sources: [{ source: 'tills', used: false, revoked: true }],
    });
    await api.ok('POST', '/v1/sources/tills:grant', {});
    expect(await api.ok('GET', '/v1/sources/tills')).toMatchObject({ revoked: null, advertisers: ['adv_b'] });
  });

  test('is what a source with rows needs before it can be deleted', async () => {
    const removed = await api.call('DELETE', '/v1/sources/tills', undefined, { headers: { 'if-match': '*' } });
    expect([removed.statusCode, removed.json().code]).toEqual([409, 'in_use']);
  });
});

describe('what comes in', () => {
  const event = (kind: string, more: object) => ({ at: '2026-01-02T00:00:00Z', identifiers: [{ kind, value: '1' }], ...more });
  const bought = { type: 'purchase', id: 'r', lines: [{ amountMicros: 1 }] };

  test('is held against the contract, event by event', async () => {
    const taken = await api.ok('POST', '/v1/events?source=partner', [
      event('loyalty', bought),
      event('customer', { ...bought, id: 'r2' }),
      event('loyalty', { type: 'page', url: 'https://x.example' }),
    ]);
    expect(taken).toMatchObject({
      accepted: 1,
      quarantined: 2,
      errors: [
        { line: 2, pointer: '/identifiers/0/kind', code: 'kind_not_allowed' },
        { line: 3, pointer: '/type', code: 'kind_not_allowed' },
      ],
    });
  });

  test('comes from keys that the contract knows', async () => {
    const b = await bound('adv_b');
    await api.ok('PUT', '/v1/sources/of_a', { name: 'A', party: '1p', advertiser: 'adv_a' });
    const refused = await api.call('POST', '/v1/events?source=of_a', event('loyalty', bought), { key: b });
    expect([refused.statusCode, refused.json().code]).toEqual([422, 'unknown_source']);
    await api.ok('POST', '/v1/events?source=of_a', event('loyalty', bought), { key: await bound('adv_a') });
    await api.ok('POST', '/v1/events?source=plain', event('loyalty', bought), { key: b });
  });

  test('of a source whose contract has ended is not kept at all', async () => {
    await api.ok('POST', '/v1/sources/of_a:revoke', {});
    const refused = await api.call('POST', '/v1/events?source=of_a', event('loyalty', bought));
    expect([refused.statusCode, refused.json().code]).toEqual([409, 'source_revoked']);
    const file = await api.call('POST', '/v1/imports', { type: 'identify', format: 'ndjson', source: 'of_a' });
    expect(file.json().errors).toMatchObject([{ pointer: '/source', code: 'source_revoked' }]);
  });
});

describe('a file', () => {
  test('is held against the contract row by row, by the short way of receipts too', async () => {
    const path = join(temporaryFolder(), 'receipts.csv');
    writeFileSync(path, 'id,at,amount,card\nr1,2026-01-02T00:00:00Z,1.00,7\nr2,2026-01-02T00:00:00Z,2.00,8\n');
    const take = async (kind: string, contract: Source | undefined) => {
      const mapping = { columns: { id: 'id', at: 'at', amount: 'amount' }, identifiers: [{ kind, column: 'card' }] };
      const input = { type: 'purchase', format: 'csv', mapping } as unknown as ResolvedImport;
      const about = {
        path,
        input,
        zone: 'UTC',
        pepper: 'a pepper of the tests',
        now: Date.now(),
        import: 'imp',
        source: 's',
        currency: 'USD',
      };
      const batches = [];
      for await (const batch of readBatches({ ...about, contract, skip: 0, size: 100 })) batches.push(batch);
      return batches.map(({ accepted, quarantined, errors }) => [accepted, quarantined, errors.map(({ code }) => code)]);
    };
    const { body } = api.deps.things.get('source', 'partner') ?? {};
    expect(await take('loyalty', body)).toEqual([[2, 0, []]]);
    expect(await take('customer', undefined)).toEqual([[2, 0, []]]);
    expect(await take('customer', body)).toEqual([[0, 2, ['kind_not_allowed']]]);
  });
});
