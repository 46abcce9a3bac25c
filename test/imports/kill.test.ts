import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { afterEach, beforeEach, expect, test, vi } from 'vitest';
import { openWarehouse } from '../../dmp/clickhouse/warehouse.ts';
import { createDataProcess, type DataProcess } from '../support/data-process.ts';
import { KEY, SECRET, startS3Store } from './s3-store.ts';

/** In CI a few; the whole: WALKIN_KILLS=20 npx vitest run test/imports/kill.test.ts */
const KILLS = Number(process.env['WALKIN_KILLS'] ?? 2);
/** So long that most kills are in the middle of a file, and so short that the whole takes three minutes. */
const ROWS = 60_000;
const BATCH = 500;
const NDJSON = { 'content-type': 'application/x-ndjson' };

let dmp: DataProcess;
let isOver = false;
beforeEach(async () => {
  isOver = false;
  dmp = await createDataProcess('dmp/main.ts', { WALKIN_FETCH_INSIDE: 'true' });
});
// Whoever still sends to it ends first, also behind a test that failed.
afterEach(async () => {
  isOver = true;
  await dmp.close();
});

const FILE = [
  'who,shop,basket,product,value,time',
  ...Array.from({ length: ROWS }, (_, i) => `7${i % 977},s${i % 9},r${i},p${i % 31},1.25,2026-0${1 + (i % 9)}-03T10:00:00Z`),
].join('\n');
const MAPPING = {
  columns: { id: 'basket', at: 'time', store: 'shop', product: 'product', amount: 'value' },
  identifiers: [{ kind: 'loyalty', column: 'who' }],
};

const jsonOf = async <T>(path: string): Promise<T> => (await (await dmp.call('GET', path)).json()) as T;

async function makeImport(): Promise<string> {
  const made = await dmp.call('POST', '/v1/imports', JSON.stringify({ type: 'purchase', format: 'csv', mapping: MAPPING }));
  return ((await made.json()) as { id: string }).id;
}

/** One that failed says why. */
const expectTaken = async (id: string, rows: number): Promise<void> =>
  expect(await jsonOf(`/v1/imports/${id}`)).toMatchObject({ error: null, status: 'succeeded', result: { rows, accepted: rows } });

/** True where the file is there: also where a kill kept the answer back. */
async function sendFile(id: string): Promise<boolean> {
  const answer = await dmp.call('PUT', `/v1/imports/${id}/file`, FILE, { 'content-type': 'text/csv' }).catch(() => null);
  return answer?.status === 202 || answer?.status === 409;
}

/** Sends batches one after another, each until it is acknowledged, whatever happens to the server meanwhile. */
async function stream(until: () => boolean): Promise<number> {
  let batch = 0;
  while (!until()) {
    const lines = Array.from({ length: BATCH }, (_, i) =>
      JSON.stringify({
        ...{ type: 'purchase', id: `s${batch}-${i}`, at: '2026-05-01T10:00:00Z' },
        ...{ identifiers: [{ kind: 'loyalty', value: `9${i}` }], lines: [{ product: 'p', amountMicros: 1_000_000 }] },
      }),
    );
    const answer = await dmp.call('POST', '/v1/events', lines.join('\n'), NDJSON).catch(() => null);
    const taken = answer?.status === 200 ? ((await answer.json().catch(() => ({}))) as { accepted?: number }) : {};
    if (taken.accepted === BATCH) batch++;
    else await sleep(30);
  }
  return batch;
}

test(`after ${KILLS} kills in the middle of uploads, imports and streaming, all that was acknowledged is there, once`, async () => {
  const streaming = stream(() => isOver);
  const imports: string[] = [];
  const unsent = new Set<string>();
  for (let kill = 0; kill < KILLS; kill++) {
    await dmp.start();
    const id = await makeImport();
    imports.push(id);
    unsent.add(id);
    // The upload takes some 30 ms of this, the rest is the import's: its own, or one that an earlier kill cut off.
    const sending = Promise.all([...unsent].map(async (one) => (await sendFile(one)) && unsent.delete(one)));
    await sleep(Math.random() * 1_500);
    await dmp.kill();
    await sending;
  }
  await dmp.start();
  for (const id of unsent) expect(await sendFile(id)).toBe(true);
  await vi.waitFor(
    async () => {
      for (const id of imports) await expectTaken(id, ROWS);
    },
    { timeout: 300_000, interval: 500 },
  );
  for (const id of imports) {
    const result = (await (await dmp.call('GET', `/v1/imports/${id}/result`)).text()).trim().split('\n');
    expect([result.length, new Set(result).size]).toEqual([ROWS, ROWS]);
  }
  isOver = true;
  const batches = await streaming;
  expect(batches).toBeGreaterThan(0);
  await dmp.end();
  const warehouse = await openWarehouse({ kind: 'embedded', path: join(dmp.folder, 'clickhouse'), database: 'walkin' });
  const sql = `SELECT toString(countIf(startsWith(receipt, 'r'))) AS file, toString(sumIf(amount, startsWith(receipt, 'r'))) AS micros,
      toString(countIf(startsWith(receipt, 's'))) AS streamed FROM purchases FINAL`;
  const [row] = await warehouse.query<{ file: string; micros: string; streamed: string }>({ sql });
  await warehouse.close();
  expect(row).toMatchObject({ file: String(ROWS), micros: String(ROWS * 1_250_000) });
  // The last batch may be durable without its answer.
  expect([batches * BATCH, (batches + 1) * BATCH].map(String)).toContain(row?.streamed);
}, 900_000);

test('a process that is killed in the middle of an object of S3 takes it once, whole, when it is back', async () => {
  const store = await startS3Store();
  const rows = Array.from({ length: 5_000 }, (_, i) => `7${i % 977},s${i % 9},o${i},p${i % 31},1.25,2026-04-03T10:00:00Z`);
  store.objects.set('/bucket/receipts.csv', Buffer.from(['who,shop,basket,product,value,time', ...rows].join('\n')));
  await dmp.start();
  // The first bytes come, the rest when the process is dead.
  let dies: () => void = () => undefined;
  const dead = new Promise<false>((resolve) => {
    dies = () => resolve(false);
  });
  const reading = new Promise<void>((resolve) => {
    store.before = ({ headers }) => {
      if (headers.range === 'bytes=0-0') return false;
      resolve();
      return dead;
    };
  });
  const address = { url: 's3://bucket/receipts.csv', endpoint: store.endpoint, accessKeyId: KEY, secretAccessKey: SECRET };
  const made = await dmp.call(
    'POST',
    '/v1/imports',
    JSON.stringify({ type: 'purchase', format: 'csv', mapping: MAPPING, address }),
  );
  const { id } = (await made.json()) as { id: string };
  await reading;
  await dmp.kill();
  dies();
  await dmp.start();
  await vi.waitFor(() => expectTaken(id, 5_000), { timeout: 120_000, interval: 200 });
  await dmp.end();
  store.close();
  const warehouse = await openWarehouse({ kind: 'embedded', path: join(dmp.folder, 'clickhouse'), database: 'walkin' });
  const sql = `SELECT toString(count()) AS n, toString(sum(amount)) AS micros FROM purchases FINAL WHERE startsWith(receipt, 'o')`;
  const [row] = await warehouse.query({ sql });
  await warehouse.close();
  expect(row).toEqual({ n: '5000', micros: String(5_000 * 1_250_000) });
}, 300_000);
