import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { heldBack, minimumOf, verdictOf } from '../../dmp/segments/guards.ts';
import { recordRun } from '../../dmp/segments/runs.ts';
import { sensitivityOf } from '../../dmp/segments/sensitivity.ts';
import { audienceName, isSensitiveAudience } from '../../dmp/segments/taxonomy.ts';
import { noteLive } from '../../dmp/segments/uses.ts';
import { startApi, type TestApi } from '../support/api.ts';

let api: TestApi;
let marketer: string;
const rule = { purchases: {} };

beforeAll(async () => {
  api = await startApi();
  await api.app.ready();
  await api.ok('PUT', '/v1/advertisers/shop', { name: 'Shop', domains: ['shop.example'] });
  await api.ok('PUT', '/v1/advertisers/other', { name: 'Other', domains: ['other.example'] });
  const body = { id: 'marketer', name: 'Marketer', advertiser: 'shop', role: 'marketer' };
  marketer = (await api.ok<{ key: string }>('POST', '/v1/api-keys', body)).key;
  const flight = { start: '2026-01-01T00:00:00Z', end: '2099-01-01T00:00:00Z' };
  await api.ok('PUT', '/v1/campaigns/c', {
    ...{ advertiser: 'shop', name: 'C', status: 'active', ...flight, budgetMicros: null, holdout: null },
  });
  await api.ok('PUT', '/v1/creatives/cr', {
    ...{ advertiser: 'shop', name: 'Cr', w: 300, h: 250, html: '<a href="${CLICK_URL}">x</a>', landing: 'https://shop.example/' },
  });
});
afterAll(() => api.stop());

let version = 0;
const evaluated = (segment: string, members: number, revision = 1) =>
  recordRun(api.deps.warehouse, {
    ...{ segment, version: ++version, revision, started: Date.now() + version, seconds: 0.1, members },
    ...{ entered: members, left: 0, error: '' as const },
  });
const put = (id: string, more: object = {}, key?: string) =>
  api.call(
    'PUT',
    `/v1/segments/${id}`,
    { advertiser: 'shop', name: id, rule, ...more },
    {
      headers: { 'if-match': '*' },
      ...(key === undefined ? {} : { key }),
    },
  );
const lineItem = (id: string, targeting: object) =>
  api.ok('PUT', `/v1/line-items/${id}`, {
    ...{ campaign: 'c', name: id, status: 'active', budget: {}, bid: { maxCpmMicros: 1_000 }, creatives: ['cr'], targeting },
  });
const held = async () => [...(await heldBack(api.deps.warehouse, api.deps.things))].sort();
const codesOf = async (id: string) =>
  (await api.ok<{ heldBack: { code: string }[] }>('GET', `/v1/line-items/${id}`)).heldBack.map(({ code }) => code);

describe('the minimum', () => {
  test('a segment of nobody is pending, a small one refused, a large one ready', async () => {
    await put('growing');
    expect(verdictOf(api.deps.things, undefined, 'growing').state).toBe('pending');
    await lineItem('li_growing', { segments: [['growing']] });
    expect(await held()).toEqual([]);
    await evaluated('growing', 0);
    expect(await held()).toEqual([]);
    await evaluated('growing', 99);
    expect(await held()).toEqual(['li_growing']);
    expect(await codesOf('li_growing')).toEqual(['below_minimum']);
    const shown = await api.ok<{ usable: { state: string } }>('GET', '/v1/segments/growing');
    expect(shown.usable.state).toBe('refused');
    await evaluated('growing', 100);
    expect(await held()).toEqual([]);
    expect(await codesOf('li_growing')).toEqual([]);
  });

  test('a marketer may raise it, an admin lowers it, and the audit log knows who', async () => {
    await put('raised');
    expect((await put('raised', { minimumSize: 500 }, marketer)).statusCode).toBe(200);
    const refused = await put('raised', { minimumSize: 20 }, marketer);
    expect(refused.statusCode).toBe(422);
    expect(refused.json()).toMatchObject({ errors: [{ pointer: '/minimumSize', code: 'admin_only' }] });
    expect((await put('raised', { minimumSize: 20 })).statusCode).toBe(200);
    expect(minimumOf(api.deps.things, 'raised')).toBe(20);
    // What an admin said stays as it is when a marketer changes the rest.
    expect((await put('raised', { minimumSize: 20, name: 'Renamed' }, marketer)).statusCode).toBe(200);
    const log = await api.ok<{ data: { actor: string; changed: string[] }[] }>('GET', '/v1/audit-log?kind=segment&id=raised');
    const isMarketer = (actor: string) => actor !== 'admin';
    expect(log.data.filter(({ changed }) => changed.includes('minimumSize')).map(({ actor }) => isMarketer(actor))).toEqual([
      false,
      true,
      false,
    ]);
  });

  test('a segment that a line item leaves out may be small', async () => {
    await put('staff');
    await evaluated('staff', 3);
    await lineItem('li_staff', { excludedSegments: ['staff'], segmentRule: { not: { segment: 'staff' } } });
    expect(await held()).toEqual([]);
  });

  test('one that it picks by leaving out whoever is not in it may not', async () => {
    const staff = { segment: 'staff', withinHours: 24 };
    const ways = {
      li_twice: { not: { not: staff } },
      li_within: { not: { any: [{ segment: 'growing' }, { not: { all: [staff, { not: { segment: 'raised' } }] } }] } },
    };
    for (const [id, segmentRule] of Object.entries(ways)) await lineItem(id, { segmentRule });
    expect(await held()).toEqual(Object.keys(ways));
    for (const id of Object.keys(ways)) {
      expect(await codesOf(id)).toEqual(['below_minimum']);
      await api.ok('DELETE', `/v1/line-items/${id}`, undefined, { headers: { 'if-match': '*' } });
    }
    expect(await held()).toEqual([]);
  });
});

