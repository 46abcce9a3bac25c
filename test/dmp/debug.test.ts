import { gzipSync } from 'node:zlib';
import Fastify, { type FastifyInstance } from 'fastify';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { type Announced, announceBidder, registerDebugPort } from '../../bidder/debug/port.ts';
import { type Publisher, startPublisher } from '../../dmp/snapshot/publish.ts';
import { AD_EVENT_STREAM, BIDDERS_KEY } from '../../proto/keys.ts';
import { eventually, startBidder, type TestBidder } from '../bidder/support/bidder.ts';
import { encodeRequestMessage } from '../bidder/support/message.ts';
import { startApi, type TestApi } from '../support/api.ts';

let api: TestApi;
let bidder: TestBidder;
let publisher: Publisher;
let port: FastifyInstance;
let announced: Announced;
let keyOfA: string;
const any = { headers: { 'if-match': '*' } };
const NOW = '2026-03-03T12:00:00Z';

const request = (more: object = {}) => ({
  id: 'auction-1',
  at: 1,
  tmax: 1_000,
  imp: [{ id: '1', banner: { w: 300, h: 250 }, bidfloor: 0.5 }],
  site: { id: 's1', domain: 'news.example', page: 'https://news.example/a', publisher: { id: 'p1' } },
  device: { devicetype: 4, os: 'Android', osv: '13', make: 'Samsung', language: 'fi', geo: { country: 'USA' } },
  ...more,
});

beforeAll(async () => {
  api = await startApi();
  for (const id of ['adv_a', 'adv_b'])
    await api.ok('POST', '/v1/advertisers', { id, name: id, domains: [`${id.slice(4)}.example`] });
  await api.ok('POST', '/v1/exchanges', { id: 'acme', name: 'Acme' });
  const key = { name: 'A', advertiser: 'adv_a', scopes: ['debug:read'] };
  keyOfA = (await api.ok<{ key: string }>('POST', '/v1/api-keys', key)).key;
  await api.ok('POST', '/v1/segments', { id: 'regulars', advertiser: 'adv_a', name: 'R', rule: { visits: {} } });
  for (const [of, price] of [
    ['a', 2_000_000],
    ['b', 3_000_000],
  ] as const) {
    const advertiser = `adv_${of}`;
    const flight = { start: '2026-03-01T00:00:00Z', end: '2099-01-01T00:00:00Z' };
    await api.ok('POST', '/v1/campaigns', { id: `cmp_${of}`, advertiser, name: of, ...flight });
    const creative = { w: 300, h: 250, html: '<a href="${CLICK_URL}">x</a>', landing: `https://${of}.example/` };
    await api.ok('POST', '/v1/creatives', { id: `cr_${of}`, advertiser, name: 'B', ...creative });
    const lineItem = { campaign: `cmp_${of}`, name: `Of ${of}`, bid: { maxCpmMicros: price }, creatives: [`cr_${of}`] };
    await api.ok('POST', '/v1/line-items', { id: `li_${of}`, ...lineItem });
  }
  publisher = startPublisher(api.deps);
  await publisher.publish();
  const { path } = api.deps.redis.options;
  bidder = await startBidder(path as string, { pepper: api.deps.pepper });
  const { answer } = bidder.worker.debugger;
  port = Fastify();
  registerDebugPort(port, { askOne: answer, askAll: async (question) => [await answer(question)] }, api.deps.pepper);
  await port.listen({ host: '127.0.0.1', port: 0 });
  announced = announceBidder(api.deps.redis, 'test:1', '127.0.0.1', (port.server.address() as { port: number }).port);
});
afterAll(async () => {
  await announced.stop();
  await port.close();
  await bidder.close();
  await publisher.close();
  await api.stop();
});

interface Told {
  snapshot: number;
  outcome: string;
  reason: string | null;
  response: { seatbid: { bid: { price: number; cid: string; nurl: string }[] }[] } | null;
  lineItems: {
    id: string;
    outcome: string;
    reasons: { code: string; part: string; field: string | null }[];
    prices: object[];
    timings: { explain: number };
  }[];
  totals: { lineItems: number; bid: number; outbid: number; noBid: number; reasons: Record<string, number> } | null;
  page: { next: string | null; hasMore: boolean };
  person: object;
  permission: object;
  timings: Record<string, number>;
}

