import { once } from 'node:events';
import { type IncomingMessage, request } from 'node:http';
import type { AddressInfo } from 'node:net';
import { gzipSync } from 'node:zlib';
import { afterAll, beforeAll, beforeEach, describe, expect, test } from 'vitest';
import { keyIdentifier } from '../../proto/identifier.ts';
import { type DataApp, PEPPER, startDataApp } from './data-app.ts';

let data: DataApp;
beforeAll(async () => {
  data = await startDataApp();
  await data.deps.things.put(
    'source',
    'tills',
    { name: 'Tills', party: '1p', timeZone: 'UTC', currency: 'USD' },
    { actor: 'test' },
  );
});
afterAll(() => data.stop());
beforeEach(() => data.clear());

const IFA = '6d92078a-8246-4ba4-ae5b-76104861e7dc';
const ifa = { kind: 'ifa', value: IFA };
const loyalty = { kind: 'loyalty', value: '7001' };
const at = '2026-11-20T16:04:00Z';
const ping = { type: 'ping', at, identifiers: [ifa], lat: 60.169871, lon: 24.938412, accuracy: 12 };
const purchase = {
  type: 'purchase',
  id: 'r-1',
  at,
  identifiers: [loyalty],
  lines: [{ product: 'milk', amountMicros: 2_580_000 }],
};

async function send(body: unknown, options: { type?: string; source?: string; headers?: Record<string, string> } = {}) {
  const { type = 'application/json', source } = options;
  const payload = typeof body === 'string' || Buffer.isBuffer(body) ? body : JSON.stringify(body);
  const response = await data.app.inject({
    method: 'POST',
    url: `/v1/events${source === undefined ? '' : `?source=${source}`}`,
    headers: { 'content-type': type, ...options.headers },
    payload,
  });
  return { status: response.statusCode, body: response.json(), headers: response.headers };
}

const ndjson = (rows: readonly unknown[]) => rows.map((row) => JSON.stringify(row)).join('\n');
const NDJSON = { type: 'application/x-ndjson' };

