import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { type Child, freePort, ownCommand, startChild } from './child.ts';
import { createDraw } from './draw.ts';
import { startData } from './freshness.ts';
import { doubtsOf, type OpenLoopResult, runOpenLoop } from './open-loop.ts';
import type { Options } from './options.ts';
import { PEPPER, type Rig, setUpRig } from './rig.ts';
import { BenchError, say, sayShare } from './say.ts';

/** From the moment at which a page was to ask to its whole answer, ms; `evaluating…` while segments are evaluated and published. */
export interface LookupTimes {
  readonly lookupP50Ms: number;
  readonly lookupP99Ms: number;
  readonly lookupP999Ms: number;
  readonly evaluatingP50Ms: number;
  readonly evaluatingP99Ms: number;
  readonly evaluatingP999Ms: number;
  /** Pages that ask in a second, at random moments. */
  readonly lookupsPerS: number;
}

type Data = Awaited<ReturnType<typeof startData>>;

/** It asks for one key of Redis, whatever else is in there. */
const SMALL = 0.001;
const RATE = 200;
const VISITORS = 2_000;
/** What the evaluations count. */
const PEOPLE = 50_000;
const PAGES = 300_000;
const SEGMENTS = 40;
const TOGETHER = 2_000;
const SENDERS = 4;
const ORIGIN = 'https://shop.example';
/** An answer that comes later is of no use to a page. */
const LATE_MS = 5;
/** Not counted: code that nobody has run is slow, and is compiled while it runs. */
const WARM_S = 4;
const DAY_MS = 86_400_000;

/**
 * Pages ask which segments their visitor is in, of the process that answers them, beside a dmp that runs as it does for real: each with
 * the key of the shop, which has a limit, and from the shop's site. First while the dmp is quiet, then while it evaluates segments and
 * publishes them again and again. What the dmp itself answers is told beside.
 */
export async function benchLookup(options: Options): Promise<LookupTimes> {
  const rig = await setUpRig({ ...options, scale: SMALL });
  const { pinning } = rig;
  // The engine has both cores, as it has where it runs for real.
  const cores = pinning === null ? null : `${pinning.server},${pinning.rest}`;
  const data = await startData(rig, options, cores);
  let pages: Pages | null = null;
  try {
    pages = await startPages(rig, options, cores);
    const message = messagesOf(await openShop(data));
    await refresh(data);
    await untilTold(data);
    const ask = async ({ port }: { readonly port: number }, seconds: number, when: string): Promise<OpenLoopResult> => {
      const result = await askFor(port, message, seconds, options.seed);
      tell(when, result);
      return result;
    };
    await ask(pages, WARM_S, 'Not yet warm');
    const quiet = await ask(pages, options.seconds, 'Quiet');
    await ask(data, WARM_S, 'Of the dmp itself, not yet warm');
    await ask(data, options.seconds, 'Of the dmp itself, quiet');
    await browse(data, options);
    const { told, rounds } = await whileEvaluating(data, async () => [
      await ask(pages as Pages, options.seconds, 'While segments are evaluated'),
      await ask(data, options.seconds, 'Of the dmp itself, while segments are evaluated'),
    ]);
    const [busy] = told as [OpenLoopResult];
    say(`${SEGMENTS} segments were evaluated ${rounds} times`);
    const [a, b] = [quantilesOf(quiet), quantilesOf(busy)];
    return {
      ...{ lookupP50Ms: a.p50, lookupP99Ms: a.p99, lookupP999Ms: a.p999 },
      ...{ evaluatingP50Ms: b.p50, evaluatingP99Ms: b.p99, evaluatingP999Ms: b.p999 },
      lookupsPerS: RATE,
    };
  } finally {
    await pages?.child.stop();
    await data.stop();
    await rig.stop();
  }
}

interface Pages {
  readonly port: number;
  readonly child: Child;
}

