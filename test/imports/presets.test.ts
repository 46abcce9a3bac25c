import { existsSync } from 'node:fs';
import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { afterAll, beforeAll, beforeEach, expect, test } from 'vitest';
import { exampleOf, importPresets } from '../../dmp/imports/presets.ts';
import { startImportWorker } from '../../dmp/imports/worker.ts';
import { type DataApp, startDataApp } from '../dmp/data-app.ts';

const SHARED = join(process.env['WALKIN_SHARED'] ?? join(import.meta.dirname, '../../../shared'), 'data');

let data: DataApp;
let worker: { close(): Promise<void> };
beforeAll(async () => {
  data = await startDataApp();
  const source = { name: 'Data', party: '1p', timeZone: 'Europe/Moscow', currency: 'USD' } as const;
  await data.deps.things.put('source', 'data', source, { actor: 'test' });
  worker = startImportWorker(data.deps);
});
afterAll(async () => {
  await worker.close();
  await data.stop();
});
beforeEach(() => data.clear());

async function bring(preset: string, file: Buffer) {
  const made = await data.app.inject({ method: 'POST', url: '/v1/imports', payload: { preset, source: 'data' } });
  expect(made.statusCode, made.body).toBe(201);
  const { id } = made.json();
  const sent = await data.app.inject({ method: 'PUT', url: `/v1/imports/${id}/file`, payload: file });
  for (;;) {
    const job = (await data.app.inject({ url: `/v1/jobs/${sent.json().id}` })).json();
    if (['succeeded', 'failed', 'cancelled'].includes(job.state)) return job;
    await sleep(20);
  }
}

test.each([...importPresets().values()])('$name: its exemplary file comes in whole', async (preset) => {
  const { accepted, skipped = 0, check } = preset.example;
  const job = await bring(preset.name, exampleOf(preset));
  expect(job.error).toBeNull();
  expect(job.result).toMatchObject({ accepted, skipped, quarantined: 0 });
  if (check !== undefined) expect(await data.rows(check.sql)).toEqual([check.row]);
  // Sent again, nothing changes.
  await bring(preset.name, exampleOf(preset));
  if (check !== undefined) expect(await data.rows(check.sql)).toEqual([check.row]);
});

test('the presets are listed with their mappings, and each gives its example', async () => {
  const { data: listed } = (await data.app.inject({ url: '/v1/import-presets' })).json();
  expect(listed.map(({ name }: { name: string }) => name)).toEqual([...importPresets().keys()]);
  expect(listed[0]).toMatchObject({ mapping: expect.anything(), title: expect.any(String) });
  const example = await data.app.inject({ url: '/v1/import-presets/fiscal-ffd-1.05/example' });
  expect(example.body).toContain('fiscalDriveNumber');
  expect((await data.app.inject({ url: '/v1/import-presets/none/example' })).statusCode).toBe(404);
});

const sums = 'toString(count()) AS lines, toString(uniqExact(receipt)) AS receipts, toString(sum(amount)) AS micros';

test.skipIf(!existsSync(join(SHARED, 'ffd_receipts')))(
  'the fiscal receipts of others come in to the kopeck, refunds netted out',
  async () => {
    const folder = join(SHARED, 'ffd_receipts');
    const job = await bring('fiscal-ffd-1.05', await readFile(join(folder, 'synthetic_ffd105_receipts.ndjson')));
    expect(job.result).toMatchObject({ rows: 2, accepted: 2, quarantined: 0 });
    // 147,898 kopecks sold, 129,900 given back.
    expect(await data.rows(`SELECT ${sums} FROM purchases FINAL`)).toEqual([{ lines: '3', receipts: '2', micros: '179980000' }]);
    // The till's clock said 18:01 in Moscow.
    expect(await data.rows('SELECT toString(min(at)) AS at FROM purchases FINAL')).toEqual([{ at: '2024-09-17 15:01:00.000' }]);
    await data.clear();
    const app = await bring('fiscal-ffd-1.2', await readFile(join(folder, 'synthetic_fns_app_receipt_ffd12.json')));
    expect(app.result).toMatchObject({ rows: 1, accepted: 1 });
    expect(
      await data.rows(`SELECT ${sums}, toString(sum(quantity)) AS kg, toString(min(at)) AS at FROM purchases FINAL`),
    ).toEqual([{ lines: '1', receipts: '1', micros: '247380000', kg: '2.474', at: '2024-09-17 15:01:00.000' }]);
    const kept = JSON.stringify(await data.rows('SELECT * FROM purchases'));
    for (const personal of ['79990000001', 'buyer@example.com', 'КАССИР', 'СИНТЕТИКА', '7700000016'])
      expect(kept).not.toContain(personal);
  },
);

test.skipIf(!existsSync(join(SHARED, 'completejourney')))(
  'completejourney comes in through its presets, to the cent',
  async () => {
    const folder = join(SHARED, 'completejourney');
    const lines = await bring('completejourney-transactions', await readFile(join(folder, 'transactions_sample.csv')));
    expect(lines.result).toMatchObject({ rows: 75_000, accepted: 75_000, quarantined: 0 });
    const people = 'toString(uniqExact(identifier)) AS people, toString(uniqExact(store)) AS stores';
    expect(await data.rows(`SELECT ${sums}, ${people} FROM purchases FINAL`)).toEqual([
      { lines: '75000', receipts: '47243', micros: '233935240000', people: '2377', stores: '293' },
    ]);
    const products = await bring('completejourney-products', await readFile(join(folder, 'products.csv')));
    expect(products.result).toMatchObject({ rows: 92_331, accepted: 92_331 });
    const redemptions = await bring('completejourney-redemptions', await readFile(join(folder, 'coupon_redemptions.csv')));
    expect(redemptions.result).toMatchObject({ rows: 2_102, accepted: 2_102 });
  },
  120_000,
);
