import { existsSync } from 'node:fs';
import { readdir, readFile, stat } from 'node:fs/promises';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { gzipSync } from 'node:zlib';
import { afterAll, beforeAll, beforeEach, describe, expect, test } from 'vitest';
import { importWork, startImportWorker } from '../../dmp/imports/worker.ts';
import { JobCancelled, type JobContext } from '../../dmp/jobs/jobs.ts';
import { keyIdentifier } from '../../proto/identifier.ts';
import { type DataApp, PEPPER, startDataApp } from './data-app.ts';

let data: DataApp;
let worker: { close(): Promise<void> };
beforeAll(async () => {
  data = await startDataApp();
  const write = { actor: 'test' };
  await data.deps.things.put(
    'source',
    'tills',
    { name: 'Tills', party: '1p', timeZone: 'America/New_York', currency: 'USD' },
    write,
  );
  await data.deps.things.put('advertiser', 'adv_1', { name: 'Grocer', domains: ['grocer.example'], currency: 'USD' }, write);
  worker = startImportWorker(data.deps);
});
afterAll(async () => {
  await worker.close();
  await data.stop();
});
beforeEach(() => data.clear());

const RECEIPTS = {
  type: 'purchase',
  format: 'csv',
  source: 'tills',
  mapping: {
    columns: {
      id: 'basket',
      at: 'time',
      store: 'store',
      product: { column: 'product' },
      quantity: 'quantity',
      amount: 'value',
      department: { constant: 'GROCERY' },
    },
    identifiers: [{ kind: 'loyalty', column: 'household' }],
  },
};
const HEADER = 'household,store,basket,product,quantity,value,time';
const receipts = (...rows: string[]) => [HEADER, ...rows].join('\n');

async function call(
  method: 'GET' | 'POST' | 'PUT' | 'DELETE',
  url: string,
  payload?: unknown,
  headers: Record<string, string> = {},
) {
  const response = await data.app.inject({
    method,
    url,
    headers,
    ...(payload === undefined ? {} : { payload: payload as string }),
  });
  return { status: response.statusCode, headers: response.headers, text: response.body, body: safe(response.body) };
}

function safe(text: string) {
  try {
    return JSON.parse(text);
  } catch {
    return null;
  }
}

async function create(input: unknown): Promise<string> {
  const { status, body } = await call('POST', '/v1/imports', input);
  expect(status, JSON.stringify(body)).toBe(201);
  return body.id;
}

async function ended(job: string) {
  for (;;) {
    const { body } = await call('GET', `/v1/jobs/${job}`);
    if (['succeeded', 'failed', 'cancelled'].includes(body.state)) return body;
    await sleep(20);
  }
}

async function bring(input: unknown, file: string | Buffer) {
  const id = await create(input);
  const { status, body, headers } = await call('PUT', `/v1/imports/${id}/file`, file);
  expect(status, JSON.stringify(body)).toBe(202);
  expect(headers['location']).toBe(`/v1/jobs/${body.id}`);
  return { id, job: await ended(body.id) };
}

const purchases = () => data.rows('SELECT * EXCEPT (ingested, deleted) FROM purchases FINAL ORDER BY receipt, line');

