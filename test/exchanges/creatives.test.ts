import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import type { Creative } from '../../dmp/campaigns/creative.ts';
import { apisOf } from '../../dmp/creatives/apis.ts';
import { auditCreative } from '../../dmp/creatives/audit.ts';
import { blockedExchanges } from '../../dmp/creatives/blocked.ts';
import { takeVerdicts } from '../../dmp/creatives/verdicts.ts';
import { buildSnapshot } from '../../dmp/snapshot/build.ts';
import { coverOf } from '../../proto/fence.ts';
import { startApi, type TestApi } from '../support/api.ts';

const GOOD: Creative = {
  advertiser: 'adv_a',
  name: 'C',
  type: 'banner',
  w: 300,
  h: 250,
  html: '<a href="${CLICK_URL}"><img src="https://cdn.a.example/i.png"></a>',
  landing: 'https://a.example/?s=${STORE_ID}',
  categories: ['IAB8'],
};
const codesOf = (given: Partial<Creative>, domains = ['a.example']) => {
  const { faults, advice } = auditCreative({ ...GOOD, ...given }, domains);
  return { faults: faults.map(({ pointer, code }) => `${pointer} ${code}`), advice: advice.map(({ code }) => code) };
};

describe('the audit of a creative', () => {
  it('finds nothing to complain about where there is nothing', () => {
    expect(codesOf({})).toEqual({ faults: [], advice: [] });
    expect(codesOf({ html: `${GOOD.html}<svg xmlns="http://www.w3.org/2000/svg"></svg>` }).faults).toEqual([]);
  });

  it.each([
    ['without a click macro', { html: '<b>x</b>' }, ['/html no_click_macro']],
    ['that loads without encryption', { html: `${GOOD.html}<script src="HTTP://x.example/a.js">` }, ['/html not_secure']],
    ['whose picture is not secure', { iurl: 'http://cdn.a.example/i.png' }, ['/iurl not_secure']],
    ['too small to be seen', { w: 1, h: 1 }, ['/w creative_size', '/h creative_size']],
    ['that leads elsewhere', { landing: 'https://b.example/' }, ['/landing landing_domain']],
  ])('holds back one %s', (_, given, faults) => {
    expect(codesOf(given).faults).toEqual(faults);
  });

  it('asks video and native for no macro, since the bidder gives them their click address', () => {
    const { html: _, w: __, h: ___, ...rest } = GOOD;
    expect(auditCreative({ ...rest, type: 'video' }, ['a.example']).faults).toEqual([]);
  });

  it('advises to name a category, but does not insist', () => {
    expect(codesOf({ categories: [] })).toEqual({ faults: [], advice: ['no_category'] });
  });
});

describe('what a creative needs of a place', () => {
  it('is as declared, else MRAID where it loads that, else nothing', () => {
    for (const html of [
      '<script src="mraid.js"></script>',
      "<SCRIPT type=a src='/x/MRAID.js'></SCRIPT>",
      '<script src=mraid.js>',
    ])
      expect(apisOf({ html })).toEqual([3, 5, 6]);
    for (const html of ['<b>mraid.js</b>', '<script src="mraid.json"></script>', '']) expect(apisOf({ html })).toEqual([]);
    expect(apisOf({ html: '<script src="mraid.js"></script>', apis: [] })).toEqual([]);
    expect(apisOf({ apis: [2] })).toEqual([2]);
  });
});

