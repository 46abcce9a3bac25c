import { afterAll, beforeAll, expect, test } from 'vitest';
import { eventually } from '../bidder/support/bidder.ts';
import { type System, startSystem } from './system.ts';

/** A marketer finds out why a line item does not bid, mends it, and it bids: by HTTP alone, against all processes. */

interface Told {
  readonly snapshot: number;
  readonly outcome: string;
  readonly reason: string | null;
  readonly lineItems: readonly { id: string; outcome: string; reasons: { part: string; code: string; field: string }[] }[];
}

const NOW = '2026-03-10T12:00:00Z';
const REQUEST = {
  id: 'r1',
  at: 1,
  tmax: 900,
  imp: [{ id: '1', bidfloor: 1.2, banner: { w: 300, h: 250, pos: 3 } }],
  site: { domain: 'www.news.example', cat: ['IAB12'], content: { language: 'en' } },
  device: {
    devicetype: 4,
    os: 'Android',
    osv: '13',
    make: 'Samsung',
    language: 'en',
    connectiontype: 2,
    ifa: '3f1c2b4a-9d8e-4f70-8a6b-5c4d3e2f1a0b',
    geo: { country: 'USA', region: 'NY', city: 'Albany', lat: 42.65258, lon: -73.75623, type: 1, accuracy: 10 },
  },
};
const WRONG = {
  inventory: ['app'],
  lists: { exclude: ['unwanted'] },
  content: { exclude: ['IAB12'] },
  positions: [1],
  osVersions: { from: '14' },
  makes: ['apple'],
  connectionTypes: [6],
  languages: ['sv'],
  geo: { include: [{ country: 'US', region: 'CA' }] },
  geofences: ['mall'],
  segmentRule: { all: [{ segment: 'regulars', withinHours: 24 }, { not: { segment: 'regulars', withinHours: 1 } }] },
  eids: ['id5-sync.com'],
  dayparts: { mon: [['08:00', '09:00']] },
};

let system: System;

beforeAll(async () => {
  system = await startSystem();
  await put('advertisers/shop', { name: 'Shop', domains: ['shop.example'], currency: 'USD' });
  await put('exchanges/acme', { name: 'Acme', simulated: true });
  await put('inventory-lists/unwanted', { advertiser: 'shop', name: 'Unwanted', kind: 'domain', entries: ['news.example'] });
  await put('segments/regulars', { advertiser: 'shop', name: 'Regulars', rule: { visits: {} }, minimumSize: 1 });
  const fence = { type: 'circle', lat: 40.75, lon: -73.98, radius: 300 };
  await put('geofences/mall', { advertiser: 'shop', name: 'Mall', fence });
  const flight = { start: '2026-03-01T00:00:00Z', end: '2026-04-01T00:00:00Z' };
  await put('campaigns/spring', { advertiser: 'shop', name: 'Spring', ...flight });
  const banner = { w: 300, h: 250, html: '<a href="${CLICK_URL}">x</a>', landing: 'https://shop.example/' };
  await put('creatives/banner', { advertiser: 'shop', name: 'Banner', ...banner });
  await put('line-items/near', {
    campaign: 'spring',
    name: 'Near',
    bid: { maxCpmMicros: 1_000_000 },
    creatives: ['banner'],
    targeting: WRONG,
  });
}, 180_000);
afterAll(() => system?.stop());

async function call<T>(method: string, path: string, body?: object, headers: Record<string, string> = {}): Promise<T> {
  const response = await fetch(`${system.api}/v1/${path}`, {
    method,
    headers: { authorization: `Bearer ${system.key}`, 'content-type': 'application/json', ...headers },
    ...(body === undefined ? {} : { body: JSON.stringify(body) }),
  });
  const text = await response.text();
  if (!response.ok) throw new Error(`${method} ${path}: ${response.status} ${text}`);
  return JSON.parse(text) as T;
}

function put(path: string, body: object): Promise<unknown> {
  return call('PUT', path, body, { 'if-match': '*' });
}

