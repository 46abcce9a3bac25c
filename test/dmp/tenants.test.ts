import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { SCOPES } from '../../dmp/keys/scopes.ts';
import { createIdentity } from '../../segmenter/identity.ts';
import { startApi, type TestApi } from '../support/api.ts';

/**
 * The tenant walk: every operation of the OpenAPI document is called with the key of an advertiser that has every scope a bound
 * key can have, and with the ids, bodies and filters of another advertiser. It gets nothing and changes nothing. An operation
 * that PROBES does not name fails the walk: who adds a route says here how it is walked.
 */

const MARK = 'only-for-adv-a';
/** What of another advertiser's must never be told. */
const SECRETS = [MARK, 'cmp_a', 'li_a', 'seg_a', 'st_a', 'sg_a', 'gf_a', 'cr_a', 'dst_a', 'lst_a', 'src_a', 'key_a', 'adv_a'];

let api: TestApi;
let keyA: string;
let keyB: string;
const ids: Record<string, string> = {
  peppers: 'adv_a',
  ...{ erasures: 'era_a', domain: 'seller-of-a.example', exchange: 'ex', name: 'app-events', requests: 'x' },
};
const bodies: Record<string, object> = { exchanges: { name: 'Mine' } };

const circle = { type: 'circle', lat: 55.75, lon: 37.6, radius: 500 };
const flight = { start: '2026-01-01T00:00:00Z', end: '2099-01-01T00:00:00Z' };

function thingsOf(letter: 'a' | 'b', name: string): [path: string, id: string, body: object][] {
  const advertiser = `adv_${letter}`;
  const domains = [`${letter}.example`];
  return [
    ['advertisers', advertiser, { name, domains }],
    ['stores', `st_${letter}`, { advertiser, name, address: name, lat: 55.75, lon: 37.6, timeZone: 'UTC' }],
    ['store-groups', `sg_${letter}`, { advertiser, name, stores: [`st_${letter}`] }],
    ['geofences', `gf_${letter}`, { advertiser, name, fence: circle }],
    ['inventory-lists', `il_${letter}`, { advertiser, name, kind: 'domain', entries: [`${name}.example`.replaceAll(' ', '-')] }],
    ['sources', `src_${letter}`, { advertiser, name, party: '1p', owner: { name }, price: { model: 'cpm', micros: 1 } }],
    ['lists', `lst_${letter}`, { advertiser, name, kind: 'email', source: `src_${letter}` }],
    ['segments', `seg_${letter}`, { advertiser, name, rule: { purchases: { sources: [`src_${letter}`] } } }],
    ['lookalikes', `lal_${letter}`, { advertiser, name, seed: `seg_${letter}` }],
    ['destinations', `dst_${letter}`, { advertiser, name, kind: 'csv', segments: [{ segment: `seg_${letter}` }] }],
    ['campaigns', `cmp_${letter}`, { advertiser, name, status: 'active', ...flight, budgetMicros: null, holdout: null }],
    [
      'creatives',
      `cr_${letter}`,
      { advertiser, name, w: 300, h: 250, html: '<a href="${CLICK_URL}">x</a>', landing: `https://${domains[0]}/` },
    ],
    [
      'line-items',
      `li_${letter}`,
      {
        ...{ campaign: `cmp_${letter}`, name, status: 'active', budget: {}, bid: { maxCpmMicros: 1_000 } },
        ...{ creatives: [`cr_${letter}`], targeting: { segments: [[`seg_${letter}`]] } },
      },
    ],
  ];
}

const bought = (id: string) => ({
  ...{ type: 'purchase', id, at: '2026-01-02T00:00:00Z', identifiers: [{ kind: 'loyalty', value: '1' }] },
  ...{ store: MARK, lines: [{ amountMicros: 1 }] },
});

