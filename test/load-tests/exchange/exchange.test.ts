import { createServer, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import { drawCity } from '../../../load-tests/city/city.ts';
import type { PageView } from '../../../load-tests/city/page-views.ts';
import { connect } from '../../../load-tests/exchange/connection.ts';
import { type Exchange, type Sale, sell } from '../../../load-tests/exchange/exchange.ts';
import { expand, linksOf } from '../../../load-tests/exchange/notices.ts';
import { requestOf } from '../../../load-tests/exchange/request.ts';
import type { WireBid } from '../../../proto/openrtb.ts';

const settings = { seed: 5, shoppers: 20, days: 1, effect: 0, holdout: 0, start: Date.UTC(2026, 0, 5), attempt: 1 };
const city = drawCity(settings);
const shopper = city.shoppers.find((one) => one.ifa !== null) as (typeof city.shoppers)[number];
const view = (n: number): PageView => ({ auction: `a1-0-0-${n}`, at: settings.start + 1_000, kind: 'app', fix: null });

/** A bidder that answers as it is told and remembers what it was asked. */
let server: Server;
let base = '';
let calls: { method: string; url: string; time: string }[] = [];
let price = 100;
let failures = 0;
let noticeStatus = 204;

beforeAll(async () => {
  server = createServer((request, reply) => {
    const chunks: Buffer[] = [];
    request.on('data', (chunk: Buffer) => chunks.push(chunk));
    request.on('end', () => {
      const url = request.url ?? '';
      calls.push({ method: request.method ?? '', url, time: String(request.headers['x-walkin-time']) });
      if (url.startsWith('/openrtb2/')) {
        if (price === 0) return reply.writeHead(204).end();
        const { id } = JSON.parse(Buffer.concat(chunks).toString()) as { id: string };
        return reply.writeHead(200, { 'content-type': 'application/json' }).end(JSON.stringify(answerTo(id)));
      }
      if (failures-- > 0) return reply.writeHead(503).end();
      if (url.startsWith('/click')) return reply.writeHead(302, { location: 'https://elsewhere.example/' }).end();
      return reply.writeHead(noticeStatus).end();
    });
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  base = `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
});
afterAll(() => new Promise((resolve) => server.close(resolve)));
beforeEach(() => {
  calls = [];
  price = 100;
  failures = 0;
  noticeStatus = 204;
});

function answerTo(id: string) {
  const bid: WireBid = {
    id: 'b1',
    impid: '1',
    price,
    adm: `<a href="${base}/click?b=1&amp;x=2">x</a><img src="${base}/imp?b=1&amp;p=\${AUCTION_PRICE}">`,
    adomain: ['x.example'],
    cid: 'c',
    crid: 'cr',
    w: 320,
    h: 50,
    mtype: 1,
    nurl: `${base}/win?p=\${AUCTION_PRICE}`,
    burl: `${base}/bill?p=\${AUCTION_PRICE}`,
    lurl: `${base}/loss?r=\${AUCTION_LOSS}&m=\${AUCTION_MIN_TO_WIN}`,
  };
  return { id, seatbid: [{ bid: [bid] }] };
}

async function sellOnce(n: number): Promise<Sale> {
  const bidder = connect(base, 4);
  const exchange: Exchange = { bidder, id: 'city', seed: 5, end: settings.start + 86_400_000 };
  return sell(exchange, shopper, view(n)).finally(() => bidder.close());
}

describe('an exchange that sells a page view', () => {
  it('calls win, billing and pixel with the price, all in simulated time', async () => {
    let sale: Sale = await sellOnce(0);
    for (let n = 1; sale.kind !== 'bid' || sale.shownAt === null; n++) {
      calls = [];
      sale = await sellOnce(n);
    }
    expect(sale.cost).toBe(100_000);
    const urls = new Set(calls.map(({ url }) => url));
    expect(urls).toContain('/openrtb2/city');
    expect(urls).toContain('/win?p=100');
    expect(urls).toContain('/bill?p=100');
    expect(urls).toContain('/imp?b=1&p=100');
    for (const { time } of calls) expect(Number(time)).toBeGreaterThanOrEqual(settings.start);
  });

  it('tells a loser the reason and what would have won, and nothing else', async () => {
    price = 0.01;
    expect(await sellOnce(3)).toMatchObject({ kind: 'bid', won: false, cost: 0, shownAt: null });
    expect(calls.slice(1).every(({ url }) => /^\/loss\?r=102&m=\d/.test(url))).toBe(true);
  });

  it('repeats a notice until it is taken', async () => {
    failures = 3;
    price = 0.01;
    await sellOnce(3);
    expect(calls.filter(({ url }) => url.startsWith('/loss')).length).toBeGreaterThanOrEqual(4);
  });

  it('does not hide a notice that is refused for good', async () => {
    noticeStatus = 400;
    await expect(sellOnce(3)).rejects.toThrow('refused with 400');
  });

  it('counts a no-bid', async () => {
    price = 0;
    expect(await sellOnce(1)).toMatchObject({ kind: 'no-bid' });
  });

  it('counts a bidder that is away as unanswered', async () => {
    const bidder = connect('http://127.0.0.1:1', 1);
    const exchange: Exchange = { bidder, id: 'city', seed: 5, end: 0 };
    expect(await sell(exchange, shopper, view(1))).toMatchObject({ kind: 'unanswered' });
  });

  it('repeats and delays some notices', async () => {
    let repeated = 0;
    for (let n = 0; n < 60; n++) {
      calls = [];
      await sellOnce(n);
      const wins = calls.filter(({ url }) => url.startsWith('/win'));
      if (wins.length > 1) repeated++;
    }
    expect(repeated).toBeGreaterThan(0);
    expect(repeated).toBeLessThan(30);
  });
});

describe('the exchange', () => {
  it('calls nobody outside this machine', () => {
    expect(() => connect('http://example.com', 1)).toThrow('this machine only');
  });

  it('leaves macros alone that are not its own', () => {
    const facts = { auction: 'a', response: answerTo('a'), bid: answerTo('a').seatbid[0]?.bid[0] as WireBid };
    const full = { ...facts, price: '1.5', loss: '', minToWin: '', shownAt: '' };
    expect(expand('${AUCTION_PRICE} ${AUCTION_LOSS}|${CLICK_URL}|${AUCTION_X}', full)).toBe('1.5 |${CLICK_URL}|${AUCTION_X}');
  });

  it('finds the pixels and the click address of an ad', () => {
    expect(linksOf('<a href="/c?a=1&amp;b=2">x</a><img width="1" src="/p?a&amp;b"/>')).toEqual({
      pixels: ['/p?a&b'],
      click: '/c?a=1&b=2',
    });
  });

  it('sends no identifier of people who limit tracking', () => {
    const limited = drawCity({ ...settings, shoppers: 300 }).shoppers.find((one) => one.ifa === null);
    const request = requestOf(limited as never, view(1), 0.5);
    expect(request.device).toMatchObject({ lmt: 1, ifa: '00000000-0000-0000-0000-000000000000' });
    expect(request.user).toEqual({});
  });
});