describe('receipts from CSV', () => {
  test('a row is a line of a receipt; amounts are exact, times are those of the source', async () => {
    const file = `\ufeff${receipts('7001,st 1,r1,milk,2,3.86,2017-01-28T19:06:53Z', '7002,"st, ""2""\nnorth",r1,bread,1,-0.1,2017-07-01 12:00:00', '7003,,r2,egg,2.474,0.0000015,2017-01-02')}`;
    const { job } = await bring(RECEIPTS, file.replaceAll('\n7', '\r\n7'));
    expect(job).toMatchObject({ state: 'succeeded', result: { rows: 3, accepted: 3, quarantined: 0, errors: [] } });
    const shared = { source: 'tills', category: '', department: 'GROCERY', brand: '', currency: 'USD' };
    expect(await purchases()).toEqual([
      {
        ...shared,
        receipt: 'r1',
        line: 'bread',
        at: '2017-07-01 16:00:00.000',
        identifier: key('7002'),
        store: 'st, "2"\nnorth',
        product: 'bread',
        quantity: 1,
        amount: '-100000',
      },
      {
        ...shared,
        receipt: 'r1',
        line: 'milk',
        at: '2017-01-28 19:06:53.000',
        identifier: key('7001'),
        store: 'st 1',
        product: 'milk',
        quantity: 2,
        amount: '3860000',
      },
      {
        ...shared,
        receipt: 'r2',
        line: 'egg',
        at: '2017-01-02 05:00:00.000',
        identifier: key('7003'),
        store: '',
        product: 'egg',
        quantity: 2.474,
        amount: '2',
      },
    ]);
  });

  test('bad rows go to quarantine with line, field, value and reason; the result has a line for each', async () => {
    const file = receipts(
      '7001,1,r1,milk,1,3.86,2017-01-28T19:06:53Z',
      '7001,1,r2,milk,1,3.8x,2017-01-28T19:06:53Z',
      'null,1,r3,milk,1,1,2017-01-28T19:06:53Z',
      '7001,1,,milk,1,1,2017-02-30',
      '7001,1,r5,milk,1',
      '7001,1,r6,milk,many,1,2017-02-20',
      '7001,1,r7,milk,1,,2017-02-20',
      '',
      '7001,1,r9,milk,1,1,1999-02-20',
    );
    const { id, job } = await bring(RECEIPTS, file);
    expect(job.result).toMatchObject({ rows: 8, accepted: 1, quarantined: 7 });
    expect(job.result.errors).toContainEqual({
      code: 'bad_amount',
      count: 1,
      example: { line: 3, pointer: '/amount', message: 'is not a decimal number' },
    });
    expect(job.result.errors).toContainEqual(expect.objectContaining({ code: 'bad_time', count: 2 }));
    const result = await call('GET', `/v1/imports/${id}/result`);
    expect(result.headers['content-type']).toContain('application/x-ndjson');
    const lines = result.text
      .trim()
      .split('\n')
      .map((line) => JSON.parse(line));
    expect(lines.map(({ line, status, code }) => [line, status, code])).toEqual([
      [2, 'accepted', undefined],
      [3, 'quarantined', 'bad_amount'],
      [4, 'quarantined', 'no_identifier'],
      [5, 'quarantined', 'bad_time'],
      [6, 'quarantined', 'bad_csv'],
      [7, 'quarantined', 'bad_number'],
      [8, 'quarantined', 'required'],
      [10, 'quarantined', 'bad_time'],
    ]);
    const { body } = await call('GET', `/v1/quarantine?import=${id}`);
    expect(body.data).toHaveLength(7);
    expect(body.data.find((row: { line: number }) => row.line === 3)).toMatchObject({
      source: 'tills',
      import: id,
      type: 'purchase',
      pointer: '/amount',
      value: '3.8x',
      code: 'bad_amount',
    });
    expect(body.data.find((row: { line: number }) => row.line === 8)).toMatchObject({ pointer: '/amount', code: 'required' });
    expect(JSON.stringify(await data.rows('SELECT * FROM quarantine'))).not.toContain('7001');
  });

  test('the same file again, gzip or not, doubles nothing', async () => {
    const rows = Array.from({ length: 500 }, (_, i) => `7${i % 50},1,r${i % 100},p${i},1,1.25,2017-01-28T19:06:53Z`);
    rows.push('bad');
    const file = receipts(...rows);
    await bring(RECEIPTS, file);
    const expected = await purchases();
    await bring(RECEIPTS, gzipSync(file));
    expect(await purchases()).toEqual(expected);
    expect(expected).toHaveLength(500);
    expect(await data.rows('SELECT count() AS n FROM edges FINAL')).toEqual([{ n: '50' }]);
  });

  test('a column that is missing fails the job before any row is taken', async () => {
    const { id, job } = await bring(RECEIPTS, 'household,store,basket,time\n7001,1,r1,2017-01-28');
    expect(job).toMatchObject({
      state: 'failed',
      error: 'missing_column: the file has no column "product", "quantity", "value"',
    });
    expect(await purchases()).toEqual([]);
    expect((await call('GET', `/v1/imports/${id}`)).body).toMatchObject({ status: 'failed', result: null });
    expect(await call('GET', `/v1/imports/${id}/result`)).toMatchObject({ status: 409 });
  });

  test.each([
    ['a quote that is never closed', receipts('7001,"1,r1,milk,1,1,2017-01-28'), 'bad_csv'],
    ['a column twice', `${HEADER},value\n7001,1,r1,milk,1,1,2017-01-28,2`, 'bad_csv'],
    ['gzip that breaks off', gzipSync(receipts('7001,1,r1,milk,1,1,2017-01-28')).subarray(0, 60), 'bad_encoding'],
    ['blank lines only', '\n\n\n', 'missing_column'],
  ])('%s fails the job with its own code', async (_what, file, code) => {
    const { job } = await bring(RECEIPTS, file);
    expect(job.state).toBe('failed');
    expect(job.error).toMatch(new RegExp(`^${code}: `));
    expect(await purchases()).toEqual([]);
  });

  test('a cell that is no UTF-8 is refused alone', async () => {
    const file = Buffer.concat([
      Buffer.from(`${receipts()}\n7001,`),
      Buffer.from([0xff]),
      Buffer.from(',r1,milk,1,1,2017-01-28\n7001,1,r2,milk,1,1,2017-01-28'),
    ]);
    const { job } = await bring(RECEIPTS, file);
    expect(job.result).toMatchObject({ accepted: 1, quarantined: 1, errors: [{ code: 'bad_encoding' }] });
  });

  test('100,000 lines', async () => {
    const rows = Array.from(
      { length: 100_000 },
      (_, i) => `7${i % 2377},${i % 293},r${i % 47_243},p${i % 20_902},1,${(i % 977) / 100},2017-0${1 + (i % 9)}-28T19:06:53Z`,
    );
    const { job } = await bring(RECEIPTS, receipts(...rows));
    expect(job).toMatchObject({ state: 'succeeded', progress: { unit: 'bytes' }, result: { rows: 100_000, accepted: 100_000 } });
    expect(job.progress.done).toBe(job.progress.total);
    expect(await data.rows('SELECT count() AS n, sum(amount) AS sum FROM purchases FINAL')).toEqual([
      { n: '100000', sum: String(rows.reduce((sum, _, i) => sum + (i % 977) * 10_000, 0)) },
    ]);
  }, 120_000);
});