beforeAll(async () => {
  api = await startApi();
  await api.app.ready();
  await api.ok('PUT', '/v1/exchanges/ex', { name: 'Exchange' });
  await api.ok('PUT', `/v1/ads-txt/${ids['domain']}`, 'x.example, 1, DIRECT', { headers: { 'content-type': 'text/plain' } });
  const scopes = SCOPES.filter((scope) => scope !== 'admin');
  for (const [letter, name] of [
    ['a', MARK],
    ['b', 'of b'],
  ] as const)
    for (const [path, id, body] of thingsOf(letter, name)) {
      await api.ok('PUT', `/v1/${path}/${id}`, body);
      if (letter === 'a') [ids[path], bodies[path]] = [id, body];
    }
  const issue = async (letter: string, name: string) => {
    const body = { id: `key_${letter}`, name, advertiser: `adv_${letter}`, scopes };
    return (await api.ok<{ key: string }>('POST', '/v1/api-keys', body)).key;
  };
  [keyA, keyB] = [await issue('a', MARK), await issue('b', 'of b')];
  [ids['api-keys'], bodies['api-keys']] = ['key_a', { name: 'mine now', advertiser: 'adv_a', scopes: ['stores:read'] }];
  const a = { key: keyA };
  await api.ok('POST', '/v1/events?source=src_a', [bought('r1'), { ...bought('r2'), at: 'never' }], a);
  await createIdentity(api.deps).fold();
  const [person] = await api.deps.warehouse.query<{ profile: number }>({ sql: 'SELECT profile FROM identities FINAL' });
  ids['profiles'] = String(person?.profile);
  const job = await api.ok<{ id: string }>('POST', '/v1/segments/seg_a/evaluate', undefined, a);
  ids['jobs'] = job.id;
  const [refused] = await api.deps.warehouse.query<{ id: string }>({ sql: 'SELECT id FROM quarantine FINAL' });
  ids['quarantine'] = refused?.id ?? '';
  ids['exports'] = (await api.ok<{ id: string }>('POST', '/v1/destinations/dst_a/export', {}, a)).id;
  bodies['imports'] = { type: 'purchase', format: 'ndjson', source: 'src_a' };
  ids['imports'] = (await api.ok<{ id: string }>('POST', '/v1/imports', bodies['imports'], a)).id;
});
afterAll(() => api.stop());

type Method = 'GET' | 'POST' | 'PUT' | 'PATCH' | 'DELETE' | 'OPTIONS';

interface Probe {
  /** Appended to the address. */
  readonly query?: string;
  readonly body?: unknown;
  readonly type?: string;
  /** What it may answer; by default what is another's is not there or forbidden. */
  readonly answers?: readonly number[];
}

const HIDDEN = [403, 404];
/** A list, of what is the caller's own or the operator's. */
const LIST: Probe = { answers: [200] };
/** A body that names another advertiser, or things of it, is not valid. */
const REFUSED = [403, 422];
const FORBIDDEN: Probe = { answers: [403] };

/** The six routes of a noun. `probe`: what an own list may be filtered by. */
function noun(path: string, filter = ''): Record<string, Probe> {
  return {
    [`GET /v1/${path}`]: { ...LIST, query: filter },
    [`POST /v1/${path}`]: { answers: REFUSED },
    [`GET /v1/${path}/{id}`]: {},
    [`PUT /v1/${path}/{id}`]: {},
    [`PATCH /v1/${path}/{id}`]: {},
    [`DELETE /v1/${path}/{id}`]: {},
  };
}

/** What the owner is answered where it is not 200: an import without a file has no result yet, and no bidder runs here. */
const OWN: Readonly<Record<string, number>> = {
  'GET /v1/imports/{id}/result': 409,
  'GET /v1/exports/{id}/file': 404,
  // Nobody evaluates here.
  'GET /v1/segments/{id}/reach': 409,
  'GET /v1/segments/{id}/insight': 409,
  'GET /v1/debug/line-items': 503,
  'GET /v1/debug/line-items/{id}': 503,
};

const operators = (path: string): Record<string, Probe> =>
  Object.fromEntries(Object.keys(noun(path)).map((name) => [name, FORBIDDEN]));