interface Counted {
  bids: number;
  reasons: Record<string, number>;
  since: string;
  workers: number;
  snapshot: { requests: number; passedOver: { part: string; code: string; requests: number }[] };
}

const ask = (body: object = {}, key?: string) =>
  api.ok<Told>(
    'POST',
    '/v1/debug/bid',
    { exchange: 'acme', request: request(), now: NOW, ...body },
    key === undefined ? {} : { key },
  );
const served = async () => {
  const version = await publisher.publish();
  await bidder.worker.feed.refresh();
  await eventually(
    () => bidder.worker.feed.current()?.version,
    (now) => now === version,
  );
};
/** What does not depend on how fast the machine is. */
const bytesOf = (told: Told): string => JSON.stringify(told, (name, value) => (name === 'timings' ? undefined : value));
const codesOf = (told: Told, id: string) => told.lineItems.find((one) => one.id === id)?.reasons.map(({ code }) => code);

test('a request is decided as in an auction, with what the exchange would get and what each price is made of', async () => {
  const told = await ask();
  expect(told).toMatchObject({ outcome: 'bid', status: 200, reason: null, permission: { why: 'unrestricted', bid: true } });
  expect(told.response?.seatbid[0]?.bid).toMatchObject([{ price: 3, cid: 'cmp_b' }]);
  expect(told.lineItems).toMatchObject(
    [
      { id: 'li_b', outcome: 'bid', reasons: [] },
      {
        id: 'li_a',
        name: 'Of a',
        outcome: 'outbid',
        reasons: [],
        prices: [{ imp: '1', maxCpm: 2_000_000, price: 2_000_000, floor: 0.5, offered: { cpm: 2 } }],
      },
    ].sort((a, b) => told.lineItems.findIndex(({ id }) => id === a.id) - told.lineItems.findIndex(({ id }) => id === b.id)),
  );
  expect(told.totals).toMatchObject({ lineItems: 2, bid: 1, outbid: 1, noBid: 0, reasons: {} });
  expect(Object.keys(told.timings)).toEqual(['decode', 'privacy', 'profile', 'explain', 'decide']);
  for (const { timings } of told.lineItems) expect(timings.explain).toBeGreaterThanOrEqual(0);
  // Notice addresses and all.
  expect(bytesOf(await ask())).toBe(bytesOf(told));
});

describe('a pasted request', () => {
  test('may be a text, or a body as it was sent: JSON or protobuf, compressed or not', async () => {
    const json = JSON.stringify(request());
    const message = encodeRequestMessage(request());
    const told = bytesOf(await ask());
    const sent = [Buffer.from(json), gzipSync(json), message, gzipSync(message)].map((body) => body.toString('base64'));
    for (const pasted of [json, `\n\t${json}\n`, `\ufeff${json}`, ...sent]) {
      const { quirks: _, ...rest } = JSON.parse(bytesOf(await ask({ request: pasted })));
      const { quirks: __, ...expected } = JSON.parse(told);
      expect(rest, pasted.slice(0, 20)).toEqual(expected);
    }
    const long = await ask({ request: json.replace('"auction-1"', '12345678901234567890') });
    expect(long).toMatchObject({ outcome: 'bid', response: { id: '12345678901234567890' } });
    expect((long as unknown as { quirks: string[] }).quirks).toContain('id_rounded');
  });

  test.each<[string, string, string]>([
    ['cut off', '{"id": "1", "imp": [', 'malformed'],
    ['of something else', 'Dear Sir or Madam,', 'malformed'],
    ['a message that is cut off', encodeRequestMessage(request()).subarray(0, 40).toString('base64'), 'malformed'],
    ['larger than any that is taken', gzipSync(Buffer.alloc(300_000, 32)).toString('base64'), 'too_large'],
  ])('that is no request is told as the exchange would be told: one %s', async (_, pasted, reason) => {
    expect(await ask({ request: pasted })).toMatchObject({
      outcome: 'no_bid',
      status: 400,
      reason,
      response: null,
      lineItems: [],
    });
  });
});

