import { once } from 'node:events';
import { readdir, readFile } from 'node:fs/promises';
import { createServer, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { afterAll, beforeAll, beforeEach, describe, expect, test } from 'vitest';
import { announceRefusal } from '../../dmp/consents/refused.ts';
import { guardedLookup, isInside, readAddress } from '../../dmp/imports/address.ts';
import { cleanImports } from '../../dmp/imports/clean.ts';
import { NO_BODY, s3Url, signedHeaders } from '../../dmp/imports/s3.ts';
import { importWork, startImportWorker } from '../../dmp/imports/worker.ts';
import { JobCancelled } from '../../dmp/jobs/jobs.ts';
import { keyIdentifier } from '../../proto/identifier.ts';
import { type DataApp, NOW, PEPPER, startDataApp } from '../dmp/data-app.ts';
import { temporaryFolder } from '../support/folder.ts';
import { endedJob } from './bring.ts';

let data: DataApp;
let worker: { close(): Promise<void> };
let server: Server;
let base: string;
const asked: { url: string; authorization: string | undefined }[] = [];

const HEADER = 'who,basket,product,value,time';
const FILE = `${HEADER}\n7001,r1,milk,1.25,2026-01-28\n7002,r2,bread,2,2026-01-28\n`;

beforeAll(async () => {
  data = await startDataApp();
  worker = startImportWorker(data.deps);
  server = createServer((request, response) => {
    const { url = '' } = request;
    asked.push({ url, authorization: request.headers.authorization });
    if (url === '/moved') return void response.writeHead(302, { location: '/receipts.csv' }).end();
    if (url === '/to-a-file') return void response.writeHead(302, { location: 'file:///etc/passwd' }).end();
    if (url === '/round') return void response.writeHead(302, { location: '/round' }).end();
    if (url === '/none') return void response.writeHead(404).end();
    if (url === '/cut')
      return void response.writeHead(200, { 'content-length': '1000' }).end(FILE, () => request.socket.destroy());
    response.end(FILE);
  });
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  base = `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
});
afterAll(async () => {
  server.close();
  await worker.close();
  await data.stop();
});
beforeEach(async () => {
  await data.clear();
  asked.length = 0;
  Object.assign(data.deps, { fetchInside: true });
});

const MAPPING = {
  columns: { id: 'basket', at: 'time', product: 'product', amount: 'value' },
  identifiers: [{ kind: 'loyalty', column: 'who' }],
};
const INPUT = { type: 'purchase', format: 'csv', mapping: MAPPING };

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
  return {
    status: response.statusCode,
    text: response.body,
    body: response.body.startsWith('{') ? JSON.parse(response.body.split('\n')[0] as string) : null,
  };
}

const ended = (job: string) => endedJob(data, job);

const rows = () => data.rows('SELECT receipt, toString(amount) AS amount FROM purchases FINAL ORDER BY receipt');
const BOTH = [
  { receipt: 'r1', amount: '1250000' },
  { receipt: 'r2', amount: '2000000' },
];

describe('an address', () => {
  test.each(['/receipts.csv', '/moved'])('%s is fetched and taken', async (path) => {
    const { status, body } = await call('POST', '/v1/imports', { ...INPUT, address: { url: `${base}${path}` } });
    expect(status).toBe(201);
    expect((await ended(body.job)).result).toMatchObject({ accepted: 2 });
    expect(await rows()).toEqual(BOTH);
  });

  test.each([
    ['/to-a-file', /^address_refused: /],
    ['/round', /^unreachable: the address redirects more than 5 times/],
    ['/none', /^unreachable: the address answered 404/],
  ])('%s fails the job and is not tried again', async (path, error) => {
    const { body } = await call('POST', '/v1/imports', { ...INPUT, address: { url: `${base}${path}` } });
    expect((await ended(body.job)).error).toMatch(error);
    expect(await rows()).toEqual([]);
  });

  test('a file that breaks off on its way is not taken', async () => {
    const { body } = await call('POST', '/v1/imports', { ...INPUT, address: { url: `${base}/cut` } });
    await sleep(500);
    await call('DELETE', `/v1/jobs/${body.job}`);
    expect(await rows()).toEqual([]);
  });

  test('of an S3-compatible store is asked with a signature, and its secret is shown to nobody', async () => {
    const address = { url: 's3://bucket/a b/receipts.csv', endpoint: base, accessKeyId: 'AKIA', secretAccessKey: 'very secret' };
    const { body, text } = await call('POST', '/v1/imports', { ...INPUT, address });
    expect(text).not.toContain('very secret');
    expect((await ended(body.job)).result).toMatchObject({ accepted: 2 });
    // For its size, then for its bytes; this one gives no ranges.
    const signed = {
      url: '/bucket/a%20b/receipts.csv',
      authorization: expect.stringMatching(/^AWS4-HMAC-SHA256 Credential=AKIA\//),
    };
    expect(asked).toEqual([signed, signed]);
    expect((await call('GET', `/v1/imports/${body.id}`)).text).not.toContain('very secret');
    expect(JSON.stringify(await data.deps.redis.hgetall(`walkin:import:${body.id}`))).not.toContain('very secret');
  });

  test('that points inside is refused unless the operator allows it, also after a look at its name', async () => {
    Object.assign(data.deps, { fetchInside: false });
    const inside = [
      '127.0.0.1',
      'localhost',
      '169.254.169.254',
      '10.1.2.3',
      '192.168.0.1',
      '172.20.0.1',
      '[::1]',
      '[fe80::1]',
      '[fd00::1]',
      '0.0.0.0',
      '100.64.0.1',
    ];
    for (const host of [...inside, '[::ffff:127.0.0.1]', '2130706433', '0x7f.1', '[64:ff9b::7f00:1]']) {
      const { status, body } = await call('POST', '/v1/imports', { ...INPUT, address: { url: `http://${host}/x.csv` } });
      expect(status, host).toBe(422);
      expect(body.code, host).toBe('address_refused');
    }
    for (const url of ['ftp://files.example/x', 'file:///etc/passwd', 'https://user:pw@files.example/x', 'nonsense', 's3://']) {
      expect((await call('POST', '/v1/imports', { ...INPUT, address: { url } })).status, url).toBe(422);
    }
    expect(readAddress('https://files.example/x', false).hostname).toBe('files.example');
    const found = await new Promise<Error | null>((resolve) =>
      guardedLookup(false)('localhost', { all: true }, (error) => resolve(error)),
    );
    expect(found?.message).toContain('points inside');
    expect(['8.8.8.8', '1.1.1.1', '2606:4700::1111'].map(isInside)).toEqual([false, false, false]);
    expect(asked).toEqual([]);
  });

  test('is signed as Amazon’s own example', () => {
    const headers = signedHeaders({
      method: 'GET',
      url: new URL('https://examplebucket.s3.amazonaws.com/test.txt'),
      headers: { range: 'bytes=0-9' },
      region: 'us-east-1',
      accessKeyId: 'AKIAIOSFODNN7EXAMPLE',
      secretAccessKey: 'wJalrXUtnFEMI/K7MDENG/bPxRfiCYEXAMPLEKEY',
      now: Date.UTC(2013, 4, 24),
    });
    expect(NO_BODY).toBe('e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855');
    expect(headers['authorization']).toContain('Signature=f0e8bdb87c964420e857bd35b5d6ed310bd44f0170aba48dd91039c6036bdb41');
    expect(s3Url({ url: 's3://bucket/a/b.csv', region: 'eu-central-1' })).toBe(
      'https://bucket.s3.eu-central-1.amazonaws.com/a/b.csv',
    );
  });
});