const PROBES: Readonly<Record<string, Probe>> = {
  ...noun('advertisers'),
  ...noun('stores', '?advertiser=adv_a'),
  ...noun('store-groups', '?advertiser=adv_a'),
  ...noun('geofences', '?advertiser=adv_a'),
  ...noun('lists', '?advertiser=adv_a'),
  'PUT /v1/lists/{id}/entries': { body: 'ann@example.org', type: 'text/plain' },
  'POST /v1/lists/{id}/entries': { body: 'ann@example.org', type: 'text/plain' },
  'POST /v1/lists/{id}/entries/remove': { body: 'ann@example.org', type: 'text/plain' },
  ...noun('inventory-lists', '?advertiser=adv_a'),
  'GET /v1/inventory-lists/{id}/entries': {},
  'PUT /v1/inventory-lists/{id}/entries': { body: 'x.example', type: 'text/plain' },
  'POST /v1/debug/bid': { body: { exchange: 'ex', request: { id: '1' }, lineItems: ['li_a'] }, answers: [422] },
  'GET /v1/debug/line-items': { query: '?campaign=cmp_a' },
  'GET /v1/debug/line-items/{id}': {},
  'GET /v1/debug/requests': FORBIDDEN,
  'POST /v1/debug/requests/{id}/run': { ...FORBIDDEN, body: {} },
  ...noun('sources'),
  ...noun('segments', '?advertiser=adv_a'),
  ...noun('lookalikes', '?advertiser=adv_a'),
  'POST /v1/lookalikes/{id}/fit': {},
  ...noun('destinations', '?advertiser=adv_a'),
  'POST /v1/destinations/{id}/export': { body: {} },
  'GET /v1/destinations/{id}/exports': {},
  'GET /v1/exports/{id}': {},
  'GET /v1/exports/{id}/file': {},
  'POST /v1/exports/{id}/result': { body: { received: 1, matched: 1 } },
  'POST /v1/exports/{id}/redeliver': {},
  'OPTIONS /v1/memberships:lookup': { answers: [204] },
  'POST /v1/memberships:lookup': {
    body: { advertiser: 'adv_a', identifiers: [{ kind: 'cookie', value: '1' }] },
    answers: [422],
  },
  ...noun('campaigns', '?advertiser=adv_a'),
  ...noun('line-items', '?campaign=cmp_a'),
  ...noun('creatives', '?advertiser=adv_a'),
  ...operators('api-keys'),
  ...operators('exchanges'),
  'GET /v1/exchanges': LIST,
  'POST /v1/exchanges': { ...FORBIDDEN, body: { id: 'mine', name: 'Mine' } },
  'GET /v1/exchanges/{id}': { answers: [200] },
  'GET /v1/exchanges/{id}/match-rate': { answers: [200] },
  'GET /v1/exchange-presets': LIST,
  'GET /v1/sources/{id}/label': {},
  'POST /v1/sources/{id}:grant': { body: { advertiser: 'adv_b' } },
  'POST /v1/sources/{id}:revoke': { body: {} },
  'GET /v1/segments/{id}/lineage': {},
  'GET /v1/segments/{id}/runs': {},
  'GET /v1/segments/{id}/uses': {},
  'POST /v1/segments/{id}/evaluate': {},
  'POST /v1/segments/{id}/restore': { body: { version: 1 } },
  'POST /v1/segments:estimate': {
    body: { advertiser: 'adv_a', rule: { all: [{ purchases: { sources: ['src_a'], stores: ['st_a'] } }, { segment: 'seg_a' }] } },
    answers: [422],
  },
  'GET /v1/segments/{id}/reach': {},
  'GET /v1/segments/{id}/insight': {},
  'POST /v1/segments:overlap': { body: { segments: ['seg_a', 'seg_b'] }, answers: [422] },
  'POST /v1/segments:venn': { body: { segments: ['seg_a', 'seg_b'] }, answers: [422] },
  'POST /v1/segments:compare': { body: { a: 'seg_a', b: 'seg_b' }, answers: [422] },
  'GET /v1/line-items/{id}/lineage': { query: '?at=2026-06-01T00:00:00Z' },
  'GET /v1/creatives/{id}/audit': {},
  'GET /v1/creatives/{id}/approvals': {},
  'PUT /v1/creatives/{id}/approvals/{exchange}': { body: { state: 'approved' } },
  'POST /v1/events': { query: '?source=src_a', body: bought('r1'), answers: [422] },
  'POST /v1/imports': { answers: [422] },
  'GET /v1/import-presets': LIST,
  'GET /v1/import-presets/{name}/example': { answers: [200] },
  'GET /v1/imports/{id}': {},
  'POST /v1/imports/{id}/preview': {},
  'POST /v1/imports/{id}/resume': {},
  'GET /v1/imports/{id}/result': {},
  'PUT /v1/imports/{id}/file': { body: '{}', type: 'application/x-ndjson' },
  'POST /v1/consents': {
    body: { identifiers: [{ kind: 'loyalty', value: '1' }], purposes: ['profiles'], status: 'withdrawn', source: 'src_a' },
    answers: [422],
  },
  'POST /v1/consents:find': { body: { identifier: { kind: 'loyalty', value: '1' }, source: 'src_a' }, answers: [422] },
  'POST /v1/erasures': { ...FORBIDDEN, body: { identifiers: [{ kind: 'loyalty', value: '1' }], source: 'src_a' } },
  'GET /v1/erasures/{id}': FORBIDDEN,
  'GET /v1/profiles/{id}': {},
  'GET /v1/profiles/{id}/export': {},
  'POST /v1/profiles:find': { body: { identifier: { kind: 'loyalty', value: '1' }, source: 'src_a' }, answers: [422] },
  'POST /v1/quarantine/{id}/replay': {},
  // Of the key's own sources alone: none.
  'POST /v1/quarantine/replay': { query: '?source=src_a', answers: [202] },
  'GET /v1/quarantine': { ...LIST, query: '?source=src_a' },
  'GET /v1/jobs/{id}': {},
  'DELETE /v1/jobs/{id}': {},
  'POST /v1/refresh': { answers: [202] },
  'GET /v1/snapshot': LIST,
  'GET /v1/ads-txt': FORBIDDEN,
  'GET /v1/ads-txt/{domain}': FORBIDDEN,
  'PUT /v1/ads-txt/{domain}': { ...FORBIDDEN, body: 'x', type: 'text/plain' },
  'DELETE /v1/ads-txt/{domain}': FORBIDDEN,
  'GET /v1/sellers-json': FORBIDDEN,
  'GET /v1/sellers-json/{domain}': FORBIDDEN,
  'PUT /v1/sellers-json/{domain}': { ...FORBIDDEN, body: '{}', type: 'text/plain' },
  'DELETE /v1/sellers-json/{domain}': FORBIDDEN,
  'GET /v1/rates': FORBIDDEN,
  'PUT /v1/rates': { ...FORBIDDEN, body: { at: '2026-01-01T00:00:00Z', perUsd: { EUR: 1 } } },
  'GET /v1/reports/conversions': { query: '?campaign=cmp_a' },
  'GET /v1/reports/data-costs': { query: '?from=2026-01-01&to=2026-12-31&campaign=cmp_a' },
  'GET /v1/reports/match-rate': { query: '?source=src_a' },
  'GET /v1/peppers': FORBIDDEN,
  'POST /v1/peppers/{id}/rotate': { ...FORBIDDEN, body: { generation: 2 } },
  'POST /v1/peppers/{id}/retire': { ...FORBIDDEN, body: { generation: 0 } },
  'POST /v1/peppers/{id}/honour': { ...FORBIDDEN, body: { generation: 0 } },
  'POST /v1/identity-withdrawals': {
    ...FORBIDDEN,
    body: { a: { kind: 'loyalty', value: '1' }, b: { kind: 'loyalty', value: '2' }, source: 'src_a' },
  },
  'GET /v1/reports/retention': LIST,
  'GET /v1/reports/quality': { ...LIST, query: '?source=src_a' },
  'GET /v1/alarms': LIST,
  'POST /v1/retention': FORBIDDEN,
  'GET /v1/audit-log': { ...LIST, query: '?limit=1000' },
};