test('it has no effect: no event, no count, no notice that anybody takes', async () => {
  const events = await api.deps.redis.xlen(AD_EVENT_STREAM);
  const before = await bidder.metrics.registry.metrics();
  const told = await ask();
  const nurl = told.response?.seatbid[0]?.bid[0]?.nurl ?? '';
  expect((await bidder.call(nurl, { AUCTION_PRICE: '1' })).statusCode).toBeGreaterThanOrEqual(400);
  expect(await api.deps.redis.xlen(AD_EVENT_STREAM)).toBe(events);
  const bids = (text: string) =>
    text.split('\n').filter((line) => /^walkin_(bid_requests|no_bids|bidder_privacy|leases)/.test(line));
  expect(bids(await bidder.metrics.registry.metrics())).toEqual(bids(before));
});

describe('a key that is bound to an advertiser', () => {
  test('is told of its own line items, and nothing of those that win', async () => {
    const told = await ask({}, keyOfA);
    expect(told.lineItems.map(({ id, outcome }) => [id, outcome])).toEqual([['li_a', 'outbid']]);
    expect(told.totals).toMatchObject({ lineItems: 1 });
    expect(told).toMatchObject({ status: null, reason: null, response: null });
    expect(JSON.stringify(told)).not.toMatch(/cmp_b|li_b|b\.example/);
  });

  test('finds nobody else’s line item, campaign or requests', async () => {
    const body = { exchange: 'acme', request: request(), lineItems: ['li_b'], campaign: 'cmp_b' };
    const refused = await api.call('POST', '/v1/debug/bid', body, { key: keyOfA });
    expect(refused.json().errors.map(({ pointer, code }: { pointer: string; code: string }) => `${pointer} ${code}`)).toEqual([
      '/campaign unknown_campaign',
      '/lineItems/0 unknown_line_item',
    ]);
    expect((await api.call('GET', '/v1/debug/requests', undefined, { key: keyOfA })).statusCode).toBe(403);
    expect((await api.call('GET', '/v1/debug/line-items/li_b', undefined, { key: keyOfA })).statusCode).toBe(404);
  });
});

test('a line item that is not live says what it lacks', async () => {
  await api.ok('POST', '/v1/line-items', {
    id: 'li_off',
    campaign: 'cmp_a',
    name: 'Off',
    status: 'paused',
    end: '2026-04-01T00:00:00Z',
    bid: { maxCpmMicros: 1 },
    creatives: ['cr_a'],
  });
  const told = await ask({ lineItems: ['li_off', 'li_a'], now: '2026-05-01T00:00:00Z' });
  expect(told.lineItems[0]).toMatchObject({ id: 'li_off', outcome: 'not_live' });
  expect(told.lineItems[0]?.reasons.map(({ part }) => part)).toEqual(['status', 'flight']);
  expect(told.lineItems[1]).toMatchObject({ id: 'li_a' });
});

test('pages hold for one snapshot', async () => {
  const first = await ask({ limit: 1 });
  expect(first.page.hasMore).toBe(true);
  const second = await ask({ limit: 1, cursor: first.page.next });
  expect(second).toMatchObject({ totals: null, page: { hasMore: false } });
  expect(new Set([...first.lineItems, ...second.lineItems].map(({ id }) => id))).toEqual(new Set(['li_a', 'li_b']));
  await api.ok('PATCH', '/v1/line-items/li_b', { name: 'Anew', bid: { maxCpmMicros: 3_100_000 } }, any);
  await served();
  const body = { exchange: 'acme', request: request(), limit: 1, cursor: first.page.next };
  expect((await api.call('POST', '/v1/debug/bid', body)).json().code).toBe('bad_cursor');
});

test('budgets are read, and nothing is leased', async () => {
  await api.ok('PATCH', '/v1/line-items/li_b', { budget: { totalMicros: 1_000 } }, any);
  await served();
  const told = await ask({ lineItems: ['li_b'] });
  expect(codesOf(told, 'li_b')).toEqual(['budget']);
  expect(told.lineItems[0]?.prices).toMatchObject([{ cost: 3_100, budgetLeft: 1_000 }]);
  expect(told.response?.seatbid[0]?.bid).toMatchObject([{ cid: 'cmp_a' }]);
});