describe('what is taken', () => {
  test('a source says how sure it is that identifiers are one person’s', async () => {
    const cookie = { kind: 'cookie', value: 'sure' };
    const named = { type: 'identify', at, identifiers: [cookie, { kind: 'loyalty', value: '7101' }] };
    await send([named, { ...named, identifiers: [cookie, { kind: 'loyalty', value: '7102' }], confidence: 0.4 }]);
    const edges = () => data.rows('SELECT round(confidence, 2) AS sure FROM edges FINAL WHERE a != b ORDER BY sure');
    expect(await edges()).toEqual([{ sure: 0.4 }, { sure: 1 }]);
    expect(await send({ ...named, confidence: 1.5 })).toMatchObject({
      body: { errors: [{ pointer: '/confidence', code: 'maximum' }] },
    });
  });

  test('one event, an array, {events} and NDJSON are the same to the tables', async () => {
    for (const body of [ping, [ping], { events: [ping] }]) {
      expect(await send(body)).toMatchObject({ status: 200, body: { accepted: 1, quarantined: 0, errors: [] } });
    }
    expect(await send(ndjson([ping, ping]), NDJSON)).toMatchObject({ status: 200, body: { accepted: 2 } });
    expect(await data.rows('SELECT * EXCEPT ingested FROM pings FINAL')).toEqual([
      {
        source: 'api',
        identifier: keyIdentifier({ kind: 'ifa', value: IFA }, PEPPER),
        at: '2026-11-20 16:04:00.000',
        lat: 60.169871,
        lon: 24.938412,
        error: 12,
        class: 'high',
        cell: expect.stringMatching(/^\d{18}$/),
      },
    ]);
  });

  test('a purchase is a row a line, known by source, receipt and line', async () => {
    const lines = [
      { product: 'milk', quantity: 2.5, amountMicros: 2_580_000 },
      { line: 'b', department: 'GROCERY', amountMicros: -1 },
    ];
    await send([{ ...purchase, lines, store: 'st_1', currency: 'EUR' }], { source: 'tills' });
    expect(await data.rows('SELECT * EXCEPT (ingested, identifier, deleted) FROM purchases FINAL ORDER BY line')).toEqual([
      {
        source: 'tills',
        receipt: 'r-1',
        line: '1',
        at: '2026-11-20 16:04:00.000',
        store: 'st_1',
        product: 'milk',
        category: '',
        department: '',
        brand: '',
        quantity: 2.5,
        amount: '2580000',
        currency: 'EUR',
      },
      {
        source: 'tills',
        receipt: 'r-1',
        line: 'b',
        at: '2026-11-20 16:04:00.000',
        store: 'st_1',
        product: '',
        category: '',
        department: 'GROCERY',
        brand: '',
        quantity: 1,
        amount: '-1',
        currency: 'EUR',
      },
    ]);
  });

  test('pages and redemptions without an id get one from their content', async () => {
    const page = { type: 'page', at, identifiers: [ifa], url: 'https://shop.example/milk' };
    const redemption = { type: 'redemption', at, identifiers: [loyalty], coupon: 'milk-50' };
    for (let i = 0; i < 2; i++) await send([page, { ...page, url: 'https://shop.example/bread' }, redemption]);
    expect(await data.rows('SELECT count() AS n, uniqExact(id) AS ids FROM pages FINAL')).toEqual([{ n: '2', ids: '2' }]);
    expect(await data.rows('SELECT coupon FROM redemptions FINAL')).toEqual([{ coupon: 'milk-50' }]);
  });

  test('attributes keep text and number, the newest wins whatever the order of arrival', async () => {
    const identify = (time: string, attributes: object) => ({ type: 'identify', at: time, identifiers: [loyalty], attributes });
    await send([identify('2026-11-02T00:00:00Z', { tier: 'gold', age: 42, member: true, zip: '00100' })]);
    await send([identify('2026-11-01T00:00:00Z', { tier: 'silver' })]);
    expect(await data.rows('SELECT name, text, number FROM attributes FINAL ORDER BY name')).toEqual([
      { name: 'age', text: '42', number: 42 },
      { name: 'member', text: 'true', number: 1 },
      { name: 'tier', text: 'gold', number: null },
      { name: 'zip', text: '00100', number: 100 },
    ]);
  });

  test('the strongest identifier is the fact’s, and every other is joined to it', async () => {
    const email = { kind: 'email', value: 'Anna@Example.com' };
    await send([{ type: 'identify', at, identifiers: [email, loyalty, ifa, { kind: 'ifa', value: IFA.toUpperCase() }] }]);
    const strongest = keyIdentifier({ kind: 'ifa', value: IFA }, PEPPER);
    const edges = await data.rows<{ a: string; kind_b: string }>('SELECT a, kind_a, kind_b FROM edges FINAL ORDER BY kind_b');
    expect(edges).toEqual([
      { a: strongest, kind_a: 'ifa', kind_b: 'email' },
      { a: keyIdentifier(email as never, PEPPER), kind_a: 'email', kind_b: 'email_uid2' },
      { a: strongest, kind_a: 'ifa', kind_b: 'loyalty' },
    ]);
  });

  test('an identifier alone is an edge to itself', async () => {
    await send([{ ...purchase, identifiers: [{ kind: 'loyalty', value: 'alone' }] }]);
    expect(await data.rows('SELECT a = b AS self, kind_a, kind_b FROM edges FINAL')).toEqual([
      { self: 1, kind_a: 'loyalty', kind_b: 'loyalty' },
    ]);
  });

  test('epoch milliseconds, offsets and months of 27 years come in one call', async () => {
    const times = [
      Date.UTC(2020, 0, 1),
      '2020-01-01T02:00:00+02:00',
      ...Array.from({ length: 320 }, (_, i) => Date.UTC(2000, i, 3)),
    ];
    const result = await send(times.map((time) => ({ ...ping, at: time })));
    expect(result.body).toMatchObject({ accepted: 322 });
    expect(await data.rows('SELECT count() AS n FROM pings FINAL')).toEqual([{ n: '321' }]);
  });

  test('gzip is inflated, a byte order mark and blank lines are skipped', async () => {
    const body = gzipSync(Buffer.from(`\ufeff${JSON.stringify(ping)}\r\n\n\n${JSON.stringify(purchase)}\n`));
    expect(await send(body, { ...NDJSON, headers: { 'content-encoding': 'gzip' } })).toMatchObject({
      status: 200,
      body: { accepted: 2 },
    });
  });

  test('nothing in, nothing out', async () => {
    expect(await send([])).toMatchObject({ status: 200, body: { accepted: 0, quarantined: 0, errors: [] } });
    expect(await send('', NDJSON)).toMatchObject({ status: 200, body: { accepted: 0, quarantined: 0 } });
  });
});