async function startPages({ folder, pinning }: Rig, { env }: Options, cores: string | null): Promise<Pages> {
  const [port, metricsPort] = [await freePort(), await freePort()];
  const command = ownCommand('dmp/pages/main');
  const core = cores === null ? (pinning?.rest ?? null) : null;
  const child = startChild(core, cores === null ? command : ['taskset', '-c', cores, ...command], {
    ...env,
    REDIS_URL: join(folder, 'redis.sock'),
    WALKIN_LOG_LEVEL: 'warn',
    WALKIN_HOST: '127.0.0.1',
    WALKIN_PEPPER: PEPPER,
    WALKIN_PAGES_PORT: String(port),
    WALKIN_PAGES_METRICS_PORT: String(metricsPort),
  });
  await child.until(async () => (await fetch(`http://127.0.0.1:${metricsPort}/readyz`)).ok);
  return { port, child };
}

const visitorOf = (n: number) => ({ kind: 'cookie', value: `visitor-${n % VISITORS}` });

/** A segment that the shop's pages are told of, and its visitors. Returns the key of the pages. */
async function openShop({ call }: Data): Promise<string> {
  await call('PUT', 'advertisers/shop', { name: 'Shop', domains: ['shop.example'] });
  await call('PUT', 'sources/site', { name: 'Site', party: '1p', destinations: ['lookup'] });
  await call('PUT', 'segments/met', { advertiser: 'shop', name: 'Met', rule: { attribute: { name: 'met' } } });
  const site = { advertiser: 'shop', name: 'Site', kind: 'lookup', segments: [{ segment: 'met' }], origins: [ORIGIN] };
  await call('PUT', 'destinations/site', site);
  const at = new Date().toISOString();
  for (let from = 0; from < VISITORS; from += TOGETHER) {
    const events = Array.from({ length: TOGETHER }, (_, n) => ({
      ...{ type: 'identify', at, attributes: { met: 1 } },
      identifiers: [visitorOf(from + n)],
    }));
    await call('POST', 'events?source=site', events);
  }
  const limits = { rateLimit: { perSecond: 10 * RATE, burst: 10 * RATE } };
  const pages = { name: 'Pages', advertiser: 'shop', role: 'publishable', ...limits };
  return (await call<{ key: string }>('POST', 'api-keys', pages)).key;
}

/** Pages of the last months, which the evaluated segments count. */
async function browse({ call }: Data, { scale, seed }: Options): Promise<void> {
  const draw = createDraw(seed, 9);
  const [people, pages] = [PEOPLE, PAGES].map((n) => Math.max(2_000, Math.round(n * scale))) as [number, number];
  const now = Date.now();
  let sent = 0;
  const sender = async (): Promise<void> => {
    while (sent < pages) {
      const first = sent;
      sent += TOGETHER;
      const events = Array.from({ length: TOGETHER }, (_, n) => ({
        ...{ type: 'page', id: `page-${first + n}`, at: Math.round(now - draw.next() * 90 * DAY_MS) },
        ...{ url: `${ORIGIN}/${Math.floor(draw.next() * 500)}` },
        identifiers: [{ kind: 'cookie', value: `browser-${Math.floor(draw.next() * people)}` }],
      }));
      await call('POST', 'events?source=site', events);
      sayShare('Pages', Math.min(sent, pages), pages);
    }
  };
  await Promise.all(Array.from({ length: SENDERS }, sender));
  const flight = { start: new Date(now - DAY_MS).toISOString(), end: new Date(now + 30 * DAY_MS).toISOString() };
  await call('PUT', 'campaigns/now', { advertiser: 'shop', name: 'Now', ...flight });
  const banner = { w: 300, h: 250, html: '<a href="${CLICK_URL}">x</a>', landing: `${ORIGIN}/` };
  await call('PUT', 'creatives/banner', { advertiser: 'shop', name: 'Banner', ...banner });
  for (let n = 0; n < SEGMENTS; n++) await putRule(call, n, 0);
  // Some live line item needs them, so that they are published too.
  const targeting = { segments: [Array.from({ length: SEGMENTS }, (_, n) => `pages-${n}`)] };
  const lineItem = { campaign: 'now', name: 'Now', bid: { maxCpmMicros: 1_000_000 }, creatives: ['banner'], targeting };
  await call('PUT', 'line-items/now', lineItem);
}