test('a request of which nothing may be bid says why, and so do all line items by themselves', async () => {
  const told = await ask({ request: request({ regs: { gdpr: 1 } }) });
  expect(told).toMatchObject({ outcome: 'no_bid', reason: 'privacy', reasons: [{ code: 'privacy', part: 'permission' }] });
  // Each beside its own.
  for (const { outcome, reasons } of told.lineItems)
    expect([outcome, reasons[0]]).toMatchObject(['no_bid', { code: 'privacy', part: 'permission', field: null }]);
  expect(codesOf(told, 'li_b')).toEqual(['privacy', 'budget']);
  expect(told.totals).toMatchObject({
    bid: 0,
    outbid: 0,
    noBid: told.lineItems.length,
    reasons: { privacy: told.lineItems.length },
  });
  expect((await ask({ request: request({ regs: { gdpr: 1 } }), reason: 'privacy' })).lineItems).toEqual(
    told.lineItems.map((one) => ({ ...one, timings: { explain: expect.any(Number) } })),
  );
  await api.ok('POST', '/v1/exchanges', { id: 'unheard', name: 'Of which nothing is considered', sampling: 0 });
  await served();
  const shed = await ask({ exchange: 'unheard' });
  expect(shed).toMatchObject({ outcome: 'no_bid', status: 204, reason: 'shed', response: null, totals: { bid: 0, outbid: 0 } });
  expect(codesOf(shed, 'li_a')).toEqual(['shed']);
  expect(await ask({ request: { id: 'x' } })).toMatchObject({
    outcome: 'no_bid',
    status: 400,
    reason: 'malformed',
    lineItems: [],
  });
});

test('what live requests came to is counted by line item and reason, over swaps of the snapshot', async () => {
  const counts = (id: string) => api.ok<Counted>('GET', `/v1/debug/line-items/${id}`);
  const before = await counts('li_a');
  const wire = request({ imp: [{ id: '1', banner: { w: 300, h: 250 }, bidfloor: 0.5 }] });
  // A busy machine answers some too late.
  const send = async (times: number) => {
    for (let i = 0; i < times; i++) await bidder.bid({ ...wire, id: `live-${i}` }, {}, 'acme');
    return counts('li_a');
  };
  const busy = await eventually(
    () => send(3),
    ({ bids }) => bids >= before.bids + 3,
  );
  expect(busy.workers).toBe(1);
  await api.ok('PATCH', '/v1/line-items/li_a', { targeting: { makes: ['apple'] } }, any);
  await api.ok('PATCH', '/v1/line-items/li_b', { status: 'paused' }, any);
  await served();
  const after = await eventually(
    () => send(2),
    ({ reasons }) => (reasons['unsupported_device'] ?? 0) >= 2,
  );
  expect(after.bids).toBe(busy.bids);
  // Others bid meanwhile: what was looked at is counted all the same.
  await api.ok('PATCH', '/v1/line-items/li_b', { status: 'active', budget: { totalMicros: null } }, any);
  await api.ok('PATCH', '/v1/line-items/li_a', { targeting: { makes: null, osVersions: { from: '14' } } }, any);
  await served();
  const looked = await eventually(
    () => send(2),
    ({ reasons }) => (reasons['unsupported_device'] ?? 0) >= (after.reasons['unsupported_device'] ?? 0) + 2,
  );
  expect(looked.bids).toBe(after.bids);
  await api.ok('PATCH', '/v1/line-items/li_b', { status: 'paused' }, any);
  await api.ok('PATCH', '/v1/line-items/li_a', { targeting: { os: ['ios'], osVersions: null, inventory: ['site'] } }, any);
  await served();
  const { snapshot } = await eventually(
    () => send(2),
    (counted) => counted.snapshot.passedOver.length > 0,
  );
  expect(snapshot.passedOver).toEqual([{ part: 'os', code: 'unsupported_device', requests: snapshot.requests }]);
  await api.ok('PATCH', '/v1/line-items/li_a', { targeting: { os: null, inventory: null, makes: ['apple'] } }, any);
  await served();
  const listed = await api.ok<{ data: { lineItem: string }[] }>('GET', '/v1/debug/line-items?campaign=cmp_a');
  expect(listed.data.map(({ lineItem }) => lineItem)).toEqual(['li_a', 'li_off']);
  expect((await api.call('GET', '/v1/debug/line-items?campaign=none')).statusCode).toBe(404);
});

