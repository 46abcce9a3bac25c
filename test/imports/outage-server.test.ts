import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { setTimeout as sleep } from 'node:timers/promises';
import { createClient } from '@clickhouse/client';
import { afterAll, beforeAll, expect, test, vi } from 'vitest';
import { builtFile } from '../support/built.ts';
import { type ClickhouseServer, startClickhouse } from '../support/clickhouse-server.ts';
import { createDataProcess, type DataProcess } from '../support/data-process.ts';
import { KEY, SECRET, startS3Store } from './s3-store.ts';

/** In CI a moment; two minutes: WALKIN_OUTAGE_SECONDS=120 npx vitest run test/imports/outage-server.test.ts */
const SECONDS = Number(process.env['WALKIN_OUTAGE_SECONDS'] ?? 2);
const BATCH = 100;
/** So many that it is in the middle when ClickHouse goes. */
const ROWS = 40_000;
const SENDERS = 3;

let clickhouse: ClickhouseServer;
let dmp: DataProcess;
let segmenter: ChildProcess;
beforeAll(async () => {
  clickhouse = await startClickhouse();
  dmp = await createDataProcess('dmp/main.ts', { CLICKHOUSE_URL: clickhouse.url, WALKIN_FETCH_INSIDE: 'true' });
  await dmp.start();
  segmenter = spawn(process.execPath, ['--enable-source-maps', builtFile('segmenter/main.ts')], {
    stdio: ['ignore', 'inherit', 'inherit'],
    env: { ...dmp.env, WALKIN_SEGMENTER_METRICS_PORT: '0', WALKIN_REFRESH_SECONDS: '3600' },
  });
}, 120_000);
afterAll(async () => {
  const gone = once(segmenter, 'exit');
  segmenter.kill('SIGKILL');
  await gone;
  await dmp.close();
  await clickhouse.close();
});

interface Sent {
  batches: number;
  readonly refusals: string[];
}

/** Sends batches one after another, each until it is acknowledged. */
async function stream(sender: number, until: () => boolean, sent: Sent): Promise<void> {
  for (let batch = 0; !until(); ) {
    const lines = Array.from({ length: BATCH }, (_, i) =>
      JSON.stringify({
        ...{ type: 'purchase', id: `s${sender}-${batch}-${i}`, at: '2026-05-01T10:00:00Z' },
        ...{ identifiers: [{ kind: 'loyalty', value: `9${i}` }], lines: [{ product: 'p', amountMicros: 1_000_000 }] },
      }),
    );
    const answer = await dmp.call('POST', '/v1/events', lines.join('\n'), { 'content-type': 'application/x-ndjson' });
    await answer.text();
    if (answer.status === 200) {
      batch++;
      sent.batches++;
    } else {
      sent.refusals.push(`${answer.status} ${answer.headers.get('retry-after')}`);
      await sleep(50);
    }
  }
}

const FILE = [
  'who,basket,product,value,time',
  ...Array.from({ length: ROWS }, (_, i) => `7${i % 977},r${i},p${i % 31},1.25,2026-05-03T10:00:00Z`),
].join('\n');
const MAPPING = {
  columns: { id: 'basket', at: 'time', product: 'product', amount: 'value' },
  identifiers: [{ kind: 'loyalty', column: 'who' }],
};

const json = async <T>(answer: Promise<Response>): Promise<T> => (await (await answer).json()) as T;
const state = async (job: string): Promise<string> => (await json<{ state: string }>(dmp.call('GET', `/v1/jobs/${job}`))).state;
const ended = (job: string) =>
  vi.waitFor(async () => expect(await state(job)).toBe('succeeded'), { timeout: 180_000, interval: 100 });

