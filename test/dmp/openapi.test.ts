import { readdir, readFile } from 'node:fs/promises';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { CODES } from '../../dmp/http/codes.ts';
import { startApi, type TestApi } from '../support/api.ts';

let api: TestApi;
beforeAll(async () => {
  api = await startApi();
  await api.app.ready();
});
afterAll(() => api.stop());

type Operation = { operationId?: string; tags?: string[]; summary?: string };
type Document = { openapi: string; paths: Record<string, Record<string, Operation>> };
const read = () => api.ok<Document>('GET', '/openapi.json', undefined, { key: null });

// Where these two fail, the documents are older than the code: `npm run openapi` writes them anew.
test('docs/openapi.json is what the routes say', async () => {
  await expect(`${JSON.stringify(await read(), null, 2)}\n`).toMatchFileSnapshot('../../docs/openapi.json');
});

test('docs/errors.md lists every code', async () => {
  const rows = Object.entries(CODES).map(([code, sentence]) => `### ${code}\n\n${sentence}\n`);
  const head =
    'Every error of the admin API is `application/problem+json` (RFC 9457) with one of these codes, and so is every fault in its `errors`.';
  await expect(`# Error codes\n\n${head}\n\n${rows.join('\n')}`).toMatchFileSnapshot('../../docs/errors.md');
});

test('every code is used, since a code that nobody sends is a promise that nobody keeps', async () => {
  const files = (await readdir(new URL('../../', import.meta.url), { recursive: true })).filter(
    (file) => /^(dmp|segmenter)\/.*\.ts$/.test(file) && !file.endsWith('http/codes.ts'),
  );
  const sources = await Promise.all(files.map((file) => readFile(new URL(`../../${file}`, import.meta.url), 'utf8')));
  const text = sources.join('\n');
  expect(Object.keys(CODES).filter((code) => !text.includes(`'${code}'`))).toEqual([]);
});

test('every operation is OpenAPI 3.1 with an id of its own, a summary and a tag', async () => {
  const { openapi, paths } = await read();
  expect(openapi).toBe('3.1.0');
  const operations = Object.entries(paths).flatMap(([path, methods]) =>
    Object.entries(methods).map(([method, operation]) => ({ name: `${method} ${path}`, ...operation })),
  );
  expect(operations.filter(({ summary, tags }) => !summary || !tags?.length).map(({ name }) => name)).toEqual([]);
  const ids = operations.map(({ operationId, name }) => operationId ?? name);
  expect(new Set(ids).size).toBe(ids.length);
  for (const noun of [
    'advertisers',
    'stores',
    'store-groups',
    'geofences',
    'sources',
    'exchanges',
    'campaigns',
    'line-items',
    'creatives',
    'api-keys',
    'segments',
  ])
    expect(Object.keys(paths)).toContain(`/v1/${noun}`);
});