describe('sensitive segments', () => {
  test('are known by their mark, their taxonomy id or a word of their name', () => {
    const plain = { name: 'Dairy', sensitive: false, taxonomy: null };
    expect(sensitivityOf(plain)).toBeNull();
    expect(sensitivityOf({ ...plain, sensitive: true })).toContain('marked');
    expect(sensitivityOf({ ...plain, taxonomy: { segtax: 4, id: '551' } })).toContain('551');
    for (const name of ['Diabetes care', 'buyers of PREGNANCY tests', 'Постоянные покупатели аптек', 'Верующие'])
      expect(sensitivityOf({ ...plain, name }), name).not.toBeNull();
    for (const name of ['Parents of toddlers', 'Impatient shoppers', 'Regulars', 'Любители кофе'])
      expect(sensitivityOf({ ...plain, name }), name).toBeNull();
  });

  test('a line item with one is held back until an admin allows it, and it needs a thousand people', async () => {
    await put('sick', { sensitive: true });
    await put('made-of-sick', { rule: { all: [rule, { not: { segment: 'sick' } }] } });
    await evaluated('sick', 999);
    await evaluated('made-of-sick', 5_000);
    await lineItem('li_sick', { segments: [['sick']] });
    await lineItem('li_made', { segments: [['made-of-sick']] });
    expect(await codesOf('li_sick')).toEqual(['sensitive', 'below_minimum']);
    expect(await codesOf('li_made')).toEqual(['sensitive']);
    const refused = await put('made-of-sick', { rule: { segment: 'sick' }, sensitiveAllowed: true }, marketer);
    expect(refused.json()).toMatchObject({ errors: [{ pointer: '/sensitiveAllowed', code: 'admin_only' }] });
    expect((await put('sick', { sensitive: false }, marketer)).json()).toMatchObject({ errors: [{ pointer: '/sensitive' }] });
    await put('sick', { sensitive: true, sensitiveAllowed: true });
    expect(await codesOf('li_sick')).toEqual(['below_minimum']);
    await evaluated('sick', 1_000);
    expect(await codesOf('li_sick')).toEqual([]);
    expect(await held()).toEqual(['li_made']);
  });
});

describe('the taxonomy', () => {
  test('an id must be one of the IAB Audience Taxonomy 1.1', async () => {
    expect(audienceName('2')).toBe('Demographic | Age Range');
    expect(audienceName('9999')).toBeNull();
    expect([isSensitiveAudience('551'), isSensitiveAudience('2')]).toEqual([true, false]);
    const refused = await put('bought', { taxonomy: { segtax: 4, id: '9999' } });
    expect(refused.json()).toMatchObject({ errors: [{ pointer: '/taxonomy/id', code: 'unknown_audience' }] });
    const bought = { taxonomy: { segtax: 4, id: '2' }, price: { cpmMicros: 500_000 } };
    const rule = { attribute: { name: 'segment.sports' } };
    expect((await put('bought', { ...bought, rule })).json()).toMatchObject(bought);
  });
});

