import { readdir, readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { gzipSync } from 'node:zlib';
import { afterAll, beforeAll, beforeEach, describe, expect, test } from 'vitest';
import { fetchObject } from '../../dmp/imports/fetch-object.ts';
import { createGuard, type Guard, HERE } from '../../dmp/imports/guard.ts';
import { startImportWorker } from '../../dmp/imports/worker.ts';
import { JobCancelled, type JobContext } from '../../dmp/jobs/jobs.ts';
import { type DataApp, startDataApp } from '../dmp/data-app.ts';
import { temporaryFolder } from '../support/folder.ts';
import { bringFile, endedJob } from './bring.ts';
import { KEY, refuse, type S3Store, SECRET, startS3Store } from './s3-store.ts';

let data: DataApp;
let worker: { close(): Promise<void> };
let guard: Guard;
let store: S3Store;
beforeAll(async () => {
  data = await startDataApp();
  Object.assign(data.deps, { fetchInside: true });
  worker = startImportWorker(data.deps);
  guard = createGuard(HERE);
});
afterAll(async () => {
  await guard.close();
  await worker.close();
  await data.stop();
});
beforeEach(async () => {
  await data.clear();
  store = await startS3Store();
  return () => store.close();
});

const MAPPING = {
  columns: { id: 'basket', at: 'time', product: 'product', amount: 'value' },
  identifiers: [{ kind: 'loyalty', column: 'who' }],
};
const INPUT = { type: 'purchase', format: 'csv', mapping: MAPPING };
const HEADER = 'who,basket,product,value,time';
const FILE = `${HEADER}\r\n7001,r1,"milk,\nfresh",1.25,2026-01-28\r\n7002,r2,bread,1e309,2026-01-28\n\n7003,r3,tea,2,2026-01-28`;

const addressOf = (key: string, secretAccessKey = SECRET) => ({
  url: `s3://bucket/${key}`,
  endpoint: store.endpoint,
  accessKeyId: KEY,
  secretAccessKey,
});

async function importObject(input: object, address: object) {
  const made = await data.app.inject({ method: 'POST', url: '/v1/imports', payload: { ...input, address } });
  expect(made.statusCode, made.body).toBe(201);
  const { id, job } = made.json() as { id: string; job: string };
  return { id, job: await endedJob(data, job) };
}

async function tookOf(id: string) {
  const sql = `SELECT receipt, product, toString(amount) AS amount, toString(at) AS at, identifier FROM purchases FINAL ORDER BY receipt`;
  const result = (await data.app.inject({ url: `/v1/imports/${id}/result` })).body;
  return {
    rows: await data.rows(sql),
    result,
    quarantine: await data.rows('SELECT type, line, original, code FROM quarantine ORDER BY line'),
  };
}

const STILL: JobContext = { id: 'job', progress: async () => undefined, checkpoint: async () => undefined };
const fetching = (format: 'csv' | 'parquet', folder: string, context: JobContext = STILL, pieceBytes = 7) =>
  fetchObject(
    addressOf('dir/a file'),
    { warehouse: data.deps.warehouse, guard, context },
    { ...{ folder, id: 'imp', allowInside: true, now: Date.now, format }, pieceBytes },
  );
const put = (bytes: Buffer | string): void => void store.objects.set('/bucket/dir/a file', Buffer.from(bytes));

/** Three groups of rows, so that they are read side by side. */
async function parquetFile(): Promise<Buffer> {
  const path = join(temporaryFolder(), 'receipts.parquet');
  await data.deps.warehouse.command({
    sql: `SELECT toString(7000 + number % 97) AS who, if(number % 1000 = 7, NULL, concat('r', toString(number))) AS basket, 'milk, "fresh"' AS product,
      toDecimal64(1.25, 2) AS value, toDateTime64(1769627213.5, 3, 'UTC') AS time FROM numbers(3000) INTO OUTFILE '${path}' FORMAT Parquet
      SETTINGS output_format_parquet_row_group_size = 1000, max_block_size = 1000`,
  });
  return readFile(path);
}

describe('an object of S3', () => {
  test('is read by ClickHouse, with a signature that the store holds as good as ClickHouse’s own', async () => {
    put(FILE);
    const sql = "SELECT raw_blob FROM s3({url:String}, {key:String}, {secret:String}, 'RawBLOB')";
    const params = { url: `${store.endpoint}/bucket/dir/a%20file`, key: KEY, secret: SECRET };
    expect(await data.deps.warehouse.query({ sql, params })).toEqual([{ raw_blob: FILE }]);
    await expect(data.deps.warehouse.query({ sql, params: { ...params, secret: 'another' } })).rejects.toThrow(/403/);
    store.asked.length = 0;
    const { job, id } = await importObject(INPUT, addressOf('dir/a file'));
    expect(job.result).toMatchObject({ rows: 3, accepted: 2, quarantined: 1 });
    expect(store.asked).toEqual([
      'GET /bucket/dir/a%20file bytes=0-0 206',
      `GET /bucket/dir/a%20file bytes=0-${FILE.length - 1} 206`,
    ]);
    const kept = JSON.stringify([
      (await data.app.inject({ url: `/v1/imports/${id}` })).json(),
      await data.deps.redis.hgetall(`walkin:import:${id}`),
    ]);
    expect(kept).not.toContain(SECRET);
  });

  test('gives the same rows, results and quarantine as the file that is sent', async () => {
    put(FILE);
    const sent = await tookOf((await bringFile(data, INPUT, FILE)).id);
    await data.clear();
    const fetched = await tookOf((await importObject(INPUT, addressOf('dir/a file'))).id);
    expect(fetched).toEqual(sent);
    expect(fetched.rows).toHaveLength(2);
    expect(fetched.quarantine).toHaveLength(1);
  });

  test('comes in pieces, byte by byte', async () => {
    const files = [
      FILE,
      '\r\n\r\n\n',
      'x',
      '1234567',
      '12345678',
      Buffer.from([0, 1, 2, 255, 254, 10, 13, 0, 10, 10, 128, 0]),
      gzipSync(FILE),
    ];
    for (const file of files) {
      put(file);
      const folder = temporaryFolder();
      const { name, bytes } = await fetching('csv', folder, STILL, file.length > 40 ? 40 : 7);
      expect((await readFile(join(folder, name))).equals(Buffer.from(file))).toBe(true);
      expect(bytes).toBe(file.length);
      expect(await readdir(folder)).toEqual([name]);
    }
  });

  // A server writes no file here; test/imports/outage-server.test.ts asks one.
  test.skipIf(process.env['WALKIN_TEST_CLICKHOUSE_URL'] !== undefined)(
    'of Parquet is read by ClickHouse where it is, in the order of its rows, and never lies here',
    async () => {
      const file = await parquetFile();
      put(file);
      const sent = await tookOf((await bringFile(data, { ...INPUT, format: 'parquet' }, file)).id);
      await data.clear();
      const { id, job } = await importObject({ ...INPUT, format: 'parquet' }, addressOf('dir/a file'));
      expect(job.result).toMatchObject({
        rows: 3_000,
        accepted: 2_997,
        quarantined: 3,
        errors: [{ code: 'required', count: 3 }],
      });
      expect(await tookOf(id)).toEqual(sent);
      expect(sent.result.split('\n')[7]).toContain('required');
      const folder = temporaryFolder();
      const { name } = await fetching('parquet', folder);
      expect(await readdir(folder)).toEqual([name]);
      expect((await readFile(join(folder, name), 'utf8')).split('\n')[1]).toBe(
        '"7000","r0","milk, ""fresh""",1.25,"2026-01-28T19:06:53.500Z"',
      );
      put(FILE);
      const { job: wrong } = await importObject({ ...INPUT, format: 'parquet' }, addressOf('dir/a file'));
      expect(wrong.error).toMatch(/^bad_encoding: the Parquet file cannot be read/);
    },
  );
});

describe('a store', () => {
  test.each([
    ['a wrong secret', 'dir/a file', 'another', 'unreachable: the store answered 403 SignatureDoesNotMatch'],
    ['an object that is not there', 'none', SECRET, 'unreachable: the store answered 404 NoSuchKey'],
    ['an object that is not for us', 'x', SECRET, 'unreachable: the store answered 403 AccessDenied'],
    ['an empty object', 'empty', SECRET, 'empty_body: the object is empty'],
  ])('says what is wrong with %s, and is not asked again', async (_, key, secret, error) => {
    put(FILE);
    store.objects.set('/bucket/empty', Buffer.alloc(0));
    const address = { ...addressOf(key, secret), ...(key === 'x' ? { url: 's3://forbidden/x' } : {}) };
    for (const format of ['csv', 'parquet']) {
      store.asked.length = 0;
      expect((await importObject({ ...INPUT, format }, address)).job.error).toBe(error);
      expect(store.asked).toHaveLength(1);
    }
    expect(await data.rows('SELECT receipt FROM purchases')).toEqual([]);
  });

  test('that changes an object while it is read ends the import, and nothing of either is taken', async () => {
    for (const format of ['csv', 'parquet'] as const) {
      put(format === 'csv' ? FILE : await parquetFile());
      let requests = 0;
      store.before = () => {
        if (++requests === 2) put('x'.repeat(200_000));
        return false;
      };
      const folder = temporaryFolder();
      await expect(fetching(format, folder)).rejects.toThrow('bad_encoding: the object was changed while it was read');
      expect(await readdir(folder)).toEqual([]);
    }
  });

  test('that falters is asked again, and one that is away fails the job for another try', async () => {
    put(FILE);
    let requests = 0;
    store.before = (_, response) => {
      requests++;
      if (requests % 3 === 1) refuse(response, 503, 'SlowDown');
      else return requests === 6 ? 'half' : false;
      return true;
    };
    const folder = temporaryFolder();
    const { name } = await fetching('csv', folder, STILL, 40);
    expect(await readFile(join(folder, name), 'utf8')).toBe(FILE);
    expect(store.asked.length).toBeGreaterThan(6);
    store.before = (_, response) => {
      refuse(response, 503, 'SlowDown');
      return true;
    };
    const failure = await fetching('csv', folder).catch((error: Error) => error);
    expect(failure).toMatchObject({ name: 'Error', message: 'unreachable: the store answered 503 SlowDown' });
  });

  test('may send us on, but not to what is no web address, and its keys go to nobody else', async () => {
    const other = await startS3Store();
    put(FILE);
    store.before = (_, response) => {
      response.writeHead(307, { location: `${other.endpoint}/elsewhere` }).end();
      return true;
    };
    const { job } = await importObject(INPUT, addressOf('dir/a file'));
    expect(job.error).toBe('unreachable: the store answered 403 AccessDenied');
    expect(other.asked).toEqual(['GET /elsewhere bytes=0-0 403']);
    other.close();
    store.before = (_, response) => {
      response.writeHead(307, { location: 'file:///etc/passwd' }).end();
      return true;
    };
    expect((await importObject(INPUT, addressOf('dir/a file'))).job.error).toMatch(/^address_refused: /);
  });

  test('inside is refused by the guard too, whatever name it has, and is never connected to', async () => {
    put(FILE);
    const address = { ...addressOf('dir/a file'), endpoint: store.endpoint };
    const call = fetchObject(
      address,
      { warehouse: data.deps.warehouse, guard, context: STILL },
      { folder: temporaryFolder(), id: 'imp', allowInside: false, now: Date.now, format: 'csv' },
    );
    await expect(call).rejects.toThrow(/^address_refused: /);
    expect(store.asked).toEqual([]);
  });
});

describe('a job that is cancelled', () => {
  test('ends between two pieces', async () => {
    put(FILE);
    let pieces = 0;
    const checkpoint = async (): Promise<void> => {
      if (++pieces === 2) throw new JobCancelled('cancelled');
    };
    const folder = temporaryFolder();
    await expect(fetching('csv', folder, { ...STILL, checkpoint })).rejects.toThrow(JobCancelled);
    expect(await readdir(folder)).toEqual([]);
  });

  test('ends in the middle of a statement that the store keeps waiting', async () => {
    put(await parquetFile());
    let requests = 0;
    const held: (() => void)[] = [];
    // Says nothing from the first bytes on, until the job has looked whether it was cancelled.
    store.before = () => (++requests < 2 ? false : new Promise<boolean>((resolve) => held.push(() => resolve(false))));
    const checkpoint = async (): Promise<void> => {
      if (held.length > 0) throw new JobCancelled('cancelled');
    };
    await expect(fetching('parquet', temporaryFolder(), { ...STILL, checkpoint })).rejects.toThrow(JobCancelled);
    for (const release of held) release();
  });
});

test('the guard knows nobody without a door, and no door after its job', async () => {
  put(FILE);
  const door = await guard.admit(addressOf('dir/a file'), true, Date.now);
  const status = async (url: string, method = 'GET') => (await fetch(url, { method })).status;
  expect(await (await fetch(door.piece(0, 2))).text()).toBe(FILE.slice(0, 3));
  expect([await status(door.object), await status(door.object, 'HEAD')]).toEqual([200, 200]);
  expect(await status(door.object, 'PUT')).toBe(403);
  expect(await status(door.object.replace(/w[0-9a-f]{40}/, `w${'0'.repeat(40)}`))).toBe(403);
  door.close();
  expect(await status(door.object)).toBe(403);
});