test(
  `ClickHouse is killed for ${SECONDS} s in the middle of streaming, of an import and of a refresh: all is there once, by itself`,
  async () => {
    const made = await json<{ id: string }>(
      dmp.call('POST', '/v1/imports', JSON.stringify({ type: 'purchase', format: 'csv', mapping: MAPPING })),
    );
    const before = await json<{ id: string }>(dmp.call('POST', '/v1/refresh', '{}'));
    await ended(before.id);
    let isOver = false;
    const sent: Sent = { batches: 0, refusals: [] };
    const senders = Array.from({ length: SENDERS }, (_, n) => stream(n, () => isOver, sent));
    await vi.waitFor(() => expect(sent.batches).toBeGreaterThan(SENDERS), { timeout: 60_000, interval: 10 });
    const job = await json<{ id: string }>(dmp.call('PUT', `/v1/imports/${made.id}/file`, FILE, { 'content-type': 'text/csv' }));
    const refresh = await json<{ id: string }>(dmp.call('POST', '/v1/refresh', '{}'));
    const running = async () => expect([await state(job.id), await state(refresh.id)]).not.toContain('queued');
    await vi.waitFor(running, { timeout: 60_000, interval: 10 });

    await clickhouse.kill();
    const batchesBefore = sent.batches;
    await vi.waitFor(() => expect(sent.refusals.length).toBeGreaterThan(0), { timeout: 60_000, interval: 10 });
    await sleep(SECONDS * 1_000);
    expect(new Set(sent.refusals)).toEqual(new Set(['503 2']));
    expect((await dmp.call('GET', '/readyz')).status).toBe(503);
    // What needs ClickHouse to answer says the same, and no fault of ours.
    const asked = await dmp.call('GET', '/v1/quarantine');
    expect([asked.status, asked.headers.get('retry-after')]).toEqual([503, '2']);

    await clickhouse.start();
    await ended(job.id);
    await ended(refresh.id);
    const batchesAfter = sent.batches;
    await vi.waitFor(() => expect(sent.batches).toBeGreaterThan(batchesAfter + SENDERS), { timeout: 60_000, interval: 10 });
    isOver = true;
    await Promise.all(senders);
    const last = await json<{ id: string }>(dmp.call('POST', '/v1/refresh', '{}'));
    await ended(last.id);
    console.log(
      JSON.stringify({ SECONDS, batchesBefore, refusals: sent.refusals.length, events: sent.batches * BATCH, rows: ROWS }),
    );

    const client = createClient({ url: clickhouse.url });
    const sql = `SELECT countIf(startsWith(receipt, 'r')) AS file, sumIf(amount, startsWith(receipt, 'r')) AS micros,
      countIf(startsWith(receipt, 's')) AS streamed, (SELECT count() FROM walkin.facts WHERE kind = 'purchase') AS facts
      FROM walkin.purchases FINAL`;
    const answer = await client.query({ query: sql, format: 'JSONEachRow' });
    const [row] = await answer.json<Record<string, string>>();
    await client.close();
    const counts = Object.fromEntries(Object.entries(row ?? {}).map(([name, count]) => [name, Number(count)]));
    const streamed = sent.batches * BATCH;
    expect(counts).toEqual({ file: ROWS, micros: ROWS * 1_250_000, streamed, facts: ROWS + streamed });
    expect(await json(dmp.call('GET', `/v1/imports/${made.id}`))).toMatchObject({ result: { rows: ROWS, accepted: ROWS } });
  },
  300_000 + SECONDS * 1_500,
);

test('a server reads S3 by itself too, text and Parquet, through the guard of the dmp', async () => {
  const store = await startS3Store();
  const client = createClient({ url: clickhouse.url });
  const table = `SELECT toString(7000 + number) AS who, concat('p', toString(number)) AS basket, 'milk, "fresh"' AS product,
    toDecimal64(1.25, 2) AS value, toDateTime64(1769627213.5, 3, 'UTC') AS time FROM numbers(3)`;
  const { stream } = await client.exec({ query: `${table} FORMAT Parquet` });
  const pieces: Buffer[] = [];
  for await (const piece of stream) pieces.push(piece as Buffer);
  store.objects.set('/bucket/text.csv', Buffer.from('who,basket,product,value,time\r\n7001,c0,"milk,\nfresh",2,2026-01-28\r\n'));
  store.objects.set('/bucket/table.parquet', Buffer.concat(pieces));
  const take = async (key: string, format: string) => {
    const address = { url: `s3://bucket/${key}`, endpoint: store.endpoint, accessKeyId: KEY, secretAccessKey: SECRET };
    const input = { type: 'purchase', format, mapping: MAPPING, address };
    const made = await json<{ id: string; job: string }>(dmp.call('POST', '/v1/imports', JSON.stringify(input)));
    await ended(made.job);
    return json(dmp.call('GET', `/v1/imports/${made.id}`));
  };
  expect(await take('text.csv', 'csv')).toMatchObject({ result: { accepted: 1 } });
  expect(await take('table.parquet', 'parquet')).toMatchObject({ result: { accepted: 3 } });
  store.close();
  const sql = `SELECT receipt, product, toString(at) AS at, toString(amount) AS amount FROM walkin.purchases FINAL
    WHERE receipt IN ('c0', 'p0', 'p1', 'p2') ORDER BY receipt`;
  const answer = await client.query({ query: sql, format: 'JSONEachRow' });
  const milk = { product: 'milk, "fresh"', at: '2026-01-28 19:06:53.500', amount: '1250000' };
  expect(await answer.json()).toEqual([
    { receipt: 'c0', product: 'milk,\nfresh', at: '2026-01-28 00:00:00.000', amount: '2000000' },
    ...['p0', 'p1', 'p2'].map((receipt) => ({ receipt, ...milk })),
  ]);
  await client.close();
}, 240_000);