async function operations(): Promise<string[]> {
  const { paths } = await api.ok<{ paths: Record<string, object> }>('GET', '/openapi.json', undefined, { key: null });
  return Object.entries(paths).flatMap(([path, methods]) =>
    Object.keys(methods).map((method) => `${method.toUpperCase()} ${path}`),
  );
}

/** The operation's address with the other advertiser's ids in it. */
function addressOf(path: string): string {
  const noun = /^\/v1\/(?:debug\/)?([a-z-]+)/.exec(path)?.[1] ?? '';
  return path.replaceAll(/\{(\w+)\}/g, (_, name: string) => {
    const id = name === 'id' ? (ids[noun] ?? (noun === 'exchanges' ? 'ex' : undefined)) : ids[name];
    if (id === undefined) throw new Error(`the walk has no ${name} for ${path}`);
    return id;
  });
}

async function walk(operation: string, key: string) {
  const [method, path] = operation.split(' ') as [Method, string];
  const probe = PROBES[operation] as Probe;
  const noun = /^\/v1\/(?:debug\/)?([a-z-]+)/.exec(path)?.[1] ?? '';
  const writes = method !== 'GET' && method !== 'DELETE';
  const body = probe.body ?? (writes ? bodies[noun] : undefined);
  const headers = { 'if-match': '*', ...(probe.type === undefined ? {} : { 'content-type': probe.type }) };
  return api.call(method, `${addressOf(path)}${probe.query ?? ''}`, body, { key, headers });
}