describe('other files', () => {
  test('identify, with attributes by column', async () => {
    const mapping = {
      columns: { at: { constant: '2017-01-01' }, 'attributes.age': 'age', 'attributes.kids': 'kids' },
      identifiers: [
        { kind: 'loyalty', column: 'id' },
        { kind: 'email', column: 'mail' },
      ],
    };
    const { job } = await bring(
      { type: 'identify', format: 'csv', mapping },
      'id,mail,age,kids\n1,a@b.example,65+,2\n2,,45-54,\n',
    );
    expect(job.result).toMatchObject({ accepted: 2 });
    expect(await data.rows('SELECT name, text, number FROM attributes FINAL ORDER BY name, text')).toEqual([
      { name: 'age', text: '45-54', number: null },
      { name: 'age', text: '65+', number: null },
      { name: 'kids', text: '2', number: 2 },
    ]);
    expect(await data.rows('SELECT kind_a, kind_b FROM edges FINAL ORDER BY kind_b')).toEqual([
      { kind_a: 'loyalty', kind_b: 'email' },
      { kind_a: 'email', kind_b: 'email_uid2' },
      { kind_a: 'loyalty', kind_b: 'loyalty' },
    ]);
  });

  test('advertising ids by column, whose platform a column or the mapping says', async () => {
    await data.deps.warehouse.command({ sql: 'TRUNCATE TABLE sealed' });
    const source = { name: 'Devices', party: '1p', destinations: ['yandex_audience'] } as const;
    await data.deps.things.put('source', 'devices', source as never, { actor: 'test' });
    const mapping = {
      columns: { at: { constant: '2017-01-01' } },
      identifiers: [
        { kind: 'ifa', column: 'idfa', os: { constant: 'iOS' } },
        { kind: 'ifa', column: 'ad_id', os: 'system' },
        { kind: 'ifa', column: 'any', os: { column: 'sort', values: { A: 'android', I: 'ios', '-': 'tizen' } } },
      ],
    };
    const [one, two, three] = [1, 2, 3].map((n) => `6d92078a-8246-4ba4-ae5b-00000000000${n}`);
    const file = `idfa,ad_id,system,any,sort\n${one},,,,A\n,${two},Android,,-\n,,,${three},A\n,${three},,,X\n`;
    const { job } = await bring({ type: 'identify', format: 'csv', source: 'devices', mapping }, file);
    expect(job.result).toMatchObject({ accepted: 4 });
    const as = (value: string | undefined, kind: string) =>
      `${keyIdentifier({ kind: 'ifa', value: value ?? '' }, PEPPER)} ${kind}`;
    const rows = await data.rows("SELECT concat(toString(identifier), ' ', kind) AS row FROM sealed FINAL ORDER BY row");
    expect(rows).toEqual([as(one, 'idfa'), as(two, 'gaid'), as(three, 'gaid')].sort().map((row) => ({ row })));
  });

  test('pings, with consent', async () => {
    const mapping = {
      columns: { at: 't', lat: 'lat', lon: 'lon', consent: 'ok' },
      identifiers: [{ kind: 'ifa', column: 'ifa' }],
    };
    const file = `ifa,t,lat,lon,ok\na1b2,1795000000000,60.16987,24.93841,yes\na1b2,1795000000001,60.16986,24.93841,no\na1b2,1795000000002,0,0,yes\na1b2,1795000000003,91,0,\n`;
    const { job } = await bring({ type: 'ping', format: 'csv', mapping }, file);
    expect(job.result).toMatchObject({ accepted: 1, quarantined: 3 });
    expect(job.result.errors.map((error: { code: string }) => error.code).sort()).toEqual([
      'consent_missing',
      'lat_out_of_range',
      'null_island',
    ]);
    expect(JSON.stringify(await data.rows('SELECT * FROM quarantine'))).not.toContain('60.16986');
  });

  test('redemptions, known by their content', async () => {
    const mapping = {
      columns: { at: 'day', coupon: 'coupon', promotion: 'campaign' },
      identifiers: [{ kind: 'loyalty', column: 'household' }],
    };
    const file =
      'household,coupon,campaign,day\n1029,51380041013,26,2017-01-01\n1029,51380041313,26,2017-01-01\n1029,51380041313,26,2017-01-01\n';
    await bring({ type: 'redemption', format: 'csv', mapping }, file);
    expect(await data.rows('SELECT coupon, promotion FROM redemptions FINAL ORDER BY coupon')).toEqual([
      { coupon: '51380041013', promotion: '26' },
      { coupon: '51380041313', promotion: '26' },
    ]);
  });

  test('a catalogue, the newest entry of a product counts', async () => {
    const mapping = { columns: { product: 'id', department: 'dep', category: 'cat' } };
    await bring({ type: 'product', format: 'csv', mapping, source: 'tills' }, 'id,dep,cat\n1,GROCERY,ICE\n2,DRUG,\n,X,Y\n');
    await bring(
      { type: 'product', format: 'ndjson', source: 'tills' },
      '{"product":"2","department":"COSMETICS","name":"Soap"}\n{"id":3}\n',
    );
    expect(await data.rows('SELECT product, name, department, category FROM products FINAL ORDER BY product')).toEqual([
      { product: '1', name: '', department: 'GROCERY', category: 'ICE' },
      { product: '2', name: 'Soap', department: 'COSMETICS', category: '' },
    ]);
    expect(await data.rows('SELECT DISTINCT code FROM quarantine FINAL')).toEqual([{ code: 'required' }]);
  });

  test('events in NDJSON, of the type of the import', async () => {
    const page = { at: '2026-11-20T16:04:00Z', identifiers: [{ kind: 'cookie', value: 'c1' }], url: 'https://shop.example/' };
    const file = [page, { type: 'page', ...page, url: 'https://shop.example/2' }, { type: 'ping', ...page }, 5]
      .map((row) => JSON.stringify(row))
      .join('\r\n');
    const { job, id } = await bring({ type: 'page', format: 'ndjson' }, `\ufeff${file}\r\n{"a`);
    expect(job.result).toMatchObject({ rows: 5, accepted: 2, quarantined: 3 });
    const result = (await call('GET', `/v1/imports/${id}/result`)).text
      .trim()
      .split('\n')
      .map((line) => JSON.parse(line).code);
    expect(result).toEqual([undefined, undefined, 'enum', 'type', 'not_json']);
  });

  test('stores, checked as the API checks them', async () => {
    const mapping = {
      columns: {
        id: 'id',
        name: 'name',
        address: 'addr',
        lat: 'lat',
        lon: 'lon',
        timeZone: { constant: 'Europe/Helsinki' },
        radius: 'r',
        hours: 'hours',
      },
    };
    const file =
      'id,name,addr,lat,lon,r,hours\ncentre-1,Centre,Main 1,60.1698,24.9384,100,"{""mon"":[[""09:00"",""21:00""]]}"\nx 2,Bad id,Main 2,60.1,24.9,,\nnull,Null island,Main 3,0,0,,\nfar,Far,Main 4,60.1,24.95,99999999,\nbad,Bad,Main 5,north,24.9,,{\n';
    const input = { type: 'store', format: 'csv', mapping, advertiser: 'adv_1' };
    const { job } = await bring(input, file);
    expect(job.result).toMatchObject({ rows: 5, accepted: 1, quarantined: 4 });
    expect(data.deps.things.get('store', 'centre-1')).toMatchObject({
      revision: 1,
      body: { advertiser: 'adv_1', name: 'Centre', fence: { type: 'circle', radius: 100 }, hours: { mon: [['09:00', '21:00']] } },
    });
    await bring(input, file);
    expect(data.deps.things.get('store', 'centre-1')?.revision).toBe(1);
    await bring(
      { type: 'store', format: 'ndjson', advertiser: 'adv_1' },
      JSON.stringify({ id: 'nd-1', name: 'N', address: '', lat: 60.2, lon: 24.9, timeZone: 'UTC' }),
    );
    expect(data.deps.things.get('store', 'nd-1')?.body).toMatchObject({ fence: { type: 'circle', radius: 75 }, hours: null });
  });
});