test('a sample of live requests is listed, and each can be run again', async () => {
  const { data } = await api.ok<{ data: { id: string; outcome: string; exchange: string; request: { id: string } }[] }>(
    'GET',
    '/v1/debug/requests?exchange=acme&outcome=unsupported_device',
  );
  expect(data.length).toBeGreaterThanOrEqual(2);
  const [sampled] = data;
  expect(sampled).toMatchObject({ outcome: 'unsupported_device', exchange: 'acme', named: false, request: { id: sampled?.id } });
  const told = await api.ok<Told>('POST', `/v1/debug/requests/${sampled?.id}/run`, { lineItems: ['li_a'] });
  expect(told).toMatchObject({ outcome: 'no_bid', reason: 'unsupported_device' });
  expect(told.lineItems[0]?.reasons).toMatchObject([
    { code: 'unsupported_device', part: 'makes', have: 'samsung', need: ['apple'], field: '/targeting/makes' },
  ]);
  expect((await api.call('POST', '/v1/debug/requests/rq_none/run', {})).statusCode).toBe(404);
});

test('all reasons are told at once, each with what the request brings and what is asked for', async () => {
  await api.ok('POST', '/v1/inventory-lists', {
    id: 'il_good',
    advertiser: 'adv_a',
    name: 'G',
    kind: 'domain',
    entries: ['good.example'],
  });
  const targeting = {
    makes: null,
    os: ['ios'],
    osVersions: { from: '14' },
    languages: ['sv'],
    lists: { include: ['il_good'] },
    geo: { include: [{ country: 'FI' }] },
    positions: [1],
    segments: [['regulars']],
    dayparts: { mon: [['00:00', '01:00']] },
  };
  await api.ok('PATCH', '/v1/line-items/li_a', { targeting, bid: { maxCpmMicros: 400_000 }, caps: [] }, any);
  await served();
  const told = await ask({ lineItems: ['li_a'], profile: { segments: [] } });
  const reasons = told.lineItems[0]?.reasons.map(({ code, part }) => `${part} ${code}`).sort();
  expect(reasons).toEqual([
    'bid below_floor',
    'dayparts daypart',
    'geo outside_area',
    'languages unsupported_device',
    'lists inventory',
    'os unsupported_device',
    'osVersions unsupported_device',
    'positions inventory',
    'segments segment',
  ]);
  const mended = request({
    imp: [{ id: '1', banner: { w: 300, h: 250, pos: 1 }, bidfloor: 0.3 }],
    site: { domain: 'www.good.example' },
    device: { os: 'iOS', osv: '17.1', ifa: '7a1c1c0d-0000-4000-8000-000000000000', language: 'sv', geo: { country: 'FIN' } },
    regs: { gdpr: 0 },
  });
  const profile = { segments: [{ segment: 'regulars', hoursAgo: 3 }] };
  const bid = await ask({ request: mended, lineItems: ['li_a'], profile, now: '2026-03-02T00:30:00Z' });
  expect(bid.lineItems[0]?.reasons).toEqual([]);
  expect(bid).toMatchObject({ outcome: 'bid', person: { state: 'known', source: 'given', segments: 1 } });
});