describe('a preview', () => {
  test('shows the first rows as they would be taken, with keys for identifiers, and stores nothing', async () => {
    const { body: made } = await call('POST', '/v1/imports', INPUT);
    const sample = `${FILE}7003,r3,milk,x,2026-01-28\n7004,r4,mi`;
    const { status, body, text } = await call('POST', `/v1/imports/${made.id}/preview`, sample, { 'content-type': 'text/csv' });
    expect(status).toBe(200);
    expect(body.columns).toEqual(HEADER.split(','));
    expect(body.rows.slice(0, 3)).toMatchObject([
      { line: 2, status: 'accepted', value: { id: 'r1', amount: 1_250_000 }, errors: [] },
      { line: 3, status: 'accepted' },
      { line: 4, status: 'quarantined', errors: [{ pointer: '/amount', code: 'bad_amount' }] },
    ]);
    expect(text).not.toContain('7001');
    expect(await rows()).toEqual([]);
    expect((await readdir(data.deps.uploads)).filter((name) => name.startsWith(made.id))).toEqual([]);
  });

  test('says that a mapping does not fit, and needs a file', async () => {
    const { body: made } = await call('POST', '/v1/imports', INPUT);
    const { body } = await call('POST', `/v1/imports/${made.id}/preview`, 'a,b\n1,2\n');
    expect(body).toMatchObject({ rows: [], error: { code: 'missing_column' } });
    expect(await call('POST', `/v1/imports/${made.id}/preview`)).toMatchObject({ status: 409, body: { code: 'missing_file' } });
  });
});