describe('what is refused', () => {
  const cases: [what: string, event: unknown, pointer: string, code: string][] = [
    ['a number', 5, '', 'type'],
    ['null', null, '', 'type'],
    ['no type', {}, '/type', 'required'],
    ['another type', { type: 'sale' }, '/type', 'unknown_event'],
    ['a type that is a property of every object', { type: 'constructor' }, '/type', 'unknown_event'],
    ['no identifiers', { type: 'ping', at, lat: 1.5, lon: 2.5 }, '/identifiers', 'required'],
    ['an empty list of identifiers', { ...ping, identifiers: [] }, '/identifiers', 'no_identifier'],
    [
      'a zeroed device id',
      { ...ping, identifiers: [{ kind: 'ifa', value: '00000000-0000-0000-0000-000000000000' }] },
      '/identifiers',
      'no_identifier',
    ],
    [
      'an identifier of no kind',
      { ...ping, identifiers: [{ kind: 'fax', value: 'x' }] },
      '/identifiers/0/kind',
      'unknown_identifier_kind',
    ],
    ['an identifier that is a number', { ...ping, identifiers: [{ kind: 'ifa', value: 5 }] }, '/identifiers/0/value', 'type'],
    ['no time', { type: 'ping', identifiers: [ifa], lat: 1.5, lon: 2.5 }, '/at', 'required'],
    ['a time without a zone', { ...ping, at: '2026-11-20T16:04:00' }, '/at', 'bad_time'],
    ['30 February', { ...ping, at: '2026-02-30T16:04:00Z' }, '/at', 'bad_time'],
    ['the day after tomorrow', { ...ping, at: '2026-11-24T12:00:01Z' }, '/at', 'bad_time'],
    ['the last century', { ...ping, at: '1999-12-31T23:59:59Z' }, '/at', 'bad_time'],
    ['a fraction of a millisecond', { ...ping, at: 1.5 }, '/at', 'type'],
    ['latitude 91', { ...ping, lat: 91 }, '/lat', 'lat_out_of_range'],
    ['longitude -181', { ...ping, lon: -181 }, '/lon', 'lon_out_of_range'],
    ['null island', { ...ping, lat: 0.001, lon: -0.002 }, '/lat', 'null_island'],
    ['a copied coordinate', { ...ping, lat: 24.5, lon: 24.5 }, '/lat', 'lat_equals_lon'],
    ['a ping without consent', { ...ping, consent: false }, '/consent', 'consent_missing'],
    ['an unknown member', { ...ping, speed: 3 }, '/speed', 'unknown_property'],
    ['a receipt without lines', { ...purchase, lines: [] }, '/lines', 'too_short'],
    ['a line without an amount', { ...purchase, lines: [{}] }, '/lines/0/amountMicros', 'required'],
    ['an amount with decimals', { ...purchase, lines: [{ amountMicros: 1.5 }] }, '/lines/0/amountMicros', 'type'],
    [
      'the same line twice',
      {
        ...purchase,
        lines: [
          { line: 1, amountMicros: 1 },
          { line: '1', amountMicros: 1 },
        ],
      },
      '/lines/1/line',
      'duplicate',
    ],
    ['a currency in words', { ...purchase, currency: 'euro' }, '/currency', 'pattern'],
    ['half a surrogate pair', { ...purchase, store: '\ud800' }, '/store', 'bad_encoding'],
    [
      'an attribute that is a phone',
      { type: 'identify', at, identifiers: [ifa], attributes: { contact: '+7 999 555-11-11' } },
      '/attributes/contact',
      'personal_attribute',
    ],
    [
      'an attribute that is a list',
      { type: 'identify', at, identifiers: [ifa], attributes: { tags: [] } },
      '/attributes/tags',
      'type',
    ],
    [
      'a line whose number has lost digits',
      { ...purchase, lines: [{ line: 2 ** 53, amountMicros: 1 }] },
      '/lines/0/line',
      'maximum',
    ],
    [
      'an attribute whose number has lost digits',
      { type: 'identify', at, identifiers: [ifa], attributes: { number: 2 ** 53 } },
      '/attributes/number',
      'bad_number',
    ],
    [
      'an identifier of half a pair',
      { ...ping, identifiers: [{ kind: 'cookie', value: 'a\ud800' }] },
      '/identifiers',
      'no_identifier',
    ],
    [
      'an identifier of zero bytes',
      { ...ping, identifiers: [{ kind: 'loyalty', value: '\0\0' }] },
      '/identifiers',
      'no_identifier',
    ],
    ['an unnamed page', { type: 'page', at, identifiers: [ifa], url: '' }, '/url', 'too_short'],
  ];
  test.each(cases)('%s', async (_what, event, pointer, code) => {
    const good = { ...ping, at: '2026-11-21T00:00:00Z' };
    const { status, body } = await send(ndjson([event, good]), NDJSON);
    expect(status).toBe(200);
    expect(body.errors[0]).toMatchObject({ line: 1, pointer, code });
    expect(body).toMatchObject({ accepted: 1, quarantined: 1 });
    expect(await data.rows('SELECT line, pointer, code, import FROM quarantine FINAL')).toEqual([
      { line: '1', pointer, code, import: '' },
    ]);
    expect(await data.rows('SELECT count() AS n FROM pings FINAL')).toEqual([{ n: '1' }]);
  });

  test('all faults of an event are said at once', async () => {
    const event = {
      ...purchase,
      at: 'yesterday',
      identifiers: [],
      lines: [
        { line: 1, amountMicros: 1 },
        { line: 1, amountMicros: 1 },
      ],
    };
    const { body } = await send(event);
    expect(body.errors.map((error: { code: string }) => error.code)).toEqual(['bad_time', 'no_identifier', 'duplicate']);
    expect(await data.rows('SELECT count() AS n FROM purchases')).toEqual([{ n: '0' }]);
  });

  test('a line that is no JSON and a line that is no UTF-8 do not stop the others', async () => {
    const body = Buffer.concat([Buffer.from(`{"type":\n${JSON.stringify(ping)}\n`), Buffer.from([0x22, 0xff, 0x22])]);
    const result = await send(body, NDJSON);
    expect(result.body).toMatchObject({ accepted: 1, quarantined: 2 });
    expect(result.body.errors).toMatchObject([
      { line: 1, code: 'not_json' },
      { line: 3, code: 'bad_encoding' },
    ]);
  });

  test('a refused row is the same row when it is sent again', async () => {
    const bad = { ...ping, at: 'never' };
    for (let i = 0; i < 3; i++) await send([bad, bad]);
    expect(await data.rows('SELECT count() AS n FROM quarantine FINAL')).toEqual([{ n: '2' }]);
  });

  test('at most 100 errors are told', async () => {
    const { body } = await send(Array.from({ length: 150 }, () => ({})));
    expect(body.quarantined).toBe(150);
    expect(body.errors).toHaveLength(100);
  });

  test('no raw identifier and no place without consent is stored anywhere', async () => {
    const secrets = ['anna@example.com', '+79995551111', '6d92078a', '60.16', 'card-4276'];
    const people = [
      { kind: 'email', value: 'anna@example.com' },
      { kind: 'phone', value: '+79995551111' },
      { kind: 'card', value: 'card-4276' },
      ifa,
    ];
    await send([
      { type: 'identify', at, identifiers: people, attributes: { tier: 'gold' } },
      { ...ping, identifiers: people, consent: false },
      {
        ...ping,
        lat: 'here',
        identifiers: people,
        email: 'anna@example.com',
        'anna@example.com': 1,
        lon: { 'card-4276': 'card-4276' },
      },
      {
        type: 'identify',
        at: 'x',
        identifiers: { kind: 'email', value: 'anna@example.com' },
        attributes: { email: 'anna@example.com' },
      },
      {
        ...purchase,
        at: 'anna@example.com',
        identifiers: [['card-4276'], { kind: 'card-4276', value: 'card-4276' }, { kind: 'phone', value: 79995551111 }],
      },
      { type: 'page', at, identifiers: people, title: '+79995551111', url: 5 },
    ]);
    await send('{"email":"anna@example.com", "ifa": 6d92078a', NDJSON);
    for (const table of ['quarantine', 'edges', 'attributes', 'pings', 'purchases', 'pages']) {
      const text = JSON.stringify(await data.rows(`SELECT * FROM ${table}`));
      for (const secret of secrets) expect(text, `${secret} in ${table}`).not.toContain(secret);
    }
    expect(await data.rows('SELECT count() AS n FROM quarantine')).toEqual([{ n: '6' }]);
  });
});