const ask = (more: object = {}) =>
  call<Told>('POST', 'debug/bid', {
    exchange: 'acme',
    request: REQUEST,
    now: NOW,
    profile: { segments: [{ segment: 'regulars', hoursAgo: 100 }] },
    lineItems: ['near'],
    ...more,
  });
const partsOf = ({ lineItems }: Told) => lineItems[0]?.reasons.map(({ part, code }) => `${part} ${code}`).sort() ?? [];

test('the debugger names all reasons; what is mended is gone from them, and in the end it bids', async () => {
  // Not yet served, or not yet this line item: then it is asked again.
  const served = async () => ask().catch(() => null);
  const first = (await eventually(served, (told) => told !== null && told.lineItems[0]?.outcome === 'no_bid', 60_000)) as Told;
  expect(partsOf(first)).toEqual([
    'bid below_floor',
    'connectionTypes unsupported_device',
    'content inventory',
    'dayparts daypart',
    'eids segment',
    'geo outside_area',
    'geofences outside_fence',
    'inventory inventory',
    'languages unsupported_device',
    'lists inventory',
    'makes unsupported_device',
    'osVersions unsupported_device',
    'positions inventory',
    'segmentRule segment',
  ]);
  expect(first.lineItems[0]?.reasons.map(({ field }) => field)).toContain('/targeting/lists');
  expect(first).toMatchObject({ outcome: 'no_bid' });

  const half = {
    inventory: null,
    lists: null,
    content: null,
    positions: [3],
    osVersions: { from: '13' },
    makes: null,
    eids: null,
  };
  await call('PATCH', 'line-items/near', { targeting: half }, { 'if-match': '*' });
  const second = await eventually(ask, (told) => partsOf(told).length < 14, 60_000);
  expect(partsOf(second)).toEqual([
    'bid below_floor',
    'connectionTypes unsupported_device',
    'dayparts daypart',
    'geo outside_area',
    'geofences outside_fence',
    'languages unsupported_device',
    'segmentRule segment',
  ]);

  const rest = {
    connectionTypes: [2],
    dayparts: null,
    geo: { include: [{ country: 'USA', city: 'albany' }] },
    languages: ['en'],
  };
  const mall = { type: 'circle', lat: 42.6526, lon: -73.7562, radius: 300 };
  await call('PATCH', 'geofences/mall', { fence: mall }, { 'if-match': '*' });
  const body = { bid: { maxCpmMicros: 1_500_000 }, targeting: { ...rest, segmentRule: null } };
  await call('PATCH', 'line-items/near', body, { 'if-match': '*' });
  const third = await eventually(ask, ({ outcome }) => outcome === 'bid', 60_000);
  expect(third).toMatchObject({ reason: null, lineItems: [{ id: 'near', outcome: 'bid', reasons: [] }] });

  const bid = await eventually(
    async () => {
      const response = await fetch(`${system.bidder}/openrtb2/acme`, {
        method: 'POST',
        headers: { 'content-type': 'application/json', 'x-walkin-time': String(Date.parse(NOW)) },
        body: JSON.stringify(REQUEST),
      });
      return { status: response.status, text: await response.text() };
    },
    ({ status }) => status === 200,
    30_000,
  );
  expect(JSON.parse(bid.text)).toMatchObject({ seatbid: [{ bid: [{ price: 1.5, cid: 'spring' }] }] });
  const counts = await eventually(
    () => call<{ bids: number }>('GET', 'debug/line-items/near'),
    ({ bids }) => bids > 0,
  );
  expect(counts.bids).toBeGreaterThan(0);
  const sample = await call<{ data: { outcome: string; request: { device: object } }[] }>('GET', 'debug/requests?exchange=acme');
  expect(sample.data.map(({ outcome }) => outcome)).toContain('bid');
  expect(JSON.stringify(sample.data)).not.toContain('3f1c2b4a');
}, 240_000);