describe('the life of a creative', () => {
  let api: TestApi;
  const live = () => buildSnapshot(api.deps.things, coverOf, 1, Date.now()).lineItems[0]?.creatives ?? [];

  beforeAll(async () => {
    api = await startApi();
    await api.ok('POST', '/v1/advertisers', { id: 'adv_a', name: 'A', domains: ['a.example'] });
    for (const id of ['x', 'y']) await api.ok('POST', '/v1/exchanges', { id, name: id });
    const flight = { start: '2026-01-01T00:00:00Z', end: '2099-01-01T00:00:00Z' };
    await api.ok('POST', '/v1/campaigns', { id: 'cmp', advertiser: 'adv_a', name: 'C', ...flight });
    await api.ok('POST', '/v1/creatives', { id: 'good', ...GOOD });
    await api.ok('POST', '/v1/creatives', { id: 'mute', ...GOOD, html: '<b>x</b>' });
    const bid = { maxCpmMicros: 1_000_000 };
    await api.ok('POST', '/v1/line-items', { id: 'li', campaign: 'cmp', name: 'L', bid, creatives: ['good', 'mute'] });
  });
  afterAll(() => api.stop());

  it('goes on only with a passed audit', async () => {
    expect(live().map(({ id }) => id)).toEqual(['good']);
    expect(await api.ok('GET', '/v1/creatives/good/audit')).toEqual({ creative: 'good', passed: true, faults: [], advice: [] });
    expect(await api.ok('GET', '/v1/creatives/mute/audit')).toMatchObject({
      passed: false,
      faults: [{ pointer: '/html', code: 'no_click_macro' }],
    });
  });

  it('is bid where no exchange objects, and not where one waits or refuses', async () => {
    expect(live()[0]?.blockedExchanges).toEqual([]);
    const approvals = '/v1/creatives/good/approvals';
    await api.ok('PUT', `${approvals}/x`, { state: 'pending' });
    await api.ok('PUT', `${approvals}/y`, { state: 'rejected', reason: 'animation too long' });
    expect(live()[0]?.blockedExchanges).toEqual(['x', 'y']);
    await api.ok('PUT', `${approvals}/x`, { state: 'approved' });
    expect(live()[0]?.blockedExchanges).toEqual(['y']);
    expect(await api.ok('GET', approvals)).toMatchObject({
      data: [
        { creative: 'good', exchange: 'x', state: 'approved', reason: null },
        { creative: 'good', exchange: 'y', state: 'rejected', reason: 'animation too long' },
      ],
    });
  });

  it('is written down as the exchange tells it: pending for an hour and longer, disapproved for good, won is approved', async () => {
    await api.ok('POST', '/v1/exchanges', { id: 'z', name: 'z' });
    const { things } = api.deps;
    const HOUR = 3_600_000;
    const say = (type: 'loss' | 'win', lossReason: number | null, at: number, test = false) =>
      takeVerdicts(things, [{ type, exchange: 'z', creative: 'good', lossReason, test }], at);
    const blockedAt = (at: number) => blockedExchanges(things, at).get('good')?.includes('z') ?? false;
    await say('win', null, 0);
    await say('loss', 102, 0);
    await say('loss', 202, 0, true);
    expect(things.get('approval', 'good.z')).toBeUndefined();
    await say('loss', 201, 0);
    await say('loss', 201, 1);
    expect([blockedAt(HOUR - 1), blockedAt(HOUR)]).toEqual([true, false]);
    await say('loss', 201, HOUR);
    expect([blockedAt(3 * HOUR - 1), blockedAt(3 * HOUR)]).toEqual([true, false]);
    await say('win', null, 3 * HOUR);
    expect(things.get('approval', 'good.z')?.body.state).toBe('approved');
    await say('loss', 202, 4 * HOUR);
    expect(blockedAt(1e15)).toBe(true);
    expect((await api.ok<{ data: { by: string }[] }>('GET', '/v1/creatives/good/approvals')).data.at(-1)).toMatchObject({
      exchange: 'z',
      state: 'rejected',
      reason: 'loss reason 202',
      by: 'exchange',
    });
    await api.ok('PUT', '/v1/creatives/good/approvals/z', { state: 'approved' });
    await say('loss', 202, 5 * HOUR);
    expect(things.get('approval', 'good.z')?.body.state).toBe('approved');
  });

  it('is told by those who may, of what is there', async () => {
    const { key } = await api.ok<{ key: string }>('POST', '/v1/api-keys', {
      name: 'theirs',
      advertiser: 'adv_a',
      scopes: ['campaigns:read', 'campaigns:write'],
    });
    const put = (path: string, body: object, options = {}) => api.call('PUT', `/v1/creatives/${path}`, body, options);
    expect((await put('good/approvals/x', { state: 'approved' }, { key })).statusCode).toBe(403);
    expect((await put('none/approvals/x', { state: 'approved' })).statusCode).toBe(404);
    expect((await put('good/approvals/none', { state: 'approved' })).statusCode).toBe(404);
    expect((await put('good/approvals/x', { state: 'loved' })).json().errors).toMatchObject([
      { pointer: '/state', code: 'enum' },
    ]);
    expect((await api.call('GET', '/v1/creatives/good/audit', undefined, { key })).statusCode).toBe(200);
    const { key: other } = await api.ok<{ key: string }>('POST', '/v1/api-keys', { name: 'o', scopes: ['stores:read'] });
    expect((await api.call('GET', '/v1/creatives/good/audit', undefined, { key: other })).statusCode).toBe(403);
  });
});
