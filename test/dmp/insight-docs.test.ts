import { execFile } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { promisify } from 'node:util';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { ADMIN_KEY, startApi, type TestApi } from '../support/api.ts';
import { type FactRow, people, putFacts, putMembers } from './segments-facts.ts';

/** The commands of docs/insight.md, as they stand there. */

const TEXT = readFileSync(new URL('../../docs/insight.md', import.meta.url), 'utf8');
const commands = [...TEXT.matchAll(/<!-- run by test\/dmp\/insight-docs\.test\.ts -->\n```bash\n([^`]*)```/g)].map(
  ([, text]) => text ?? '',
);

let api: TestApi;
let address = '';
beforeAll(async () => {
  api = await startApi();
  address = await api.app.listen({ host: '127.0.0.1', port: 0 });
  const everybody = Array.from({ length: 600 }, (_, n) => n + 1);
  const bought = (profile: number, category: string): FactRow => ({
    profile,
    kind: 'purchase',
    at: Date.now() - 1_000,
    category,
    hour: 9,
  });
  await putFacts(api.deps.warehouse, [
    ...people(everybody),
    ...everybody.map((one) => bought(one, one % 2 === 0 ? 'TEA' : 'MILK')),
    ...everybody.map((one) => bought(one, one % 3 === 0 ? 'COFFEE' : 'BREAD')),
  ]);
  await api.ok('PUT', '/v1/advertisers/shop', { name: 'Shop', domains: ['shop.example'] });
  const store = { advertiser: 'shop', name: 'Centre', address: '', lat: 55.7, lon: 37.6, timeZone: 'UTC' };
  await api.ok('PUT', '/v1/stores/centre', store);
  for (const [id, every] of [
    ['tea', 2],
    ['coffee', 3],
  ] as const) {
    await api.ok('PUT', `/v1/segments/${id}`, { name: id, rule: { purchases: { categories: [id.toUpperCase()] } } });
    const members = everybody.filter((one) => one % every === 0);
    await putMembers(api.deps.warehouse, id, members);
  }
});
afterAll(() => api.stop());

test('there are commands for every part', () => {
  expect(commands).toHaveLength(4);
});

test.each(commands.map((text, n) => [n + 1, text] as const))('the commands of block %i do what they say', async (_, text) => {
  const script = text.replaceAll('http://127.0.0.1:8081', address);
  const { stdout } = await promisify(execFile)('bash', ['-euo', 'pipefail', '-c', script], {
    env: { ...process.env, KEY: ADMIN_KEY },
  });
  expect(stdout).not.toBe('');
  expect(stdout).not.toContain('"requestId"');
});