describe('calls that cannot be taken', () => {
  const calls: [what: string, call: () => ReturnType<typeof send>, status: number, code: string][] = [
    ['a body that is no JSON', () => send('{'), 400, 'not_json'],
    ['no body', () => send(''), 400, 'empty_body'],
    ['bytes that are no UTF-8', () => send(Buffer.from([0x22, 0xff, 0x22])), 400, 'bad_encoding'],
    ['bytes that are no gzip', () => send('[]', { headers: { 'content-encoding': 'gzip' } }), 400, 'bad_encoding'],
    [
      'half a gzip',
      () => send(gzipSync(ndjson([ping])).subarray(0, 40), { ...NDJSON, headers: { 'content-encoding': 'gzip' } }),
      400,
      'bad_encoding',
    ],
    ['another encoding', () => send('[]', { headers: { 'content-encoding': 'br' } }), 415, 'unsupported_media_type'],
    ['another type', () => send('a,b', { type: 'text/csv' }), 415, 'unsupported_media_type'],
    ['a source that is not known', () => send([ping], { source: 'nobody' }), 422, 'unknown_source'],
    ['two sources', () => send([ping], { source: 'tills&source=api' }), 422, 'unknown_source'],
    ['21 MB', () => send(Buffer.alloc(21 * 1024 ** 2, 0x20)), 413, 'body_too_large'],
    [
      'a body that inflates to 101 MB',
      () => send(gzipSync(Buffer.alloc(101 * 1024 ** 2, 0x20)), { headers: { 'content-encoding': 'gzip' } }),
      413,
      'body_too_large',
    ],
  ];
  test.each(calls)('%s', async (_what, call, status, code) => {
    const result = await call();
    expect(result).toMatchObject({ status, body: { code } });
    expect(await data.rows('SELECT count() AS n FROM pings')).toEqual([{ n: '0' }]);
  });

  test('25 MB from a sender who writes all of it before looking for an answer', async () => {
    await data.app.listen({ host: '127.0.0.1', port: 0 });
    const { port } = data.app.server.address() as AddressInfo;
    const body = Buffer.alloc(25 * 1024 ** 2, 0x20);
    const headers = { 'content-type': 'application/json', 'content-length': body.length };
    const call = request({ port, host: '127.0.0.1', method: 'POST', path: '/v1/events', headers, agent: false });
    const answered = once(call, 'response') as Promise<[IncomingMessage]>;
    await new Promise<void>((resolve, reject) => call.once('error', reject).end(body, () => resolve()));
    const [answer] = await answered;
    expect(answer.statusCode).toBe(413);
    answer.resume();
    await once(answer, 'end');
  });

  test('a key without the scope', async () => {
    const { principal } = data;
    data.principal = { id: 'key_1', advertiser: null, scopes: ['stores:read'] };
    expect(await send([ping])).toMatchObject({ status: 403, body: { code: 'forbidden' } });
    data.principal = principal;
  });
});

