import { afterAll, beforeAll, beforeEach, expect, test } from 'vitest';
import { startImportWorker } from '../../dmp/imports/worker.ts';
import { keyIdentifier } from '../../proto/identifier.ts';
import { type DataApp, NOW, PEPPER, startDataApp } from '../dmp/data-app.ts';
import { bringFile, endedJob } from './bring.ts';

let data: DataApp;
let worker: { close(): Promise<void> };
beforeAll(async () => {
  data = await startDataApp();
  worker = startImportWorker(data.deps);
});
afterAll(async () => {
  await worker.close();
  await data.stop();
});
beforeEach(() => data.clear());

async function call(method: 'GET' | 'POST', url: string, payload?: object) {
  const response = await data.app.inject({ method, url, ...(payload === undefined ? {} : { payload }) });
  return { status: response.statusCode, body: response.json() };
}

const MAPPING = {
  columns: { id: 'basket', at: 'time', product: 'product', amount: 'value' },
  identifiers: [{ kind: 'loyalty', column: 'who' }],
};

const bring = async (rows: string): Promise<string> => {
  const input = { type: 'purchase', format: 'csv', mapping: MAPPING };
  return (await bringFile(data, input, `who,basket,product,value,time\n${rows}`)).id;
};
const ended = (job: string) => endedJob(data, job);

const quarantine = async (query = '') => (await call('GET', `/v1/quarantine${query}`)).body.data;

test('a refused row is mended and taken, under the person whom it named, and no longer waits', async () => {
  await bring('7001,r1,milk,3.8x,2026-01-28\n');
  const [row] = await quarantine();
  expect(row).toMatchObject({ code: 'bad_amount', value: '3.8x', replayed: null });
  expect(JSON.stringify(row)).not.toContain('7001');
  // As it is it is refused once more, and stays.
  expect(await call('POST', `/v1/quarantine/${row.id}/replay`)).toMatchObject({
    status: 200,
    body: { status: 'quarantined', errors: [{ code: 'bad_amount' }] },
  });
  const mended = await call('POST', `/v1/quarantine/${row.id}/replay`, { patch: { amount: '3.85' } });
  expect(mended).toMatchObject({ status: 200, body: { id: row.id, status: 'accepted', errors: [] } });
  const key = keyIdentifier({ kind: 'loyalty', value: '7001' }, PEPPER);
  expect(await data.rows('SELECT receipt, line, identifier, toString(amount) AS amount FROM purchases FINAL')).toEqual([
    { receipt: 'r1', line: 'milk', identifier: key, amount: '3850000' },
  ]);
  expect(await quarantine()).toEqual([]);
  expect(await quarantine('?replayed=true')).toMatchObject([{ id: row.id, replayed: '2026-11-22T12:00:00.000Z' }]);
  expect(await call('POST', `/v1/quarantine/${row.id}/replay`)).toMatchObject({ status: 404 });
});

test('all rows of a filter are tried again as a job; those of other imports stay, and a second time finds nothing', async () => {
  const rows = Array.from({ length: 1_200 }, (_, i) => `7${i % 50},r${i},milk,1;5,2026-01-28`).join('\n');
  const id = await bring(`${rows}\n7001,good,milk,1,2026-01-28\n,nobody,milk,1;5,2026-01-28\n`);
  await bring('7001,other,milk,x,2026-01-28\n');
  const { status, body } = await call('POST', `/v1/quarantine/replay?import=${id}`, { patch: { amount: '1.50' } });
  expect(status).toBe(202);
  const job = await ended(body.id);
  expect(job.result).toEqual({ rows: 1_201, accepted: 1_200, quarantined: 1, errors: [{ code: 'no_identifier', count: 1 }] });
  expect(await data.rows('SELECT toString(count()) AS n, toString(sum(amount)) AS sum FROM purchases FINAL')).toEqual([
    { n: '1201', sum: String(1_200 * 1_500_000 + 1_000_000) },
  ]);
  expect(await quarantine('?code=bad_amount')).toHaveLength(2);
  const again = await call('POST', `/v1/quarantine/replay?import=${id}`);
  expect((await ended(again.body.id)).result).toMatchObject({ rows: 1, accepted: 0 });
});

test('a streamed event that was refused for its time is mended; who it names may be mended too', async () => {
  const ping = { type: 'ping', at: 'yesterday', identifiers: [{ kind: 'ifa', value: 'a1b2' }], lat: 60.169871, lon: 24.938412 };
  const page = { type: 'page', at: NOW, identifiers: [{ kind: 'cookie', value: 'null' }], url: 'https://shop.example/' };
  const sent = await call('POST', '/v1/events', [ping, page]);
  expect(sent.body).toMatchObject({ quarantined: 2 });
  for (const row of await quarantine()) {
    const patch =
      row.type === 'ping' ? { at: '2026-11-20T10:00:00Z' } : { identifiers: [{ kind: 'email', value: 'a@b.example' }] };
    expect((await call('POST', `/v1/quarantine/${row.id}/replay`, { patch })).body).toMatchObject({ status: 'accepted' });
  }
  expect(await data.rows('SELECT identifier FROM pings FINAL')).toEqual([
    { identifier: keyIdentifier({ kind: 'ifa', value: 'a1b2' }, PEPPER) },
  ]);
  expect(await data.rows('SELECT identifier FROM pages FINAL')).toEqual([
    { identifier: keyIdentifier({ kind: 'email', value: 'a@b.example' }, PEPPER) },
  ]);
});

test('a row of which nothing was kept says so', async () => {
  const response = await data.app.inject({
    method: 'POST',
    url: '/v1/events',
    headers: { 'content-type': 'application/x-ndjson' },
    payload: '{"type":',
  });
  expect(response.json()).toMatchObject({ quarantined: 1 });
  const [row] = await quarantine();
  expect((await call('POST', `/v1/quarantine/${row.id}/replay`)).body).toMatchObject({
    status: 'quarantined',
    errors: [{ code: 'not_replayable' }],
  });
});
