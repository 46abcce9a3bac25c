import { createHmac } from 'node:crypto';
import { createServer, type IncomingHttpHeaders, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { afterAll, beforeAll, beforeEach, expect, test } from 'vitest';
import type { Export } from '../../dmp/destinations/exports.ts';
import { exportWork, MOST_FAILURES } from '../../dmp/destinations/run.ts';
import { ATTEMPTS_OF } from '../../dmp/jobs/jobs.ts';
import { startJobWorker } from '../../dmp/jobs/queue.ts';
import { startApi, type TestApi } from '../support/api.ts';
import { type SendRig, sendRig } from './destinations-rig.ts';

interface Received {
  readonly headers: IncomingHttpHeaders;
  readonly body: string;
}

let api: TestApi;
let rig: SendRig;
let receiver: Server;
let received: Received[] = [];
/** Statuses that the receiver answers first. */
let answers: number[] = [];
let secret = '';
let url = '';
const A = ['email', 'a@w.example'] as const;
const B = ['email', 'b@w.example'] as const;

beforeAll(async () => {
  receiver = createServer((request, response) => {
    let body = '';
    request.on('data', (chunk: Buffer) => {
      body += chunk.toString();
    });
    request.on('end', () => {
      received.push({ headers: request.headers, body });
      response.writeHead(answers.shift() ?? 204).end();
    });
  });
  await new Promise<void>((resolve) => receiver.listen(0, '127.0.0.1', resolve));
  url = `http://127.0.0.1:${(receiver.address() as AddressInfo).port}/hook`;
  const started = await startApi();
  // The operator lets messages go to the own network.
  Object.assign(started.deps, { fetchInside: true });
  api = started;
  await api.app.ready();
  rig = sendRig(api);
  await api.ok('PUT', '/v1/advertisers/shop', { name: 'Shop', domains: ['shop.example'] });
  await api.ok('PUT', '/v1/sources/crm', { name: 'CRM', party: '1p', destinations: ['webhook'] });
  const rule = { purchases: { sources: ['crm'] } };
  await api.ok('PUT', '/v1/segments/buyers', { advertiser: 'shop', name: 'Buyers', rule, minimumSize: 1 });
  await rig.identify('crm', [[A], [B]]);
  const made = await api.ok<{ signingSecret: string }>('PUT', '/v1/destinations/hook', {
    ...{ advertiser: 'shop', name: 'Hook', kind: 'webhook', segments: [{ segment: 'buyers', code: 'b' }] },
    ...{ identifiers: ['email_uid2'], delivery: { to: 'url', url } },
  });
  secret = made.signingSecret;
});
beforeEach(() => {
  received = [];
  answers = [];
});
afterAll(async () => {
  await api?.stop();
  receiver?.close();
});

const settled = async (id: string, states: readonly string[]): Promise<Export> => {
  for (;;) {
    const record = await api.ok<Export>('GET', `/v1/exports/${id}`);
    if (states.includes(record.state)) return record;
    await new Promise((resolve) => setTimeout(resolve, 50));
  }
};

/** As a receiver checks it by the specification of Standard Webhooks. */
function isSigned({ headers, body }: Received): boolean {
  const key = Buffer.from(secret.slice('whsec_'.length), 'base64');
  const text = `${headers['webhook-id']}.${headers['webhook-timestamp']}.${body}`;
  return headers['webhook-signature'] === `v1,${createHmac('sha256', key).update(text).digest('base64')}`;
}

test('a receiver that fails twice gets the message the third time, signed, and under the same id', async () => {
  await rig.members('buyers', [A]);
  answers = [500, 503];
  const log = api.deps.log;
  const worker = startJobWorker({
    ...{ connection: api.deps.redis, queue: 'exports', works: { export: exportWork(api.deps) }, concurrency: 1, log },
  });
  const { id } = await api.ok<{ id: string }>('POST', '/v1/destinations/hook/export', {});
  const record = await settled(id, ['delivered']);
  await worker.close();
  expect(received.map(isSigned)).toEqual([true, true, true]);
  expect(new Set(received.map(({ headers }) => headers['webhook-id'])).size).toBe(1);
  expect(record.attempts.map(({ status }) => status)).toEqual([500, 503, 204]);
  const { type, data } = JSON.parse(received[2]?.body ?? '') as { type: string; data: Record<string, unknown> };
  expect(type).toBe('segment.changed');
  expect(data).toMatchObject({
    ...{ destination: 'hook', segment: 'buyers', code: 'b', left: [] },
    entered: [{ identifiers: [{ kind: 'email_uid2', value: expect.stringMatching(/^[0-9a-f]{64}$/) }] }],
  });
}, 60_000);

test('what changed since is said, and the same is said again when it is asked for', async () => {
  await rig.members('buyers', [B]);
  const record = await rig.send('hook');
  expect(record.state).toBe('delivered');
  const { data } = JSON.parse(received[0]?.body ?? '') as { data: { entered: object[]; left: object[] } };
  expect([data.entered.length, data.left.length]).toEqual([1, 1]);
  await api.ok('POST', `/v1/exports/${record.id}/redeliver`);
  await rig.run(record.id);
  expect(received.map(({ body }) => body)).toEqual([received[0]?.body, received[0]?.body]);
  expect(new Set(received.map(({ headers }) => headers['webhook-id'])).size).toBe(1);
});

test('what nobody takes is dead after all tries, and goes on when it is delivered again', async () => {
  await rig.members('buyers', [A, B]);
  const { id } = await api.ok<{ id: string }>('POST', '/v1/destinations/hook/export', {});
  expect(ATTEMPTS_OF.export).toBe(MOST_FAILURES);
  answers = Array.from({ length: MOST_FAILURES }, () => 500);
  for (let tries = 1; tries < MOST_FAILURES; tries++) await expect(rig.run(id)).rejects.toThrow('answered 500');
  await expect(rig.run(id)).rejects.toThrow('given up');
  expect((await api.ok<Export>('GET', `/v1/exports/${id}`)).state).toBe('dead');
  await api.ok('POST', `/v1/exports/${id}/redeliver`);
  expect((await rig.run(id)).state).toBe('delivered');
});

test('an address that says 410 is not asked again', async () => {
  await rig.members('buyers', [A]);
  const { id } = await api.ok<{ id: string }>('POST', '/v1/destinations/hook/export', {});
  answers = [410];
  await expect(rig.run(id)).rejects.toThrow('gone');
  expect((await api.ok<Export>('GET', `/v1/exports/${id}`)).state).toBe('dead');
  await rig.run(id);
  expect(received.length).toBe(1);
});