test('calls that come together are one insert, and each is answered for its own', async () => {
  const calls = Array.from({ length: 40 }, (_, i) => send({ ...ping, at: Date.UTC(2026, 10, 1) + i }));
  for (const { status, body } of await Promise.all(calls))
    expect({ status, accepted: body.accepted }).toEqual({ status: 200, accepted: 1 });
  expect(await data.rows('SELECT count() AS n FROM pings FINAL')).toEqual([{ n: '40' }]);
  const parts = await data.rows<{ n: string }>(
    "SELECT count() AS n FROM system.parts WHERE database = 'walkin' AND table = 'pings' AND active",
  );
  expect(Number(parts[0]?.n)).toBeLessThan(5);
});

test('50,000 pings in one body are a second or two of work', async () => {
  const rows = Array.from({ length: 50_000 }, (_, i) => ({
    type: 'ping',
    at: Date.UTC(2026, 10, 1) + i * 1000,
    identifiers: [{ kind: 'ifa', value: `6d92078a-8246-4ba4-ae5b-${String(i % 20_000).padStart(12, '0')}` }],
    lat: Number((60 + (i % 1000) / 7919).toFixed(6)),
    lon: Number((24 + (i % 997) / 7919).toFixed(6)),
    accuracy: 5 + (i % 60),
  }));
  const body = ndjson(rows);
  const cpu = process.cpuUsage();
  expect(await send(body, NDJSON)).toMatchObject({ status: 200, body: { accepted: 50_000 } });
  // The machine may do other things: what is bounded is the work.
  const { user, system } = process.cpuUsage(cpu);
  expect((user + system) / 1e6).toBeLessThan(6);
  expect(await data.rows('SELECT count() AS n, uniqExact(identifier) AS people FROM pings FINAL')).toEqual([
    { n: '50000', people: '20000' },
  ]);
}, 120_000);