describe('with another advertiser’s key', () => {
  test('every operation of the document is walked', async () => {
    const all = await operations();
    expect(all.filter((operation) => PROBES[operation] === undefined)).toEqual([]);
    expect(Object.keys(PROBES).filter((operation) => !all.includes(operation))).toEqual([]);
  });

  test('every one of them gets nothing and changes nothing', async () => {
    const before = await state();
    for (const operation of (await operations()).filter((name) => PROBES[name] !== undefined)) {
      const answer = await walk(operation, keyB);
      expect.soft(PROBES[operation]?.answers ?? HIDDEN, `${operation} ${answer.body.slice(0, 300)}`).toContain(answer.statusCode);
      // A refusal may name what was asked for, not what is there.
      const told = answer.statusCode < 400 ? SECRETS.filter((secret) => answer.body.includes(secret)) : [];
      expect.soft(told, operation).toEqual([]);
      expect.soft(answer.body, operation).not.toContain(MARK);
    }
    expect(await state()).toEqual(before);
  });

  test('the same calls do get something with the key of whom it belongs to, so that the walk is not an empty one', async () => {
    const reads = (await operations()).filter((name) => name.startsWith('GET ') && (PROBES[name]?.answers ?? HIDDEN) === HIDDEN);
    expect(reads.length).toBeGreaterThan(10);
    for (const operation of reads) {
      const answer = await walk(operation, keyA);
      expect.soft(answer.statusCode, `${operation} ${answer.body.slice(0, 300)}`).toBe(OWN[operation] ?? 200);
    }
  });
});

/** All that there is of the first advertiser, and all that the second one's key has written. */
async function state(): Promise<unknown> {
  const { warehouse, jobs } = api.deps;
  return {
    revisions: await warehouse.query({
      sql: 'SELECT kind, id, max(revision) AS n FROM revisions GROUP BY kind, id ORDER BY kind, id',
    }),
    purchases: await warehouse.query({ sql: 'SELECT * EXCEPT ingested FROM purchases FINAL ORDER BY source, receipt' }),
    job: (await jobs.get(ids['jobs'] as string))?.state,
  };
}
