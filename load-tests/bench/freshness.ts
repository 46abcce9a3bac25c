import { mkdir } from 'node:fs/promises';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { freePort, ownCommand, startChild } from './child.ts';
import type { Options } from './options.ts';
import { PEPPER, type Rig, setUpRig } from './rig.ts';
import { BenchError, say } from './say.ts';

export interface Freshness {
  /** From an event being accepted to the first bid that counts on it. */
  readonly freshnessP95S: number;
}

/** A bidder needs a world, and here a small one does. */
const SMALL = 0.001;
const PEOPLE = 200;
const EXCHANGE = 'fresh';
const KEY = `wk_admin_${'f'.repeat(64)}`;
/** Once in its life, and that of this bench: a refresh must not be what makes anybody known. */
const REFRESH_S = 86_400;
const PATIENCE_MS = 20_000;
/** Published people, people whom an event is the first to name, and people whom it names by their card only. */
const WAYS = ['known', 'new', 'card'] as const;
type Way = (typeof WAYS)[number];

/**
 * Bidder, dmp and segmenter run as they do for real. Somebody on whom nobody bids opens a page; how long after the event is accepted is
 * the line item bid that wants those who just did?
 */
export async function benchFreshness(options: Options): Promise<Freshness> {
  const rig = await setUpRig({ ...options, scale: SMALL });
  let data: Data | null = null;
  try {
    data = await startData(rig, options);
    const api = data;
    await wantWhoJustCame(api);
    const bidder = await rig.startBidder();
    const people = Math.max(9, Math.round(PEOPLE * Math.min(1, options.scale)));
    await knowThem(rig, api, people);
    const seconds = await timeAll(api, bidder.port, people);
    return { freshnessP95S: quantile(seconds, 0.95) };
  } finally {
    await data?.stop();
    await rig.stop();
  }
}

interface Api {
  call<T>(method: string, path: string, body?: unknown): Promise<T>;
}

interface Data extends Api {
  readonly port: number;
  stop(): Promise<void>;
}

/** @param cores it runs on, as taskset takes them; by default that of the bench */
export async function startData({ folder, pinning }: Rig, { env }: Options, cores: string | null = null): Promise<Data> {
  const dataDir = join(folder, 'data');
  await mkdir(dataDir, { recursive: true });
  const [port, metricsPort] = [await freePort(), await freePort()];
  const command = ownCommand('segmenter/embedded');
  const core = cores === null ? (pinning?.rest ?? null) : null;
  const child = startChild(core, cores === null ? command : ['taskset', '-c', cores, ...command], {
    ...env,
    REDIS_URL: join(folder, 'redis.sock'),
    WALKIN_DATA_DIR: dataDir,
    WALKIN_LOG_LEVEL: 'warn',
    WALKIN_HOST: '127.0.0.1',
    WALKIN_PEPPER: PEPPER,
    WALKIN_ADMIN_KEY: KEY,
    WALKIN_API_PORT: String(port),
    WALKIN_API_METRICS_PORT: String(metricsPort),
    WALKIN_REFRESH_SECONDS: String(REFRESH_S),
  });
  await child.until(async () => (await fetch(`http://127.0.0.1:${metricsPort}/readyz`)).ok, 120);
  const call = async <T>(method: string, path: string, body?: unknown): Promise<T> => {
    const response = await fetch(`http://127.0.0.1:${port}/v1/${path}`, {
      method,
      headers: { authorization: `Bearer ${KEY}`, 'content-type': 'application/json', 'if-match': '*' },
      ...(body === undefined ? {} : { body: JSON.stringify(body) }),
    });
    const text = await response.text();
    if (!response.ok) throw new BenchError(`${method} ${path}: ${response.status} ${text}`);
    return (text === '' ? null : JSON.parse(text)) as T;
  };
  return { port, call, stop: () => child.stop() };
}

/** One line item that bids on whoever opened a page of the shop within a day, and on nobody else. */
async function wantWhoJustCame({ call }: Api): Promise<void> {
  const put = (path: string, body: object) => call('PUT', path, body);
  await put('advertisers/shop', { name: 'Shop', domains: ['shop.example'], currency: 'USD' });
  await put(`exchanges/${EXCHANGE}`, { name: 'Fresh' });
  const rule = { pages: { urlContains: '/shop', window: { days: 1 } } };
  await put('segments/visitors', { advertiser: 'shop', name: 'Visitors', rule, minimumSize: 1 });
  const day = (days: number): string => new Date(Date.now() + days * 86_400_000).toISOString();
  await put('campaigns/now', { advertiser: 'shop', name: 'Now', start: day(-1), end: day(30) });
  const banner = { w: 300, h: 250, html: '<a href="${CLICK_URL}">x</a>', landing: 'https://shop.example/' };
  await put('creatives/banner', { advertiser: 'shop', name: 'Banner', ...banner });
  const targeting = { segments: [['visitors']] };
  await put('line-items/now', {
    campaign: 'now',
    name: 'Now',
    bid: { maxCpmMicros: 1_000_000 },
    creatives: ['banner'],
    targeting,
  });
}