describe('contracts', () => {
  test('a source without the purpose of personalised ads holds back the line items whose segments stand on it', async () => {
    const source = { name: 'Research', party: '2p', purposes: ['profiles', 'statistics'] };
    await api.ok('PUT', '/v1/sources/research', source);
    await put('researched', { rule: { purchases: { sources: ['research'] } } });
    await evaluated('researched', 500);
    await lineItem('li_researched', { segments: [['researched']] });
    expect(await codesOf('li_researched')).toEqual(['terms']);
    await api.ok(
      'PATCH',
      '/v1/sources/research',
      { purposes: ['profiles', 'personalised_ads'] },
      {
        headers: { 'if-match': '*', 'content-type': 'application/merge-patch+json' },
      },
    );
    expect(await codesOf('li_researched')).toEqual([]);
  });
});

describe('uses', () => {
  test('are written down when a line item goes live and when it ends, and only its advertiser sees them', async () => {
    const written: string[] = [];
    const insert = (table: string, rows: readonly object[]) => {
      written.push(`${rows.length} ${table}`);
      return api.deps.warehouse.insert(table, rows);
    };
    const deps = { ...api.deps, warehouse: { ...api.deps.warehouse, insert } };
    await noteLive(deps, ['li_growing', 'li_staff']);
    await noteLive(deps, ['li_growing', 'li_staff']);
    await noteLive(deps, []);
    // However many go live at once: a snapshot waits for it.
    expect(written).toEqual(['2 segment_uses', '2 audit_log', '2 segment_uses', '2 audit_log']);
    const uses = await api.ok<{ data: { use: string; id: string }[]; current: object[] }>('GET', '/v1/segments/growing/uses');
    expect(uses.data.map(({ use, id }) => `${use} ${id}`).sort()).toEqual(['line-item li_growing', 'line-item-ended li_growing']);
    expect(uses.current).toEqual([{ use: 'line-item', id: 'li_growing', active: true, leavesOut: false, heldBack: [] }]);
    // What happened in one moment is on the pages of the log whole.
    await lineItem('li_staff_too', { excludedSegments: ['staff'] });
    await noteLive(api.deps, ['li_staff', 'li_staff_too']);
    await noteLive(api.deps, []);
    interface Page {
      data: { action: string }[];
      page: { next: string | null };
    }
    let acts = 0;
    for (let cursor: string | null = ''; cursor !== null; ) {
      const page: Page = await api.ok(
        'GET',
        `/v1/audit-log?kind=segments&id=staff&limit=1${cursor === '' ? '' : `&cursor=${cursor}`}`,
      );
      acts += page.data.filter(({ action }) => action === 'useSegment').length;
      cursor = page.page.next;
    }
    expect(acts).toBe(6);
    await api.ok('DELETE', '/v1/line-items/li_staff_too', undefined, { headers: { 'if-match': '*' } });
    // To leave somebody out is a use too.
    const left = await api.ok<typeof uses>('GET', '/v1/segments/staff/uses');
    expect(left.data.map(({ use, id }) => `${use} ${id}`).sort()).toEqual([
      ...['line-item li_staff', 'line-item li_staff', 'line-item li_staff_too'],
      ...['line-item-ended li_staff', 'line-item-ended li_staff', 'line-item-ended li_staff_too'],
    ]);
    expect(left.current).toEqual([{ use: 'line-item', id: 'li_staff', active: true, leavesOut: true, heldBack: [] }]);
    const crm = { advertiser: 'shop', name: 'CRM', kind: 'csv', segments: [{ segment: 'growing' }, { segment: 'staff' }] };
    await api.ok('PUT', '/v1/destinations/crm', crm);
    const sent = async (segment: string, options: object = {}) =>
      (await api.ok<typeof uses>('GET', `/v1/segments/${segment}/uses`, undefined, options)).current.at(-1);
    expect(await sent('growing')).toEqual({ use: 'destination', id: 'crm', active: true, leavesOut: false, heldBack: [] });
    expect(await sent('staff', { key: marketer })).toMatchObject({ id: 'crm', heldBack: [{ code: 'below_minimum' }] });
    const log = await api.ok<{ data: { action: string }[] }>('GET', '/v1/audit-log?kind=segments&id=growing');
    expect(log.data.map(({ action }) => action)).toContain('useSegment');
    const body = { id: 'others', name: 'Others', advertiser: 'other', role: 'marketer' };
    const { key } = await api.ok<{ key: string }>('POST', '/v1/api-keys', body);
    expect((await api.call('GET', '/v1/segments/growing/uses', undefined, { key })).statusCode).toBe(404);
  });
});
