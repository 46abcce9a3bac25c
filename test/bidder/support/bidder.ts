import type { LightMyRequestResponse } from 'fastify';
import type { Redis } from 'ioredis';
import { pino } from 'pino';
import { createMetrics, type Metrics } from '../../../bidder/metrics.ts';
import { createWorker, type Worker, type WorkerOptions } from '../../../bidder/worker.ts';
import type { AdEvent } from '../../../proto/ad-event.ts';
import {
  AD_EVENT_STREAM,
  SNAPSHOT_CHANNEL,
  SNAPSHOT_KEY,
  SNAPSHOT_PARTS_KEY,
  SNAPSHOT_VERSION_KEY,
} from '../../../proto/keys.ts';
import type { WireBid, WireResponse } from '../../../proto/openrtb.ts';
import type { Snapshot } from '../../../proto/snapshot.ts';
import { encodeHead, splitSnapshot } from '../../../proto/snapshot-parts.ts';
import { wireRequest } from './live.ts';

export const PEPPER = 'pepper-of-the-tests';
export const SECRET = 'secret-of-the-tests';
export const PUBLIC_URL = 'https://bidder.example';

/** A bidder worker on a real Redis, spoken to through `inject()`. */
export interface TestBidder {
  readonly worker: Worker;
  readonly metrics: Metrics;
  bid(request?: Record<string, unknown>, headers?: Record<string, string>, exchange?: string): Promise<LightMyRequestResponse>;
  /** Bids and returns the only bid; throws where there is none. */
  onlyBid(request?: Record<string, unknown>, headers?: Record<string, string>): Promise<WireBid>;
  /** Calls an address out of a bid with the exchange's macros filled in; status code. */
  call(
    address: string | undefined,
    macros?: Record<string, string>,
    headers?: Record<string, string>,
  ): Promise<LightMyRequestResponse>;
  count(metric: keyof Metrics, labels?: Record<string, string>): Promise<number>;
  close(): Promise<void>;
}

let started = 0;

export async function startBidder(redisUrl: string, options: Partial<WorkerOptions> = {}): Promise<TestBidder> {
  const metrics = createMetrics();
  const name = `test:${++started}`;
  const worker = createWorker(
    {
      redisUrl,
      name,
      workers: 1,
      pepper: PEPPER,
      noticeSecret: SECRET,
      publicUrl: `${PUBLIC_URL}/`,
      reservationSeconds: 60,
      // Tests write of somebody and ask in the same moment.
      personCacheMs: 0,
      ...options,
    },
    metrics,
    pino({ level: process.env['WALKIN_TEST_LOG'] ?? 'silent' }),
  );
  await worker.start();
  return { worker, metrics, bid, onlyBid, call, count, close: () => worker.close() };

  function bid(request = wireRequest(), headers: Record<string, string> = {}, exchange = 'x'): Promise<LightMyRequestResponse> {
    const payload = JSON.stringify(request);
    const url = `/openrtb2/${exchange}`;
    return worker.app.inject({ method: 'POST', url, payload, headers: { 'content-type': 'application/json', ...headers } });
  }

  async function onlyBid(request?: Record<string, unknown>, headers?: Record<string, string>): Promise<WireBid> {
    const reply = await bid(request, headers);
    if (reply.statusCode !== 200)
      throw new Error(`no bid: ${reply.statusCode} ${await worker.app.inject('/readyz').then((r) => r.body)}`);
    return bidsOf(reply)[0] as WireBid;
  }

  function call(address = '', macros: Record<string, string> = {}, headers: Record<string, string> = {}) {
    const url = address.replace(PUBLIC_URL, '').replace(/\$\{(AUCTION_\w+)\}/g, (macro, id: string) => macros[id] ?? macro);
    return worker.app.inject({ method: 'GET', url, headers });
  }

  async function count(metric: keyof Metrics, labels: Record<string, string> = {}): Promise<number> {
    const { values } = await (metrics[metric] as Metrics['notices']).get();
    const matching = values.filter((value) =>
      Object.entries(labels).every(([label, wanted]) => (value.labels as Record<string, unknown>)[label] === wanted),
    );
    return matching.reduce((sum, { value }) => sum + value, 0);
  }
}

export function bidsOf(reply: LightMyRequestResponse): WireBid[] {
  return (JSON.parse(reply.body) as WireResponse).seatbid.flatMap(({ bid }) => bid);
}

/** The impression pixel of a bid. */
export function pixelOf(bid: WireBid): string {
  return /<img src="([^"]+)"/.exec(bid.adm)?.[1] ?? '';
}

export function clickOf(bid: WireBid): string {
  return (/<a href="([^"]+)"/.exec(bid.adm)?.[1] ?? '').replaceAll('&amp;', '&');
}

export async function publish(redis: Redis, snapshot: Snapshot): Promise<void> {
  await put(redis, snapshot);
  await redis.publish(SNAPSHOT_CHANNEL, String(snapshot.version));
}

/** Publishes without a word about it. */
export async function put(redis: Redis, snapshot: Snapshot): Promise<void> {
  const { head, parts } = splitSnapshot(snapshot);
  for (const [digest, bytes] of parts) await redis.hset(SNAPSHOT_PARTS_KEY, digest, bytes);
  await redis.set(SNAPSHOT_KEY, encodeHead(head));
  await redis.set(SNAPSHOT_VERSION_KEY, snapshot.version);
}

export async function adEvents(redis: Redis): Promise<AdEvent[]> {
  const entries = await redis.xrange(AD_EVENT_STREAM, '-', '+');
  return entries.map(([, fields]) => JSON.parse(fields[1] as string) as AdEvent);
}

/** Waits until something is so; what it was last, in the error. */
export async function eventually<Value>(
  ask: () => Promise<Value> | Value,
  holds: (value: Value) => boolean,
  ms = 25_000,
): Promise<Value> {
  const end = Date.now() + ms;
  for (;;) {
    const value = await ask();
    if (holds(value)) return value;
    if (Date.now() > end) throw new Error(`still ${JSON.stringify(value)} after ${ms} ms`);
    await new Promise((resolve) => setTimeout(resolve, 10));
  }
}
