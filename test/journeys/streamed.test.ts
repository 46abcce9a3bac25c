import { afterAll, beforeAll, expect, test } from 'vitest';
import { eventually } from '../bidder/support/bidder.ts';
import { type System, startSystem } from './system.ts';

/**
 * From an event to the next bid decision, by HTTP alone and against all processes. No refresh runs meanwhile but the one at the start, so
 * only what is streamed can be the reason. Each line item wants one format, by which bids tell which of them it was.
 */

const STORE = { lat: 55.7502, lon: 37.6102 };
const FORMATS = {
  near: [300, 250],
  bought: [320, 50],
  visited: [728, 90],
  saw: [160, 600],
  soon: [970, 250],
  ad: [468, 60],
} as const;
type Name = keyof typeof FORMATS;
const RULES: Readonly<Partial<Record<Name, object>>> = {
  near: { near: { stores: ['st'], metres: 300 } },
  bought: { purchases: { stores: ['st'], window: { days: 1 } } },
  visited: { visits: { stores: ['st'], minDwellSeconds: 240, window: { days: 1 } } },
  saw: { exposures: { campaigns: ['now'], lineItems: ['ad'], count: { min: 1 }, window: { days: 1 } } },
  // 26 seconds.
  soon: { pages: { urlContains: '/soon', last: { max: 0.0003 } } },
};
const PATIENCE = 20_000;
const MINUTE = 60_000;

let system: System;

beforeAll(async () => {
  system = await startSystem({ WALKIN_REFRESH_SECONDS: '86400' });
  await put('advertisers/shop', { name: 'Shop', domains: ['shop.example'], currency: 'USD' });
  await put('exchanges/acme', { name: 'Acme' });
  const fence = { type: 'circle', radius: 75 };
  await put('stores/st', { advertiser: 'shop', name: 'Store', address: 'Street 1', timeZone: 'UTC', ...STORE, fence });
  const day = (days: number): string => new Date(Date.now() + days * 86_400_000).toISOString();
  await put('campaigns/now', { advertiser: 'shop', name: 'Now', start: day(-1), end: day(30) });
  for (const name of Object.keys(FORMATS) as Name[]) {
    const [w, h] = FORMATS[name];
    const html = '<a href="${CLICK_URL}">x</a>';
    await put(`creatives/${name}`, { advertiser: 'shop', name, w, h, html, landing: 'https://shop.example/' });
    const rule = RULES[name];
    if (rule !== undefined) await put(`segments/${name}`, { advertiser: 'shop', name, rule, minimumSize: 1 });
    const lineItem = { campaign: 'now', name, bid: { maxCpmMicros: 1_000_000 }, creatives: [name] };
    await put(`line-items/${name}`, { ...lineItem, ...(rule === undefined ? {} : { targeting: { segments: [[name]] } }) });
  }
  const { id } = await call<{ id: string }>('POST', 'refresh', {});
  await eventually(
    () => call<{ state: string }>('GET', `jobs/${id}`),
    ({ state }) => state === 'succeeded',
    60_000,
  );
  // The one without a segment says that the bidder serves what was put.
  await eventually(
    () => bidOn('ad', 'nobody'),
    (bid) => bid !== null,
    60_000,
  );
}, 180_000);
afterAll(() => system?.stop(), 30_000);

async function call<T>(method: string, path: string, body?: object): Promise<T> {
  const response = await fetch(`${system.api}/v1/${path}`, {
    method,
    headers: { authorization: `Bearer ${system.key}`, 'content-type': 'application/json', 'if-match': '*' },
    ...(body === undefined ? {} : { body: JSON.stringify(body) }),
  });
  const text = await response.text();
  if (!response.ok) throw new Error(`${method} ${path}: ${response.status} ${text}`);
  return JSON.parse(text) as T;
}

const put = (path: string, body: object): Promise<unknown> => call('PUT', path, body);

let asked = 0;

interface Bid {
  readonly adm: string;
  readonly nurl?: string;
  readonly burl?: string;
}

