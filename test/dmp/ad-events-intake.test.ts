import { setTimeout as sleep } from 'node:timers/promises';
import fc from 'fast-check';
import { afterAll, beforeAll, beforeEach, expect, test } from 'vitest';
import { startIntake } from '../../dmp/ad-events/intake.ts';
import type { AdEvent, AdEventType } from '../../proto/ad-event.ts';
import { AD_EVENT_STREAM, WAREHOUSE_GROUP } from '../../proto/keys.ts';
import { type DataApp, NOW, startDataApp } from './data-app.ts';

let data: DataApp;
beforeAll(async () => {
  data = await startDataApp();
});
afterAll(() => data.stop());
beforeEach(async () => {
  await data.deps.redis.flushall();
  await data.clear();
});

const IDENTIFIER = '0f8fad5b-d9cb-869f-a165-70867728950e';

function adEvent(type: AdEventType, bid: string, more: Partial<AdEvent> = {}): AdEvent {
  return {
    type,
    bid,
    bidAt: NOW,
    at: NOW + (type === 'bid' || type === 'ghost' || type === 'unsent' ? 0 : 1000),
    exchange: 'ex',
    auction: 'a1',
    imp: '1',
    lineItem: 'li_1',
    campaign: 'cmp_1',
    advertiser: 'adv_1',
    creative: 'cr_1',
    store: 'st_1',
    identifier: IDENTIFIER,
    anchor: IDENTIFIER,
    price: 2_000_000,
    lease: 'l1',
    test: false,
    currency: 'USD',
    offered: 2_000_000,
    multiplier: 1,
    deal: '',
    mtype: 1,
    clearing: null,
    cost: 0,
    lossReason: null,
    minToWin: null,
    metres: type === 'bid' ? 350 : null,
    ...more,
  };
}

async function write(events: readonly (AdEvent | string)[]): Promise<void> {
  const pipeline = data.deps.redis.pipeline();
  for (const event of events) pipeline.xadd(AD_EVENT_STREAM, '*', 'e', typeof event === 'string' ? event : JSON.stringify(event));
  await pipeline.exec();
}

async function drain(): Promise<void> {
  const intake = startIntake(data.deps, { claimAfterMs: 0 });
  await intake.drained();
  await intake.close();
}

const counts = () =>
  data.rows<{ type: string; n: string }>(
    'SELECT toString(type) AS type, count() AS n FROM ad_events FINAL GROUP BY type ORDER BY type',
  );

test('a bid and its notices become rows, and the stream is empty', async () => {
  await write([
    adEvent('bid', 'b1'),
    adEvent('win', 'b1', { clearing: 1_500_000 }),
    adEvent('billing', 'b1', { clearing: 1_500_000, cost: 1500 }),
    adEvent('impression', 'b1'),
    adEvent('click', 'b1'),
    adEvent('loss', 'b2', { lossReason: 102, minToWin: 3_000_000, identifier: '', anchor: '' }),
    adEvent('ghost', 'b3', { test: true }),
    adEvent('unsent', 'b4', { detail: 'late' }),
  ]);
  await drain();
  expect(await counts()).toEqual(
    [
      ['bid', 2],
      ['billing', 1],
      ['click', 1],
      ['ghost', 1],
      ['impression', 1],
      ['loss', 1],
      ['unsent', 1],
      ['win', 1],
    ].map(([type, n]) => ({ type, n: String(n) })),
  );
  expect(
    await data.rows("SELECT * FROM ad_events FINAL WHERE bid = 'b1' AND type IN ('bid', 'billing') ORDER BY type"),
  ).toMatchObject([
    { type: 'bid', at: '2026-11-22 12:00:00.000', metres: 350, cost: '0', clearing: null, own: 1, identifier: IDENTIFIER },
    { type: 'billing', at: '2026-11-22 12:00:01.000', cost: '1500', clearing: '1500000', price: '2000000', store: 'st_1' },
  ]);
  expect(
    await data.rows("SELECT type, identifier, loss_reason, min_to_win, own FROM ad_events FINAL WHERE bid = 'b2' ORDER BY type"),
  ).toMatchObject([
    { type: 'bid', identifier: '00000000-0000-0000-0000-000000000000', loss_reason: null, own: 0 },
    { type: 'loss', loss_reason: 102, min_to_win: '3000000', own: 1 },
  ]);
  expect(await data.rows('SELECT a = b AS self, kind_a, source FROM edges FINAL')).toEqual([
    { self: 1, kind_a: '', source: 'ad-events' },
  ]);
});

test('a bid that is only known by a notice gives way to the bid’s own event, in either order', async () => {
  await write([adEvent('impression', 'b1'), adEvent('bid', 'b2')]);
  await drain();
  await write([adEvent('bid', 'b1'), adEvent('impression', 'b2')]);
  await drain();
  expect(await data.rows("SELECT bid, metres FROM ad_events FINAL WHERE type = 'bid' ORDER BY bid")).toEqual([
    { bid: 'b1', metres: 350 },
    { bid: 'b2', metres: 350 },
  ]);
});