describe('what an import may say', () => {
  const csv = (mapping: object, type = 'page') => ({ type, format: 'csv', mapping });
  const who = { identifiers: [{ kind: 'cookie', column: 'c' }] };
  const columns = { at: 'a', url: 'u' };
  test.each([
    ['another type', { type: 'sale', format: 'csv' }, '/type', 'enum'],
    ['another format', { type: 'page', format: 'xlsx' }, '/format', 'enum'],
    ['CSV without a mapping', { type: 'page', format: 'csv' }, '/mapping', 'missing_mapping'],
    ['neither a type nor a preset', { format: 'csv' }, '/type', 'required'],
    ['a preset that there is not', { preset: 'fax' }, '/preset', 'unknown_preset'],
    ['an unknown field', csv({ columns: { ...columns, 'a/b': 'x' }, ...who }), '/mapping/columns/a~1b', 'unknown_field'],
    [
      'a field of every object',
      csv({ columns: { ...columns, constructor: 'x' }, ...who }),
      '/mapping/columns/constructor',
      'unknown_field',
    ],
    ['a needed field left out', csv({ columns: { at: 'a' }, ...who }), '/mapping/columns/url', 'missing_field'],
    ['nobody', csv({ columns }), '/mapping/identifiers', 'missing_field'],
    [
      'a kind that is none',
      csv({ columns, identifiers: [{ kind: 'fax', column: 'c' }] }),
      '/mapping/identifiers/0/kind',
      'unknown_identifier_kind',
    ],
    [
      'a platform of what has none',
      csv({ columns, identifiers: [{ kind: 'cookie', column: 'c', os: 'o' }] }),
      '/mapping/identifiers/0/os',
      'unknown_property',
    ],
    ['people in a catalogue', csv({ columns: { product: 'p' }, ...who }, 'product'), '/mapping/identifiers', 'unknown_field'],
    ['a source that is not known', { type: 'page', format: 'ndjson', source: 'nobody' }, '/source', 'unknown_source'],
    ['stores of nobody', { type: 'store', format: 'ndjson' }, '/advertiser', 'required'],
    [
      'stores of an unknown advertiser',
      { type: 'store', format: 'ndjson', advertiser: 'adv_9' },
      '/advertiser',
      'unknown_advertiser',
    ],
    ['an unknown member', { type: 'page', format: 'ndjson', colour: 1 }, '/colour', 'unknown_property'],
  ])('%s', async (_what, input, pointer, code) => {
    const { status, body } = await call('POST', '/v1/imports', input);
    expect(status).toBe(422);
    expect(body.errors).toContainEqual(expect.objectContaining({ pointer, code }));
  });

  test('the import is shown as it was said, and to its own advertiser only', async () => {
    const id = await create(RECEIPTS);
    expect((await call('GET', `/v1/imports/${id}`)).body).toMatchObject({
      ...RECEIPTS,
      id,
      status: 'created',
      file: null,
      job: null,
    });
    const { principal } = data;
    data.principal = {
      id: 'key_2',
      advertiser: 'adv_2',
      scopes: ['imports:read', 'imports:write', 'jobs:read', 'quarantine:read'],
    };
    expect(await call('GET', `/v1/imports/${id}`)).toMatchObject({ status: 404, body: { code: 'not_found' } });
    expect(await call('PUT', `/v1/imports/${id}/file`, 'x')).toMatchObject({ status: 404 });
    // It holds none of the sources that rows were refused of.
    expect(await call('GET', '/v1/quarantine')).toMatchObject({ status: 200, body: { data: [] } });
    data.principal = { ...data.principal, scopes: ['stores:read'] };
    expect(await call('POST', '/v1/imports', RECEIPTS)).toMatchObject({ status: 403 });
    data.principal = principal;
  });

  test('an empty file, an unknown encoding, an unknown import', async () => {
    const id = await create(RECEIPTS);
    expect(await call('PUT', `/v1/imports/${id}/file`, '')).toMatchObject({ status: 400, body: { code: 'empty_body' } });
    expect(await call('PUT', `/v1/imports/${id}/file`, 'x', { 'content-encoding': 'br' })).toMatchObject({ status: 415 });
    expect(await call('PUT', '/v1/imports/imp_0/file', 'x')).toMatchObject({ status: 404 });
    expect((await readdir(data.deps.uploads)).filter((name) => name.endsWith('.part'))).toEqual([]);
  });
});