// A server writes no file here; test/dmp/parquet.test.ts asks one.
test.skipIf(process.env['WALKIN_TEST_CLICKHOUSE_URL'] !== undefined)(
  'Parquet is read by ClickHouse itself, times, decimals and nothings too',
  async () => {
    const folder = temporaryFolder();
    const path = join(folder, 'receipts.parquet');
    await data.deps.warehouse.command({
      sql: `SELECT toString(7000 + number) AS who, if(number = 2, NULL, concat('r', toString(number))) AS basket, 'milk, "fresh"' AS product,
      toDecimal64(1.25, 2) AS value, toDateTime64(1769627213.5, 3, 'UTC') AS time FROM numbers(3) INTO OUTFILE '${path}' FORMAT Parquet`,
    });
    const { body: made } = await call('POST', '/v1/imports', { ...INPUT, format: 'parquet' });
    const { body: job } = await call('PUT', `/v1/imports/${made.id}/file`, await readFile(path));
    expect((await ended(job.id)).result).toMatchObject({ accepted: 2, quarantined: 1, errors: [{ code: 'required' }] });
    expect(
      await data.rows(
        'SELECT receipt, product, toString(at) AS at, toString(amount) AS amount FROM purchases FINAL ORDER BY receipt',
      ),
    ).toEqual(
      ['r0', 'r1'].map((receipt) => ({ receipt, product: 'milk, "fresh"', at: '2026-01-28 19:06:53.500', amount: '1250000' })),
    );
    const { body: wrong } = await call('POST', '/v1/imports', { ...INPUT, format: 'parquet' });
    const { body: refused } = await call('PUT', `/v1/imports/${wrong.id}/file`, FILE);
    expect((await ended(refused.id)).error).toMatch(/^bad_encoding: the file is not the Parquet/);
  },
);

test('an import that was cancelled goes on where it was, and its result has each row once', async () => {
  await worker.close();
  const { body: made } = await call('POST', '/v1/imports', INPUT);
  const lines = Array.from({ length: 5_000 }, (_, i) => `7${i % 50},r${i},milk,1,2026-01-28`);
  const { body: first } = await call('PUT', `/v1/imports/${made.id}/file`, [HEADER, ...lines].join('\n'));
  let batches = 0;
  const context = {
    id: first.id,
    progress: async () => undefined,
    checkpoint: async () => {
      if (batches++ === 2) throw new JobCancelled('cancelled');
    },
  };
  await expect(importWork(data.deps, 1_000)({ import: made.id }, context)).rejects.toThrow(JobCancelled);
  expect(await data.rows('SELECT toString(count()) AS n FROM purchases FINAL')).toEqual([{ n: '2000' }]);
  expect(await call('POST', `/v1/imports/${made.id}/resume`)).toMatchObject({ status: 409 });
  await call('DELETE', `/v1/jobs/${first.id}`);
  worker = startImportWorker(data.deps);
  await ended(first.id);
  const { status, body: second } = await call('POST', `/v1/imports/${made.id}/resume`);
  expect(status).toBe(202);
  expect((await ended(second.id)).result).toMatchObject({ rows: 5_000, accepted: 5_000 });
  expect(await data.rows('SELECT toString(count()) AS n FROM purchases FINAL')).toEqual([{ n: '5000' }]);
  const result = (await call('GET', `/v1/imports/${made.id}/result`)).text.trim().split('\n');
  expect(result).toHaveLength(5_000);
  expect(new Set(result).size).toBe(5_000);
});