const wayOf = (n: number): Way => WAYS[n % WAYS.length] as Way;

/** Of most of them a browser and a card are known and published before. */
async function knowThem({ redis }: Rig, { call }: Api, people: number): Promise<void> {
  const known = Array.from({ length: people }, (_, n) => n).filter((n) => wayOf(n) !== 'new');
  const events = known.map((n) => ({ type: 'identify', at: Date.now(), identifiers: [browserOf(n), cardOf(n)] }));
  await call('POST', 'events', events);
  const { id } = await call<{ id: string }>('POST', 'refresh', {});
  for (const end = performance.now() + 120_000; ; await sleep(100)) {
    const { state, error } = await call<{ state: string; error: string | null }>('GET', `jobs/${id}`);
    if (state === 'succeeded') break;
    if (state === 'failed' || performance.now() > end)
      throw new BenchError(`the refresh did not succeed: ${state} ${error ?? ''}`);
  }
  const identifiers = await redis.keys('u:*');
  say(`${known.length} people are known and published, ${identifiers.length} identifiers`);
}

const browserOf = (n: number) => ({ kind: 'cookie', value: `fresh-${n}` });
const cardOf = (n: number) => ({ kind: 'loyalty', value: `card-${n}` });

async function timeAll(api: Api, port: number, people: number): Promise<number[]> {
  const seconds: Record<Way, number[]> = { known: [], new: [], card: [] };
  for (let n = 0; n < people; n++) seconds[wayOf(n)].push(await timeOne(api, port, n));
  for (const way of WAYS) {
    const ms = (share: number): string => (quantile(seconds[way], share) * 1000).toFixed(0);
    say(`${way}: ${ms(0.5)} ms in the median, ${ms(0.95)} ms at the 95th percentile, ${ms(1)} ms at most`);
  }
  return Object.values(seconds).flat();
}

async function timeOne({ call }: Api, port: number, n: number): Promise<number> {
  // The bidder knows the person from a moment before, as one who opens a page.
  if ((await bidStatus(port, n)) !== 204) throw new BenchError('the bidder bids on somebody who did nothing');
  const identifiers = wayOf(n) === 'card' ? [cardOf(n)] : [browserOf(n)];
  const event = { type: 'page', id: `page-${n}`, at: Date.now(), url: 'https://shop.example/shop', identifiers };
  const { accepted } = await call<{ accepted: number }>('POST', 'events', event);
  const since = performance.now();
  if (accepted !== 1) throw new BenchError('the event was not accepted');
  while ((await bidStatus(port, n)) !== 200) {
    if (performance.now() - since > PATIENCE_MS) throw new BenchError(`nobody bids on who just came (${wayOf(n)})`);
    await sleep(1);
  }
  return (performance.now() - since) / 1000;
}

let asked = 0;

async function bidStatus(port: number, n: number): Promise<number> {
  const request = {
    id: `fresh-${n}-${asked++}`,
    at: 2,
    tmax: 1_000,
    imp: [{ id: '1', banner: { w: 300, h: 250 } }],
    site: { id: 's', domain: 'news.example', page: 'https://news.example/' },
    device: { ua: 'Mozilla/5.0', ip: '93.184.216.34' },
    user: { buyeruid: browserOf(n).value },
    regs: { ext: { gdpr: 0 } },
  };
  const response = await fetch(`http://127.0.0.1:${port}/openrtb2/${EXCHANGE}`, {
    method: 'POST',
    headers: { 'content-type': 'application/json', 'x-openrtb-version': '2.6' },
    body: JSON.stringify(request),
  });
  await response.arrayBuffer();
  return response.status;
}

function quantile(seconds: readonly number[], share: number): number {
  const sorted = [...seconds].sort((a, b) => a - b);
  const at = Math.min(sorted.length - 1, Math.floor(sorted.length * share));
  return Math.round((sorted[at] ?? 0) * 1_000) / 1_000;
}