describe('a file that is sent anew or taken again', () => {
  test('it is replaced until its job begins, then it stays', async () => {
    await worker.close();
    const id = await create(RECEIPTS);
    const first = await call('PUT', `/v1/imports/${id}/file`, receipts('7001,1,old,milk,1,1,2017-01-28'));
    const second = await call('PUT', `/v1/imports/${id}/file`, receipts('7001,1,new,milk,1,1,2017-01-28'));
    expect(second.body.id).toBe(first.body.id);
    worker = startImportWorker(data.deps);
    await ended(first.body.id);
    expect(await data.rows('SELECT receipt FROM purchases FINAL')).toEqual([{ receipt: 'new' }]);
    expect(await call('PUT', `/v1/imports/${id}/file`, 'x')).toMatchObject({ status: 409, body: { code: 'conflict' } });
    expect(await call('GET', `/v1/imports/${id}`)).toMatchObject({ body: { status: 'succeeded', result: { accepted: 1 } } });
  });

  const rows = Array.from({ length: 25_000 }, (_, i) => `7${i % 777},1,r${i},p${i % 9},1,1.25,2017-01-28T19:06:53Z`);
  rows.splice(12_345, 0, 'bad');

  test('a job that died in the middle is run again and ends exact', async () => {
    await worker.close();
    const id = await create(RECEIPTS);
    const { body: sent } = await call('PUT', `/v1/imports/${id}/file`, receipts(...rows));
    const work = importWork(data.deps, 10_000);
    for (const batches of [0, 0, 0]) {
      let seen = 0;
      const dying: JobContext = {
        id: sent.id,
        checkpoint: async () => undefined,
        progress: async () => {
          if (seen++ === batches) throw new Error('killed');
        },
      };
      await expect(work({ import: id }, dying)).rejects.toThrow('killed');
    }
    worker = startImportWorker(data.deps);
    const { body } = await call('GET', `/v1/imports/${id}`);
    const job = await ended(body.job);
    expect(job.result).toMatchObject({ rows: 25_001, accepted: 25_000, quarantined: 1 });
    expect(await data.rows('SELECT count() AS n, uniqExact(receipt) AS r, sum(amount) AS sum FROM purchases FINAL')).toEqual([
      { n: '25000', r: '25000', sum: String(25_000 * 1_250_000) },
    ]);
    expect(await data.rows('SELECT count() AS n FROM quarantine FINAL')).toEqual([{ n: '1' }]);
    expect((await call('GET', `/v1/imports/${id}/result`)).text.trim().split('\n')).toHaveLength(25_001);
    expect((await readdir(data.deps.uploads)).filter((name) => name.endsWith('.part'))).toEqual([]);
  });

  test('the same file sent again, as after a lost answer, changes nothing for the job that reads it', async () => {
    await worker.close();
    const id = await create(RECEIPTS);
    const { body: sent } = await call('PUT', `/v1/imports/${id}/file`, receipts(...rows));
    const [name = ''] = (await readdir(data.deps.uploads)).filter((one) => one.startsWith(id));
    const path = join(data.deps.uploads, name);
    const before = await stat(path);
    const { body: again } = await call('PUT', `/v1/imports/${id}/file`, receipts(...rows));
    expect(again.id).toBe(sent.id);
    expect((await stat(path)).ino).toBe(before.ino);
    expect(await readdir(data.deps.uploads)).toContain(name);
    expect((await readdir(data.deps.uploads)).filter((one) => one.endsWith('.part'))).toEqual([]);
    // A job that the import does not name would write the same result beside the other.
    const other: JobContext = { id: 'job_import_other', progress: async () => undefined, checkpoint: async () => undefined };
    await expect(importWork(data.deps)({ import: id }, other)).rejects.toThrow('another job takes this import');
    const context = { ...other, id: sent.id };
    const work = importWork(data.deps, 10_000);
    const both = await Promise.all([work({ import: id }, context), work({ import: id }, context)]);
    expect(both).toMatchObject([{ accepted: 25_000 }, { accepted: 25_000 }]);
    expect((await call('GET', `/v1/imports/${id}/result`)).text.trim().split('\n')).toHaveLength(25_001);
    worker = startImportWorker(data.deps);
    expect((await ended(sent.id)).result).toMatchObject({ accepted: 25_000 });
  });

  test('a cancelled import stops at its next batch', async () => {
    await worker.close();
    const id = await create(RECEIPTS);
    const { body: waiting } = await call('PUT', `/v1/imports/${id}/file`, receipts(...rows));
    let asked = 0;
    const context: JobContext = {
      id: waiting.id,
      progress: async () => undefined,
      checkpoint: async () => {
        if (asked++ === 1) throw new JobCancelled('cancelled');
      },
    };
    await expect(importWork(data.deps, 10_000)({ import: id }, context)).rejects.toThrow(JobCancelled);
    expect(await data.rows('SELECT count() AS n FROM purchases FINAL')).toEqual([{ n: '10000' }]);
    expect(await call('DELETE', `/v1/jobs/${waiting.id}`)).toMatchObject({ status: 202, body: { state: 'cancelled' } });
    worker = startImportWorker(data.deps);
    expect(await call('GET', `/v1/imports/${id}`)).toMatchObject({ body: { status: 'cancelled' } });
  });
});