test('a key of an advertiser sees and replays the refused rows of the sources that it holds, and no others', async () => {
  const mine = { name: 'Mine', party: '1p', timeZone: 'UTC', currency: 'USD', advertiser: 'adv' } as const;
  await data.deps.things.put('source', 'mine', mine as never, { actor: 'test' });
  await send({ ...purchase, at: 'never' }, { source: 'mine' });
  await send({ ...purchase, at: 'never' }, { source: 'tills' });
  const admin = data.principal;
  data.principal = { id: 'key_b', advertiser: 'adv', scopes: ['quarantine:read', 'imports:write'] };
  const list = async () => (await data.app.inject({ url: '/v1/quarantine' })).json().data as { id: string; source: string }[];
  expect((await list()).map(({ source }) => source)).toEqual(['mine']);
  const [row] = await list();
  data.principal = { ...data.principal, advertiser: 'other' };
  expect(await list()).toEqual([]);
  const replay = () =>
    data.app.inject({
      method: 'POST',
      url: `/v1/quarantine/${row?.id}/replay`,
      payload: { patch: { at: '2026-11-20T16:04:00Z' } },
    });
  expect((await replay()).statusCode).toBe(404);
  data.principal = { ...data.principal, advertiser: 'adv' };
  expect((await replay()).json()).toMatchObject({ status: 'accepted' });
  expect(await list()).toEqual([]);
  data.principal = admin;
  expect((await list()).map(({ source }) => source)).toEqual(['tills']);
});
