import { setTimeout as sleep } from 'node:timers/promises';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { startImportWorker } from '../../dmp/imports/worker.ts';
import { type DataApp, NOW, startDataApp } from '../dmp/data-app.ts';

/** In CI a moment; two minutes: WALKIN_OUTAGE_SECONDS=120 npx vitest run test/imports/outage.test.ts */
const SECONDS = Number(process.env['WALKIN_OUTAGE_SECONDS'] ?? 2);
const BATCH = 100;

let data: DataApp;
let worker: { close(): Promise<void> };
let isAway = false;
beforeAll(async () => {
  data = await startDataApp();
  const { insertText } = data.deps.warehouse;
  const guarded: typeof insertText = async (...args) => {
    if (isAway) throw new Error('connect ECONNREFUSED');
    await insertText(...args);
  };
  Object.assign(data.deps.warehouse, { insertText: guarded });
  worker = startImportWorker(data.deps);
});
afterAll(async () => {
  await worker.close();
  await data.stop();
});

test(
  `ClickHouse is away for ${SECONDS} s while events and a file come in: nothing is lost or double, senders are told when to come back`,
  async () => {
    let isOver = false;
    const refusals: { status: number; retryAfter: unknown }[] = [];
    const send = async (sender: number): Promise<number> => {
      let batch = 0;
      while (!isOver) {
        const lines = Array.from({ length: BATCH }, (_, i) =>
          JSON.stringify({
            type: 'purchase',
            id: `s${sender}-${batch}-${i}`,
            at: NOW,
            identifiers: [{ kind: 'loyalty', value: `9${i}` }],
            lines: [{ amountMicros: 1 }],
          }),
        );
        const headers = { 'content-type': 'application/x-ndjson' };
        const answer = await data.app.inject({ method: 'POST', url: '/v1/events', headers, payload: lines.join('\n') });
        if (answer.statusCode === 200) batch++;
        else {
          refusals.push({ status: answer.statusCode, retryAfter: answer.headers['retry-after'] });
          await sleep(50);
        }
      }
      return batch;
    };
    const senders = [0, 1, 2].map(send);
    await sleep(500);
    isAway = true;
    const mapping = {
      columns: { id: 'basket', at: 'time', amount: 'value' },
      identifiers: [{ kind: 'loyalty', column: 'who' }],
    };
    const made = await data.app.inject({
      method: 'POST',
      url: '/v1/imports',
      payload: { type: 'purchase', format: 'csv', mapping },
    });
    const rows = Array.from({ length: 3_000 }, (_, i) => `7${i % 9},f${i},1,2026-01-28`);
    const file = ['who,basket,value,time', ...rows].join('\n');
    const sent = await data.app.inject({ method: 'PUT', url: `/v1/imports/${made.json().id}/file`, payload: file });
    await sleep(SECONDS * 1_000);
    expect(refusals.length).toBeGreaterThan(0);
    expect(new Set(refusals.map(({ status, retryAfter }) => `${status} ${retryAfter}`))).toEqual(new Set(['503 2']));
    expect((await data.app.inject({ url: `/v1/jobs/${sent.json().id}` })).json().state).toBe('running');
    isAway = false;
    for (;;) {
      const job = (await data.app.inject({ url: `/v1/jobs/${sent.json().id}` })).json();
      if (job.state === 'succeeded') break;
      expect(job.state).toBe('running');
      await sleep(50);
    }
    await sleep(300);
    isOver = true;
    const batches = (await Promise.all(senders)).reduce((sum, count) => sum + count, 0);
    expect(
      await data.rows(
        "SELECT toString(countIf(startsWith(receipt, 's'))) AS s, toString(countIf(startsWith(receipt, 'f'))) AS f FROM purchases FINAL",
      ),
    ).toEqual([{ s: String(batches * BATCH), f: '3000' }]);
  },
  60_000 + SECONDS * 1_500,
);
