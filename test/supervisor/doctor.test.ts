import { execFile } from 'node:child_process';
import { existsSync } from 'node:fs';
import { createServer as createHttpServer } from 'node:http';
import { createServer } from 'node:net';
import { join } from 'node:path';
import { expect, onTestFinished, test } from 'vitest';
import type { Check } from '../../supervisor/check.ts';
import { openDataFolder } from '../../supervisor/data-folder.ts';
import { lockDataFolder } from '../../supervisor/lock.ts';
import { writeRunFile } from '../../supervisor/run-file.ts';
import { builtFile } from '../support/built.ts';
import { temporaryFolder } from '../support/folder.ts';

const FREE = ['bidder', 'api', 'pages', 'bidder-metrics', 'api-metrics', 'pages-metrics'].flatMap((name) => [
  `--${name}-port`,
  '0',
]);

interface Diagnosis {
  readonly code: number;
  readonly ok: boolean;
  readonly checks: readonly Check[];
}

function doctor(args: readonly string[], env: NodeJS.ProcessEnv = {}): Promise<Diagnosis> {
  return new Promise((resolve) => {
    const call = execFile(
      process.execPath,
      [builtFile('supervisor/doctor.ts'), '--json', ...FREE, ...args],
      { env: { ...process.env, ...env } },
      (_error, stdout) => resolve({ code: call.exitCode ?? -1, ...(JSON.parse(stdout) as Omit<Diagnosis, 'code'>) }),
    );
  });
}

const named = (diagnosis: Diagnosis, name: string) => diagnosis.checks.find(({ check }) => check === name);

test('the doctor looks at everything and leaves nothing behind', async () => {
  const data = join(temporaryFolder(), 'data');
  const diagnosis = await doctor(['--data', data]);
  expect(diagnosis.checks.map(({ check }) => check)).toEqual([
    'Node.js',
    'npm packages',
    'memory',
    'disk',
    'clock',
    'UV_THREADPOOL_SIZE',
    'Redis',
    'ClickHouse',
    'ports',
    'data folder',
    'snapshot',
    'TCF vendor id',
  ]);
  expect(named(diagnosis, 'ClickHouse')?.value).toMatch(/^embedded \d+\./);
  expect(diagnosis.ok).toBe(diagnosis.checks.every(({ ok }) => ok));
  expect(diagnosis.code).toBe(diagnosis.ok ? 0 : 1);
  expect(existsSync(data)).toBe(false);
});

test('what is wrong is said with what to do, and the exit code is 1', async () => {
  const server = createServer().listen(0, '127.0.0.1');
  onTestFinished(() => void server.close());
  await new Promise((resolve) => server.once('listening', resolve));
  const { port } = server.address() as { port: number };
  const diagnosis = await doctor(['--api-port', String(port), '--data', join(temporaryFolder(), 'data')], {
    CLICKHOUSE_URL: 'http://127.0.0.1:1',
    REDIS_URL: 'redis://127.0.0.1:1',
    WALKIN_SEGMENTER_METRICS_PORT: '0',
  });
  expect(diagnosis.code).toBe(1);
  expect(named(diagnosis, 'ports')).toMatchObject({
    ok: false,
    value: `port ${port} of the admin API is taken by process ${process.pid} (node)`,
    fix: expect.stringContaining('choose another port'),
  });
  expect(named(diagnosis, 'Redis')).toMatchObject({ ok: false, value: expect.stringContaining('no Redis answers') });
  expect(named(diagnosis, 'ClickHouse')).toMatchObject({ ok: false, fix: 'check CLICKHOUSE_URL' });
});

test('a data folder in use is said with its process', async () => {
  const data = join(temporaryFolder(), 'data');
  openDataFolder(data);
  lockDataFolder(data, new Date());
  const diagnosis = await doctor(['--data', data]);
  expect(named(diagnosis, 'data folder')?.value).toContain(`in use by process ${process.pid}`);
});

test('a snapshot that the bidder refuses is said with what is wrong with it', async () => {
  const data = join(temporaryFolder(), 'data');
  openDataFolder(data);
  lockDataFolder(data, new Date());
  const refused = { version: 8, error: 'snapshot: line item a names store s, which is not in it' };
  const bidder = createHttpServer((_request, response) => {
    response.end(JSON.stringify({ ready: true, reasons: [], snapshotVersion: 7, snapshotRefused: refused }));
  }).listen(0, '127.0.0.1');
  onTestFinished(() => void bidder.close());
  await new Promise((resolve) => bidder.once('listening', resolve));
  const address = `http://127.0.0.1:${(bidder.address() as { port: number }).port}`;
  const started = new Date().toISOString();
  const addresses = {
    ...{ api: address, bidder: address, pages: address },
    ...{ apiMetrics: address, bidderMetrics: address, pagesMetrics: address },
  };
  writeRunFile(data, { pid: process.pid, startedAt: started, processes: [], ...addresses });
  const diagnosis = await doctor(['--data', data]);
  expect(named(diagnosis, 'snapshot')).toMatchObject({
    ok: false,
    value: `version 8 is refused (${refused.error}), version 7 is served`,
  });
});
