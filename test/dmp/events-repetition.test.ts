import fc from 'fast-check';
import { afterAll, beforeAll, beforeEach, expect, test } from 'vitest';
import { createBatcher } from '../../dmp/events/batch.ts';
import { emptyTables } from '../../dmp/events/tables.ts';
import { type DataApp, NOW, startDataApp } from './data-app.ts';

let data: DataApp;
beforeAll(async () => {
  data = await startDataApp();
});
afterAll(() => data.stop());
beforeEach(() => data.clear());

async function send(events: readonly unknown[]) {
  const payload = events.map((event) => JSON.stringify(event)).join('\n');
  const headers = { 'content-type': 'application/x-ndjson' };
  const response = await data.app.inject({ method: 'POST', url: '/v1/events', headers, payload });
  return { status: response.statusCode, headers: response.headers, body: response.json() };
}

const identifier = fc.record({
  kind: fc.constantFrom('ifa', 'loyalty', 'email', 'cookie'),
  value: fc.constantFrom('a@b.example', 'c@d.example', 'e@f.example'),
});
const identifiers = fc.uniqueArray(identifier, { minLength: 1, maxLength: 3, selector: ({ kind, value }) => `${kind}${value}` });
const at = fc.integer({ min: NOW - 400 * 86_400_000, max: NOW });
const word = fc.constantFrom('', 'milk', 'bread', 'кефир', '🥛', "'; --", '\\N', '\u0000');
const coordinate = fc.integer({ min: 10_000_000, max: 59_000_000 }).map((micro) => micro / 1e6);

const purchase = fc.record({
  type: fc.constant('purchase'),
  id: fc.uuid(),
  at,
  identifiers,
  store: word,
  lines: fc.array(
    fc.record({
      product: word,
      category: word,
      quantity: fc.integer({ min: -9, max: 9999 }).map((n) => n / 8),
      amountMicros: fc.maxSafeInteger().map((n) => n % 9e15),
    }),
    { minLength: 1, maxLength: 3 },
  ),
});
const ping = fc.record({ type: fc.constant('ping'), at, identifiers, lat: coordinate, lon: coordinate.map((lon) => -lon) });
const page = fc.record({ type: fc.constant('page'), at, identifiers, url: fc.webUrl(), title: word });
const redemption = fc.record({ type: fc.constant('redemption'), at, identifiers, coupon: fc.constantFrom('c1', 'c2') });
const identify = fc.record({ type: fc.constant('identify'), at, identifiers });
const event = fc.oneof(purchase, ping, page, redemption, identify);

const TABLES: Readonly<Record<string, string>> = {
  purchases: '* EXCEPT ingested',
  pings: '* EXCEPT ingested',
  pages: '* EXCEPT ingested',
  redemptions: '* EXCEPT ingested',
  edges: '* EXCEPT (ingested, first_seen)',
};

async function tables() {
  const entries = Object.entries(TABLES).map(async ([table, columns]) => [
    table,
    await data.rows(`SELECT ${columns} FROM ${table} FINAL ORDER BY ALL`),
  ]);
  return Object.fromEntries(await Promise.all(entries));
}

test('any order, any repetition and any cut into calls of the same events gives the same tables', async () => {
  await fc.assert(
    fc.asyncProperty(
      fc.array(event, { minLength: 1, maxLength: 12 }),
      fc.infiniteStream(fc.nat({ max: 1_000_000 })),
      async (events, random) => {
        await data.clear();
        // Two pings of one device at one time are one ping: which of two places is kept is up to the order.
        const unique = [
          ...new Map(
            events.map((one) => [JSON.stringify([one.type, one.at, one.type === 'purchase' ? one.id : '']), one]),
          ).values(),
        ];
        expect(await send(unique)).toMatchObject({ status: 200, body: { accepted: unique.length, quarantined: 0 } });
        const expected = await tables();
        await data.clear();
        const next = () => random.next().value as number;
        const order = [...unique, ...unique, ...unique].map((one) => ({ one, rank: next() })).sort((a, b) => a.rank - b.rank);
        const cut = next() % order.length;
        const calls = [order.slice(0, cut), order.slice(cut), order.slice(0, cut)].map((part) =>
          part.map(({ one }) => ({ ...one, identifiers: [...one.identifiers].reverse() })),
        );
        // The first two at once, the third repeats the first.
        const answers = await Promise.all(calls.slice(0, 2).map(send));
        for (const answer of [...answers, await send(calls[2] ?? [])]) expect(answer.status).toBe(200);
        expect(withoutEdges(await tables())).toEqual(withoutEdges(expected));
      },
    ),
    { numRuns: 12 },
  );
}, 120_000);

/** Edges that are known are not written again, also after this test's TRUNCATE. */
function withoutEdges<Rows extends Record<string, unknown>>(rows: Rows): Omit<Rows, 'edges'> {
  const { edges: _, ...rest } = rows;
  return rest;
}

test('edges are the same in any order and with any repetition', async () => {
  const events = Array.from({ length: 60 }, (_, i) => ({
    type: 'identify',
    at: NOW - i * 1000,
    identifiers: [
      { kind: 'ifa', value: `a${i % 7}` },
      { kind: 'loyalty', value: `b${i % 5}` },
      { kind: 'email', value: `c${i % 3}@d.example` },
    ],
  }));
  await send(events);
  await send([...events].reverse());
  // Three of them join each e-mail to its digest, under which partners know it.
  expect(await data.rows('SELECT count() AS n, uniqExact(a, b) AS pairs, uniqExact(source) AS sources FROM edges FINAL')).toEqual(
    [{ n: '59', pairs: '59', sources: '1' }],
  );
  // Each edge was first seen when the earliest of its events was, whichever came first.
  const earliest = new Date(NOW - 59_000).toISOString().replace('T', ' ').replace('Z', '');
  expect(await data.rows('SELECT min(first_seen) AS at FROM edges FINAL')).toEqual([{ at: earliest }]);
});

test('where a table cannot be written the call gets 503 and counts for nothing, and a repetition makes it whole', async () => {
  const events = [
    { type: 'ping', at: NOW, identifiers: [{ kind: 'ifa', value: 'lost' }], lat: 60.169871, lon: 24.938412 },
    { type: 'page', at: NOW, identifiers: [{ kind: 'ifa', value: 'lost' }], url: 'https://shop.example/' },
  ];
  await data.deps.warehouse.command({ sql: 'RENAME TABLE pings TO pings_away' });
  expect(await send(events)).toMatchObject({ status: 503, headers: { 'retry-after': '2' }, body: { code: 'unavailable' } });
  await data.deps.warehouse.command({ sql: 'RENAME TABLE pings_away TO pings' });
  expect(await send(events)).toMatchObject({ status: 200, body: { accepted: 2 } });
  for (const table of ['pings', 'pages', 'edges']) {
    expect(await data.rows(`SELECT count() AS n FROM ${table} FINAL`), table).toEqual([{ n: '1' }]);
  }
});

test('a batcher that closes writes what it holds', async () => {
  const batcher = createBatcher({ ...data.deps, maxWaitMs: 60_000 });
  const tables = emptyTables();
  tables.attributes.push({
    source: 's',
    identifier: '0f8fad5b-d9cb-869f-a165-70867728950e',
    name: 'n',
    text: 't',
    number: null,
    at: new Date(NOW).toISOString(),
  });
  const added = batcher.add(tables);
  await batcher.close();
  await added;
  expect(await data.rows('SELECT text FROM attributes FINAL')).toEqual([{ text: 't' }]);
});