describe('a question is refused', () => {
  test.each<[string, object, string[]]>([
    ['of an exchange that is none', { exchange: 'none' }, ['/exchange unknown_exchange']],
    [
      'of a person in segments that are none',
      { profile: { segments: [{ segment: 'none' }] } },
      ['/profile/segments/0/segment unknown_segment'],
    ],
    ['without a request', { request: undefined }, ['/request required']],
    ['with a request that is a number', { request: 5 }, ['/request type']],
    ['with an empty text', { request: '' }, ['/request too_short']],
    ['for a reason that is none', { reason: 'bad_luck' }, ['/reason enum']],
    ['for too many', { limit: 501 }, ['/limit maximum']],
  ])('%s', async (_, change, expected) => {
    const response = await api.call('POST', '/v1/debug/bid', { exchange: 'acme', request: request(), ...change });
    expect(response.json().errors.map(({ pointer, code }: { pointer: string; code: string }) => `${pointer} ${code}`)).toEqual(
      expected,
    );
  });

  test('by a key without the scope, and by the private port without its key', async () => {
    const key = (await api.ok<{ key: string }>('POST', '/v1/api-keys', { name: 'R', scopes: ['reports:read'] })).key;
    expect((await api.call('POST', '/v1/debug/bid', { exchange: 'acme', request: request() }, { key })).statusCode).toBe(403);
    for (const authorization of ['', 'Bearer x'])
      expect(
        (
          await port.inject({
            method: 'POST',
            url: '/debug',
            payload: { kind: 'requests', id: null },
            headers: { authorization },
          })
        ).statusCode,
      ).toBe(401);
    expect((await bidder.worker.app.inject({ method: 'POST', url: '/debug', payload: {} })).statusCode).toBe(404);
  });
});

test('a segment that a live line item names, in whatever way, cannot be deleted, and nothing is changed by the try', async () => {
  const ways = [
    { segments: [['regulars']], excludedSegments: null, segmentRule: null },
    { segments: null, excludedSegments: ['regulars'], segmentRule: null },
    { segments: null, excludedSegments: null, segmentRule: { not: { segment: 'regulars', withinHours: 24 } } },
  ];
  const free = { ...ways[0], segments: null, makes: null, os: null, osVersions: null, languages: null, lists: null };
  const more = { ...free, geo: null, positions: null, dayparts: null };
  await api.ok('PATCH', '/v1/line-items/li_a', { targeting: more, bid: { maxCpmMicros: 2_000_000 } }, any);
  for (const targeting of ways) {
    await api.ok('PATCH', '/v1/line-items/li_a', { targeting }, any);
    await served();
    const version = bidder.worker.feed.current()?.version;
    const before = await api.ok('GET', '/v1/segments/regulars');
    const refused = await api.call('DELETE', '/v1/segments/regulars', undefined, any);
    expect([refused.statusCode, refused.json()]).toMatchObject([
      409,
      { code: 'in_use', errors: [{ code: 'in_use', message: 'line-item li_a refers to it' }] },
    ]);
    expect(await api.ok('GET', '/v1/segments/regulars')).toEqual(before);
    expect(await publisher.publish()).toBe(version);
    const member = { lineItems: ['li_a'], profile: { segments: [{ segment: 'regulars', hoursAgo: 1 }] } };
    const isIn = targeting.segments !== null;
    const ifa = { device: { ifa: '7a1c1c0d-0000-4000-8000-000000000000', geo: { country: 'USA' } }, regs: { gdpr: 0 } };
    expect(codesOf(await ask({ ...member, request: request(ifa) }), 'li_a')).toEqual(isIn ? [] : ['segment']);
    expect(codesOf(await ask({ ...member, request: request(ifa), profile: { segments: [] } }), 'li_a')).toEqual(
      isIn ? ['segment'] : [],
    );
  }
  await api.ok('PATCH', '/v1/line-items/li_a', { targeting: { segmentRule: null } }, any);
  expect((await api.call('DELETE', '/v1/segments/regulars', undefined, any)).statusCode).toBe(204);
  expect((await api.call('GET', '/v1/segments/regulars')).statusCode).toBe(404);
});

test('where no bidder can be asked, the answer says so; one that went silent is forgotten', async () => {
  const { redis } = api.deps;
  const known = await redis.hgetall(BIDDERS_KEY);
  await redis.hset(BIDDERS_KEY, 'test:1', JSON.stringify({ address: 'http://127.0.0.1:1', at: Date.now() - 60_000 }));
  const response = await api.call('POST', '/v1/debug/bid', { exchange: 'acme', request: request() });
  expect([response.statusCode, response.json().code]).toEqual([503, 'unavailable']);
  expect(await redis.hlen(BIDDERS_KEY)).toBe(0);
  await redis.hset(BIDDERS_KEY, known);
});
