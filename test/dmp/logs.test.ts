import { setTimeout as sleep } from 'node:timers/promises';
import { pino } from 'pino';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { startImportWorker } from '../../dmp/imports/worker.ts';
import { createIdentity } from '../../segmenter/identity.ts';
import { startApi, type TestApi } from '../support/api.ts';

const lines: string[] = [];
const MAIL = 'anna.secret@example.com';
const PHONE = '+79995550177';
const CARD = 'card-4276-secret';

let api: TestApi;
let imports: { close(): Promise<void> };
beforeAll(async () => {
  api = await startApi(pino({ level: 'trace' }, { write: (line: string) => void lines.push(line) }));
  imports = startImportWorker(api.deps);
  await api.ok('PUT', '/v1/sources/tills', { name: 'Tills', party: '1p' });
});
afterAll(async () => {
  await imports.close();
  await api.stop();
});

test('no log line has a raw identifier, of what is taken, refused, looked up, erased or fails', async () => {
  const identifiers = [
    { kind: 'email', value: MAIL },
    { kind: 'phone', value: PHONE },
    { kind: 'card', value: CARD },
  ];
  const page = { type: 'page', at: '2026-01-02T00:00:00Z', identifiers, url: 'https://shop.example/' };
  const json = { headers: { 'content-type': 'application/json' } };
  const send = (body: unknown) => api.call('POST', '/v1/events?source=tills', body, json);
  expect((await send([page, { ...page, at: MAIL }, { ...page, [MAIL]: 1 }])).statusCode).toBe(200);
  expect((await send(`{"type":"page","email":"${MAIL}"`)).statusCode).toBe(400);
  const word = { identifiers, purposes: ['profiles'], status: 'withdrawn' };
  expect((await api.call('POST', '/v1/consents', { ...word, source: 'tills' })).statusCode).toBe(201);
  expect((await api.call('POST', '/v1/consents', { ...word, purposes: [MAIL] })).statusCode).toBe(422);
  await createIdentity(api.deps).fold();
  expect((await api.call('POST', '/v1/profiles:find', { identifier: identifiers[0] })).statusCode).toBe(200);
  const { id } = await api.ok<{ id: string }>('POST', '/v1/imports', {
    ...{ type: 'redemption', format: 'csv', source: 'tills' },
    mapping: { columns: { coupon: 'coupon', at: 'at' }, identifiers: [{ kind: 'email', column: 'who' }] },
  });
  const file = `who,coupon,at\n${MAIL},c,never\n${MAIL},c,2026-01-02\n"${MAIL},never closed`;
  const { id: job } = (await api.call('PUT', `/v1/imports/${id}/file`, file, { headers: { 'content-type': 'text/csv' } })).json();
  while ((await api.ok('GET', `/v1/jobs/${job}`))['state'] !== 'failed') await sleep(20);
  // Where the warehouse fails, what it is told is an error that somebody logs.
  const { warehouse } = api.deps;
  const broken = async () => Promise.reject(new Error('the warehouse is away'));
  Object.assign(api.deps, { warehouse: { ...warehouse, query: broken, insert: broken, insertText: broken } });
  expect((await api.call('POST', '/v1/consents', { ...word, source: 'tills' })).statusCode).toBeGreaterThanOrEqual(500);
  expect((await api.call('POST', '/v1/erasures', { identifiers })).statusCode).toBeGreaterThanOrEqual(500);
  Object.assign(api.deps, { warehouse });

  const text = lines.join('').toLowerCase();
  expect(text).toContain('the warehouse is away');
  for (const secret of [MAIL, 'anna.secret', PHONE, PHONE.slice(1), CARD]) expect(text).not.toContain(secret);
});