/** Another rule each round, so that everybody is evaluated anew. */
function putRule(call: Data['call'], n: number, round: number): Promise<unknown> {
  const rule = {
    pages: { urlContains: `/${n % 10}`, window: { days: 10 + ((n + 7 * round) % 80) }, count: { min: 1 + (n % 3) } },
  };
  return call('PUT', `segments/pages-${n}`, { advertiser: 'shop', name: `Pages ${n}`, rule });
}

async function whileEvaluating<T>(data: Data, ask: () => Promise<T>): Promise<{ readonly told: T; readonly rounds: number }> {
  await refresh(data);
  let isOver = false;
  let rounds = 0;
  const evaluating = (async () => {
    for (let round = 1; !isOver; round++) {
      for (let n = 0; n < SEGMENTS && !isOver; n++) await putRule(data.call, n, round);
      await refresh(data);
      rounds++;
    }
  })();
  try {
    return { told: await ask(), rounds };
  } finally {
    isOver = true;
    await evaluating;
  }
}

async function refresh({ call }: Data): Promise<void> {
  const { id } = await call<{ id: string }>('POST', 'refresh', {});
  for (let state = 'queued'; state !== 'succeeded'; ) {
    await sleep(100);
    ({ state } = await call<{ state: string }>('GET', `jobs/${id}`));
    if (state === 'failed' || state === 'cancelled') throw new BenchError(`the refresh ${state}`);
  }
}

/** Guard rails are looked at every few seconds: the segment is told of once they know that it was evaluated. */
async function untilTold({ call }: Data): Promise<void> {
  const asked = { advertiser: 'shop', identifiers: [visitorOf(0)] };
  for (const end = performance.now() + 20_000; ; await sleep(200)) {
    const { segments } = await call<{ segments: string[] }>('POST', 'memberships:lookup', asked);
    if (segments.length === 1) return;
    if (performance.now() > end) throw new BenchError('a visitor is not in the segment');
  }
}

/** What a browser sends, by the number of the visitor. */
function messagesOf(key: string): readonly Buffer[] {
  return Array.from({ length: VISITORS }, (_, n) => {
    const body = JSON.stringify({ identifiers: [visitorOf(n)] });
    const head = [
      'POST /v1/memberships:lookup HTTP/1.1',
      'host: pages.example',
      `authorization: Bearer ${key}`,
      `origin: ${ORIGIN}`,
      'content-type: application/json',
      `content-length: ${body.length}`,
    ];
    return Buffer.from(`${head.join('\r\n')}\r\n\r\n${body}`);
  });
}

async function askFor(port: number, messages: readonly Buffer[], seconds: number, seed: number): Promise<OpenLoopResult> {
  const message = (call: number): Buffer => messages[call % messages.length] as Buffer;
  const result = await runOpenLoop({ port, message, rate: RATE, seconds, seed, lateMs: LATE_MS });
  if (result.errors > 0) throw new BenchError(`${result.errors} of ${result.scheduled} lookups were not answered`);
  return result;
}

function quantilesOf({ latency }: OpenLoopResult) {
  const at = (percent: number): number => Math.round(latency.getValueAtPercentile(percent) / 10) / 100;
  return { p50: at(50), p99: at(99), p999: at(99.9), most: Math.round(latency.maxValue / 10) / 100 };
}

function tell(when: string, result: OpenLoopResult): void {
  const { p50, p99, p999, most } = quantilesOf(result);
  say(
    `${when}: ${result.answered} lookups, ${RATE} a second: p50 ${p50}, p99 ${p99}, p99.9 ${p999}, at most ${most} ms; ${result.late} after ${LATE_MS} ms`,
  );
  for (const doubt of doubtsOf(result)) say(`  but ${doubt}`);
}
