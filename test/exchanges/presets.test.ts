import { readdirSync, readFileSync } from 'node:fs';
import type { Redis } from 'ioredis';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { checkExchange } from '../../dmp/exchanges/check-exchange.ts';
import { ExchangeInput, keptExchange } from '../../dmp/exchanges/exchange.ts';
import { PRESET_NAMES } from '../../dmp/exchanges/preset-name.ts';
import { withPreset } from '../../dmp/exchanges/presets.ts';
import { createChecker } from '../../dmp/http/validation.ts';
import { liveExchange } from '../../dmp/snapshot/exchanges.ts';
import type { LiveExchange } from '../../proto/snapshot.ts';
import { eventually, publish, startBidder, type TestBidder } from '../bidder/support/bidder.ts';
import { creative, lineItem, snapshot } from '../bidder/support/live.ts';
import { startRedis, type TestRedis } from '../support/redis.ts';

/** Each exchange's exemplary call: the preset, what the operator adds, the request, and the answer; "$ANY" is any value. */
interface Fixture {
  readonly title: string;
  readonly settings: Record<string, unknown>;
  readonly headers: Record<string, string>;
  readonly request: Record<string, unknown>;
  readonly answer: { readonly status: number; readonly body: unknown };
  readonly required: readonly string[];
}

const FOLDER = new URL('./presets/', import.meta.url);
const FIXTURES = PRESET_NAMES.map((name) => [name, readFixture(name)] as const);

function readFixture(name: string): Fixture {
  return JSON.parse(readFileSync(new URL(`${name}.json`, FOLDER), 'utf8')) as Fixture;
}

/** As the API makes one. */
function exchangeOf(preset: string, given: Record<string, unknown>): LiveExchange {
  const body: Record<string, unknown> = { name: preset, preset, ...given };
  withPreset(body);
  expect(createChecker(ExchangeInput)(body)).toEqual([]);
  const input = body as unknown as ExchangeInput;
  expect(checkExchange(input, undefined)).toEqual([]);
  return liveExchange({ id: preset, revision: 1, createdAt: 0, updatedAt: 0, body: keptExchange(input, undefined) });
}

let redis: TestRedis;
let client: Redis;
let bidder: TestBidder;

beforeAll(async () => {
  redis = await startRedis();
  client = redis.connect();
  const banner = creative('cr_banner', { iurl: 'https://cdn.shop.example/cr.png' });
  const adLabel = { erid: '2Vtzq', inn: '7700000000', name: 'Shop' };
  await publish(
    client,
    snapshot({
      at: Date.now(),
      exchanges: FIXTURES.map(([name, { settings }]) => exchangeOf(name, settings)),
      lineItems: [lineItem('li_offer', { campaign: 'cmp_offer', adLabel, creatives: [banner] })],
      rates: { at: Date.now(), perUsd: { RUB: 80 } },
    }),
  );
  bidder = await startBidder(redis.path);
});
afterAll(async () => {
  await bidder?.close();
  await redis?.stop();
});

describe('the exemplary call', () => {
  it('is there for each preset, and for nothing else', () => {
    const files = readdirSync(FOLDER).map((file) => file.replace('.json', ''));
    expect(files.sort()).toEqual([...PRESET_NAMES].sort());
  });

  it.each(FIXTURES)('of %s is answered as it asks for', async (name, { headers, request, answer, required }) => {
    // On a busy machine the first answers may be too late for the exchange's own deadline.
    const reply = await eventually(
      () => bidder.bid(request, headers, name),
      ({ statusCode }) => statusCode === answer.status,
    );
    expect(reply.headers['content-type']).toBe('application/json');
    expect(reply.headers['x-openrtb-version']).toBeDefined();
    const body = reply.json();
    expect(body).toMatchObject(withAny(answer.body) as object);
    const [seatbid] = body.seatbid;
    const [bid] = seatbid.bid;
    const sent = { ...bid, seat: seatbid.seat };
    for (const field of required) expect(sent[field], field).toBeDefined();
    for (const field of exchangeOf(name, readFixture(name).settings).requiredFields) expect(sent[field], field).toBeDefined();
    expect(bid.adm).not.toContain('http:');
    if (name === 'index') expect(bid.adm).toContain('${AUCTION_PRICE}');
    if (name === 'pubmatic') expect(seatbid.seat).toMatch(/^\d+$/);
    if (name === 'openx') expect(reply.body.length - bid.adm.length).toBeLessThan(4_096);
  });
});

/** The expectation: "$ANY" becomes a matcher. */
function withAny(value: unknown): unknown {
  if (value === '$ANY') return expect.anything();
  if (Array.isArray(value)) return value.map(withAny);
  if (typeof value !== 'object' || value === null) return value;
  return Object.fromEntries(Object.entries(value).map(([name, member]) => [name, withAny(member)]));
}