/** What is bid for the format of a line item to somebody with a cookie of ours; null: nothing. */
async function bidOn(name: Name, who: string): Promise<Bid | null> {
  const [w, h] = FORMATS[name];
  const response = await fetch(`${system.bidder}/openrtb2/acme`, {
    method: 'POST',
    headers: { 'content-type': 'application/json', 'x-openrtb-version': '2.6' },
    body: JSON.stringify({
      ...{ id: `${who}-${asked++}`, at: 2, tmax: 1_000, imp: [{ id: '1', banner: { w, h } }] },
      site: { id: 's', domain: 'news.example', page: 'https://news.example/' },
      ...{ device: { ua: 'Mozilla/5.0', ip: '93.184.216.34' }, user: { buyeruid: who }, regs: { ext: { gdpr: 0 } } },
    }),
  });
  if (response.status !== 200) return null;
  return ((await response.json()) as { seatbid: { bid: Bid[] }[] }).seatbid[0]?.bid[0] ?? null;
}

const isBid = async (name: Name, who: string): Promise<boolean> => (await bidOn(name, who)) !== null;
const becomes = (name: Name, who: string, wanted: boolean): Promise<boolean> =>
  eventually(
    () => isBid(name, who),
    (is) => is === wanted,
    PATIENCE,
  );

async function happens(who: string, ...events: object[]): Promise<void> {
  const identifiers = [{ kind: 'cookie', value: who }];
  const all = events.map((event) => ({ at: Date.now(), identifiers, ...event }));
  expect(await call('POST', 'events', all)).toMatchObject({ accepted: events.length });
}

const ping = (minutesAgo: number) => ({ type: 'ping', ...STORE, accuracy: 10, at: Date.now() - minutesAgo * MINUTE });
const bought = { type: 'purchase', id: 'r1', store: 'st', lines: [{ category: 'Milk', amountMicros: 1_000_000 }] };

test('who is near a store now is bid on at once', async () => {
  expect(await isBid('near', 'walker')).toBe(false);
  await happens('walker', ping(0));
  await becomes('near', 'walker', true);
  expect(await isBid('bought', 'walker')).toBe(false);
});

test('who has just bought is bid on at once, and no more once consent is withdrawn', async () => {
  expect(await isBid('bought', 'buyer')).toBe(false);
  await happens('buyer', bought);
  await becomes('bought', 'buyer', true);
  const identifiers = [{ kind: 'cookie', value: 'buyer' }];
  await call('POST', 'consents', { consents: [{ identifiers, purposes: ['profiles'], status: 'withdrawn' }] });
  await becomes('bought', 'buyer', false);
  await happens('buyer', { ...bought, id: 'r2' });
  await happens('other', bought);
  await becomes('bought', 'other', true);
  expect(await isBid('bought', 'buyer')).toBe(false);
});

test('who has just visited a store is bid on as soon as the stay is long enough', async () => {
  await happens('guest', ping(9));
  await becomes('near', 'guest', true);
  expect(await isBid('visited', 'guest')).toBe(false);
  await happens('guest', ping(2));
  await becomes('visited', 'guest', true);
});

test('who just saw the ad is bid on by the line item that follows it', async () => {
  expect(await isBid('saw', 'viewer')).toBe(false);
  const bid = (await bidOn('ad', 'viewer')) as Bid;
  const seen = /https?:\/\/[^"'\s]+\/imp[^"'\s]*/.exec(bid.adm)?.[0] ?? bid.burl;
  const path = new URL((seen as string).replaceAll('&amp;', '&').replaceAll('${AUCTION_PRICE}', '1.0'));
  expect((await fetch(`${system.bidder}${path.pathname}${path.search}`)).ok).toBe(true);
  await becomes('saw', 'viewer', true);
  expect(await isBid('saw', 'nobody')).toBe(false);
});

test('a membership ages out without an event', async () => {
  // Again where a stall was longer than the membership.
  const comes = async (): Promise<boolean> => {
    await happens('reader', { type: 'page', id: 'p1', url: 'https://shop.example/soon' });
    return isBid('soon', 'reader');
  };
  await eventually(comes, (is) => is, PATIENCE);
  await eventually(
    () => isBid('soon', 'reader'),
    (is) => !is,
    60_000,
  );
}, 90_000);