const GROCERIES = join(process.env['WALKIN_SHARED'] ?? join(import.meta.dirname, '../../../shared'), 'data/completejourney');

// Real receipts: random lines of real baskets, so nothing of them was made to fit.
test.skipIf(!existsSync(GROCERIES))(
  '75,000 real receipt lines come in to the cent',
  async () => {
    const mapping = {
      columns: {
        id: 'basket_id',
        at: 'transaction_timestamp',
        store: 'store_id',
        product: 'product_id',
        quantity: 'quantity',
        amount: 'sales_value',
      },
      identifiers: [{ kind: 'loyalty', column: 'household_id' }],
    };
    const { job } = await bring(
      { type: 'purchase', format: 'csv', mapping },
      await readFile(join(GROCERIES, 'transactions_sample.csv')),
    );
    expect(job).toMatchObject({ state: 'succeeded', result: { rows: 75_000, accepted: 75_000, quarantined: 0 } });
    const sums =
      'count() AS n, sum(amount) AS sum, uniqExact(identifier) AS people, uniqExact(store) AS stores, uniqExact(product) AS products';
    expect(await data.rows(`SELECT ${sums} FROM purchases FINAL`)).toEqual([
      { n: '75000', sum: '233935240000', people: '2377', stores: '293', products: '20902' },
    ]);
  },
  120_000,
);