test('of who is erased while a file is being taken no row comes in any more', async () => {
  await worker.close();
  const { body: made } = await call('POST', '/v1/imports', INPUT);
  const lines = Array.from({ length: 5_000 }, (_, i) => `${i % 5 === 0 ? 'eve' : `7${i % 50}`},r${i},milk,1,2026-01-28`);
  const { body: job } = await call('PUT', `/v1/imports/${made.id}/file`, [HEADER, ...lines].join('\n'));
  let batches = 0;
  const context = {
    id: job.id,
    progress: async () => undefined,
    checkpoint: async () => {
      if (batches++ !== 2) return;
      const identifier = keyIdentifier({ kind: 'loyalty', value: 'eve' }, PEPPER) as string;
      await data.deps.warehouse.insert('erased', [{ identifier, erasure: 'era', profile: 0, at: new Date(NOW).toISOString() }]);
      await announceRefusal(data.deps.redis);
    },
  };
  const result = await importWork(data.deps, 1_000)({ import: made.id }, context);
  // Two batches were on their way: their rows are what the erasure then takes out.
  expect(result).toMatchObject({ rows: 5_000, accepted: 4_400, quarantined: 600, errors: [{ code: 'consent_missing' }] });
  await data.deps.warehouse.command({ sql: 'TRUNCATE TABLE erased' });
  await announceRefusal(data.deps.redis);
  worker = startImportWorker(data.deps);
});

test('a file goes when it was taken, else within a day, and what became of its rows after a month', async () => {
  const { body: taken } = await call('POST', '/v1/imports', INPUT);
  const { body: first } = await call('PUT', `/v1/imports/${taken.id}/file`, FILE);
  await ended(first.id);
  expect((await readdir(data.deps.uploads)).filter((name) => name.startsWith(taken.id))).toEqual([`${taken.id}.result.ndjson`]);
  expect((await call('POST', `/v1/imports/${taken.id}/preview`)).body.code).toBe('missing_file');
  // A run that was cut off after its end has nothing left to do.
  const context = { id: 'again', progress: async () => undefined, checkpoint: async () => undefined };
  expect(await importWork(data.deps)({ import: taken.id }, context)).toMatchObject({ rows: 2, accepted: 2 });
  const { body: made } = await call('POST', '/v1/imports', INPUT);
  const { body: job } = await call('PUT', `/v1/imports/${made.id}/file`, `${FILE}7003,"never closed`);
  await ended(job.id);
  const HOUR = 3600_000;
  const DAY = 24 * HOUR;
  const files = async () => (await readdir(data.deps.uploads)).filter((name) => name.startsWith(made.id));
  await cleanImports(data.deps, NOW + 20 * HOUR);
  expect(await files()).toHaveLength(1);
  await cleanImports(data.deps, NOW + 23 * HOUR);
  expect(await files()).toEqual([]);
  await cleanImports(data.deps, NOW + 29 * DAY);
  expect((await call('GET', `/v1/imports/${taken.id}/result`)).status).toBe(200);
  await cleanImports(data.deps, NOW + 31 * DAY);
  expect((await call('GET', `/v1/imports/${taken.id}`)).status).toBe(404);
  expect((await readdir(data.deps.uploads)).filter((name) => name.startsWith(taken.id))).toEqual([]);
});