test('an event keeps why the bid knew what it knew, and of who is not named no key at all', async () => {
  await write([
    adEvent('bid', 'b1', { privacy: 'gdpr_consent' }),
    adEvent('bid', 'b2', { privacy: 'limited_tracking', identifier: '' }),
    adEvent('bid', 'b3'),
  ]);
  await drain();
  const nobody = '00000000-0000-0000-0000-000000000000';
  expect(await data.rows('SELECT bid, privacy, identifier, anchor FROM ad_events FINAL ORDER BY bid')).toEqual([
    { bid: 'b1', privacy: 'gdpr_consent', identifier: IDENTIFIER, anchor: IDENTIFIER },
    { bid: 'b2', privacy: 'limited_tracking', identifier: nobody, anchor: nobody },
    { bid: 'b3', privacy: '', identifier: IDENTIFIER, anchor: IDENTIFIER },
  ]);
});

test('poison goes to quarantine and does not stop the rest', async () => {
  await write([
    'not json',
    '5',
    '{}',
    JSON.stringify({ ...adEvent('bid', 'b1'), identifier: 'anna@example.com' }),
    JSON.stringify({ ...adEvent('bid', 'b2'), lossReason: 70_000 }),
    JSON.stringify(adEvent('bid', '\ud800')),
    adEvent('bid', 'good'),
  ]);
  await data.deps.redis.xadd(AD_EVENT_STREAM, '*', 'other', 'field');
  await drain();
  expect(await counts()).toEqual([{ type: 'bid', n: '1' }]);
  const refused = await data.rows<{ code: string }>("SELECT code FROM quarantine FINAL WHERE type = 'ad_event' ORDER BY code");
  expect(refused.map((row) => row.code)).toEqual([
    'bad_encoding',
    'maximum',
    'not_json',
    'not_json',
    'pattern',
    'required',
    'type',
  ]);
  expect(JSON.stringify(await data.rows('SELECT * FROM quarantine'))).not.toContain('anna@example.com');
});

test('what a dead consumer read and did not finish is taken by another, once', async () => {
  await write(Array.from({ length: 500 }, (_, i) => adEvent('impression', `b${i}`)));
  await data.deps.redis.xgroup('CREATE', AD_EVENT_STREAM, WAREHOUSE_GROUP, '0');
  await data.deps.redis.xreadgroup('GROUP', WAREHOUSE_GROUP, 'dead', 'COUNT', 300, 'STREAMS', AD_EVENT_STREAM, '>');
  await drain();
  expect(await counts()).toEqual([
    { type: 'bid', n: '500' },
    { type: 'impression', n: '500' },
  ]);
});

test('entries that were inserted but never acknowledged are harmless the second time', async () => {
  const events = Array.from({ length: 200 }, (_, i) => adEvent('impression', `b${i}`));
  for (let i = 0; i < 3; i++) {
    await write(events);
    await drain();
  }
  expect(await counts()).toEqual([
    { type: 'bid', n: '200' },
    { type: 'impression', n: '200' },
  ]);
});

test('two intakes share the stream', async () => {
  const intakes = [startIntake(data.deps), startIntake(data.deps)];
  for (let round = 0; round < 5; round++) await write(Array.from({ length: 1000 }, (_, i) => adEvent('bid', `b${round}-${i}`)));
  await intakes[0]?.drained();
  expect(await counts()).toEqual([{ type: 'bid', n: '5000' }]);
  await Promise.all(intakes.map((intake) => intake.close()));
  expect(await data.deps.redis.xinfo('CONSUMERS', AD_EVENT_STREAM, WAREHOUSE_GROUP)).toEqual([]);
});

test('a stream that vanished is begun again', async () => {
  const intake = startIntake(data.deps);
  await write([adEvent('bid', 'b1')]);
  await intake.drained();
  await data.deps.redis.del(AD_EVENT_STREAM);
  await write([adEvent('bid', 'b2')]);
  await intake.drained();
  await intake.close();
  expect(await counts()).toEqual([{ type: 'bid', n: '2' }]);
});

test('an event is in the warehouse within a second', async () => {
  const intake = startIntake(data.deps);
  await sleep(300);
  await write([adEvent('bid', 'b1')]);
  const start = performance.now();
  await intake.drained();
  expect(performance.now() - start).toBeLessThan(1000);
  await intake.close();
});

test('any order and any repetition of the same events gives the same table', async () => {
  const types: AdEventType[] = ['bid', 'win', 'billing', 'impression', 'click', 'loss'];
  const event = fc
    .record({ type: fc.constantFrom(...types), bid: fc.constantFrom('b1', 'b2', 'b3') })
    .map(({ type, bid }) => adEvent(type, bid));
  const select = 'SELECT * EXCEPT ingested FROM ad_events FINAL ORDER BY type, bid';
  await fc.assert(
    fc.asyncProperty(fc.array(event, { minLength: 1, maxLength: 20 }), fc.infiniteStream(fc.nat()), async (events, random) => {
      await data.clear();
      const unique = [...new Map(events.map((one) => [`${one.type}|${one.bid}`, one])).values()];
      await write(unique);
      await drain();
      const expected = await data.rows(select);
      await data.clear();
      const order = [...events, ...events]
        .map((one) => ({ one, rank: random.next().value as number }))
        .sort((a, b) => a.rank - b.rank);
      for (const half of [order.slice(0, events.length), order.slice(events.length)]) {
        await write(half.map(({ one }) => one));
        await drain();
      }
      expect(await data.rows(select)).toEqual(expected);
    }),
    { numRuns: 8 },
  );
});