test('quarantine is listed by pages, newest first, and filtered', async () => {
  const bad = Array.from({ length: 25 }, (_, i) => ({ type: i % 5 === 0 ? 'ping' : 'page', i }));
  await call('POST', '/v1/events', JSON.stringify(bad), { 'content-type': 'application/json' });
  const seen: number[] = [];
  let cursor = '';
  do {
    const { body } = await call('GET', `/v1/quarantine?limit=10${cursor}`);
    seen.push(...body.data.map((row: { line: number }) => row.line));
    cursor = body.page.next === null ? '' : `&cursor=${body.page.next}`;
  } while (cursor !== '');
  expect(seen.sort((a, b) => a - b)).toEqual(bad.map((_, i) => i + 1));
  expect((await call('GET', '/v1/quarantine?type=ping')).body.data).toHaveLength(5);
  expect((await call('GET', "/v1/quarantine?source=x'%20OR%201=1%20--")).body.data).toEqual([]);
  expect(await call('GET', '/v1/quarantine?cursor=nonsense')).toMatchObject({ status: 400, body: { code: 'bad_cursor' } });
  expect(await call('GET', '/v1/quarantine?limit=0')).toMatchObject({ status: 400 });
});

function key(value: string): string {
  return keyIdentifier({ kind: 'loyalty', value }, PEPPER) as string;
}
