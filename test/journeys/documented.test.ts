import { execFileSync } from 'node:child_process';
import { readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { type System, startSystem } from './system.ts';

/** The documents' commands, as they stand there, against a running Walkin. */

const DOCS = fileURLToPath(new URL('../../docs/', import.meta.url));
const OURS = /<!-- run by test\/journeys\/documented\.test\.ts -->\n```bash\n([^`]*)```/g;
const commands = readdirSync(DOCS)
  .filter((name) => name.endsWith('.md'))
  .flatMap((name) => [...readFileSync(join(DOCS, name), 'utf8').matchAll(OURS)].map(([, text]) => ({ name, text: text ?? '' })));

let system: System;

beforeAll(async () => {
  system = await startSystem();
  const put = async (path: string, body: object) => {
    const headers = { authorization: `Bearer ${system.key}`, 'content-type': 'application/json' };
    const response = await fetch(`${system.api}/v1/${path}`, { method: 'PUT', headers, body: JSON.stringify(body) });
    expect(response.status, await response.text()).toBe(201);
  };
  await put('sources/tills', { name: 'Tills', party: '1p' });
  await put('advertisers/shop', { name: 'Shop', domains: ['shop.example'], currency: 'USD' });
  const flight = { start: '2026-03-01T00:00:00Z', end: '2026-04-01T00:00:00Z' };
  await put('campaigns/spring', {
    advertiser: 'shop',
    name: 'Spring',
    status: 'active',
    ...flight,
    budgetMicros: null,
    holdout: null,
  });
  const post = async (path: string, body?: object): Promise<{ id: string }> => {
    const headers = {
      authorization: `Bearer ${system.key}`,
      ...(body === undefined ? {} : { 'content-type': 'application/json' }),
    };
    const init = { method: 'POST', headers, ...(body === undefined ? {} : { body: JSON.stringify(body) }) };
    return (await fetch(`${system.api}/v1/${path}`, init)).json() as Promise<{ id: string }>;
  };
  const at = new Date().toISOString();
  await post('events?source=tills', { type: 'identify', at, identifiers: [{ kind: 'email', value: 'kim@example.org' }] });
  const { id } = await post('refresh');
  for (let state = ''; state !== 'succeeded'; await sleep(100)) {
    const headers = { authorization: `Bearer ${system.key}` };
    ({ state } = (await (await fetch(`${system.api}/v1/jobs/${id}`, { headers })).json()) as { state: string });
  }
  writeFileSync(join(system.folder, 'ads.txt'), 'ssp.example, 4711, DIRECT, abc123\n');
  writeFileSync(
    join(system.folder, 'sellers.json'),
    JSON.stringify({
      version: '1.0',
      sellers: [{ seller_id: '4711', name: 'News', domain: 'news.example', seller_type: 'PUBLISHER' }],
    }),
  );
  writeFileSync(
    join(system.folder, 'receipts.csv'),
    'basket_id,transaction_timestamp,store_id,product_id,quantity,sales_value,household_id\nb1,2026-03-02T10:00:00Z,s1,p1,2,3.86,h1\n',
  );
}, 120_000);
afterAll(() => system.stop());

test.each(commands)('the commands of $name do what they say', ({ text }) => {
  const answer = execFileSync('bash', ['-euo', 'pipefail', '-c', text.replaceAll('http://127.0.0.1:8081', system.api)], {
    cwd: system.folder,
    env: { ...process.env, KEY: system.key },
    encoding: 'utf8',
  });
  expect(answer).not.toBe('');
  expect(answer).not.toContain('"requestId"');
});

test('there are commands to run', () => {
  expect(commands.length).toBeGreaterThan(1);
});
