import { setTimeout as sleep } from 'node:timers/promises';
import { afterAll, beforeAll, expect, test, vi } from 'vitest';
import type { Receipt } from '../../dmp/erasures/receipt.ts';
import { createDataProcess, type DataProcess } from '../support/data-process.ts';

/** In CI one; more: WALKIN_KILLS=5 npx vitest run test/dmp/erasure-kill.test.ts */
const KILLS = Number(process.env['WALKIN_KILLS'] ?? 1);
const EACH = 500;

let data: DataProcess;
beforeAll(async () => {
  data = await createDataProcess('segmenter/embedded.ts', { WALKIN_REFRESH_SECONDS: '86400' });
});
afterAll(() => data.close());

const at = '2026-11-01T10:00:00Z';
const mail = (name: string) => ({ kind: 'email', value: `${name}@example.org` });
const json = async <T>(method: string, path: string, body?: object): Promise<T> => {
  const answer = await data.call(method, path, body === undefined ? undefined : JSON.stringify(body));
  if (!answer.ok) throw new Error(`${method} ${path}: ${answer.status} ${await answer.text()}`);
  return (await answer.json()) as T;
};
const ended = (job: string) =>
  vi.waitFor(async () => expect(await json('GET', `/v1/jobs/${job}`)).toMatchObject({ state: 'succeeded' }), {
    timeout: 120_000,
    interval: 100,
  });

const lives = (name: string, device: number) => {
  const identifiers = [mail(name), { kind: 'ifa', value: `11111111-2222-4333-8444-${String(device).padStart(12, '0')}` }];
  return Array.from({ length: EACH }, (_, n) => [
    { type: 'purchase', id: `${name}-${n}`, at, identifiers, lines: [{ amountMicros: 1_000_000 }] },
    { type: 'page', id: `v${n}`, at, identifiers, url: 'https://shop.example/' },
  ]).flat();
};

test(`an erasure that is killed ${KILLS} times goes on, is done, and proves it`, async () => {
  await data.start();
  await json('POST', '/v1/events', lives('ann', 1));
  await json('POST', '/v1/events', lives('bob', 2));
  await ended((await json<{ id: string }>('POST', '/v1/refresh')).id);
  const { id } = await json<{ id: string }>('POST', '/v1/erasures', { identifiers: [mail('ann')] });
  for (let kill = 0; kill < KILLS; kill++) {
    await sleep(Math.random() * 400);
    await data.kill();
    await data.start();
  }
  const receipt = await vi.waitFor(
    async () => {
      const erasure = await json<{ receipt: Receipt | null }>('GET', `/v1/erasures/${id}`);
      expect(erasure.receipt).not.toBeNull();
      return erasure.receipt as Receipt;
    },
    { timeout: 180_000, interval: 250 },
  );
  expect(receipt).toMatchObject({ erased: { purchases: EACH, pages: EACH }, proof: { found: [] } });
  // At the door still, and the other one is whole.
  expect(await json('POST', '/v1/events', lives('ann', 1).slice(0, 10))).toMatchObject({ accepted: 0, quarantined: 10 });
  const bob = await json<{ id: number; purchases: object[] }>('POST', '/v1/profiles:find', { identifier: mail('bob') });
  const rows = (await (await data.call('GET', `/v1/profiles/${bob.id}/export`)).text())
    .split('\n')
    .filter((line) => line.includes('bob-'));
  expect(rows).toHaveLength(EACH);
  expect((await data.call('POST', '/v1/profiles:find', JSON.stringify({ identifier: mail('ann') }))).status).toBe(404);
}, 400_000);
