import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { Redis } from 'ioredis';
import { expect, onTestFinished, test, vi } from 'vitest';
import { type Config, readConfig } from '../../supervisor/config.ts';
import { openDataFolder } from '../../supervisor/data-folder.ts';
import { isAlive } from '../../supervisor/process-identity.ts';
import type { Entries } from '../../supervisor/processes.ts';
import type { RunFile } from '../../supervisor/run-file.ts';
import { openSecrets } from '../../supervisor/secrets.ts';
import { createSupervisor, type Supervisor } from '../../supervisor/supervisor.ts';
import { temporaryFolder } from '../support/folder.ts';

const fixture = (name: string): string => fileURLToPath(new URL(`./fixtures/${name}`, import.meta.url));

const ENTRIES: Entries = {
  nodeArguments: [],
  tether: fileURLToPath(new URL('../../supervisor/tether.mjs', import.meta.url)),
  embedded: fixture('embedded.mjs'),
  dmp: fixture('embedded.mjs'),
  segmenter: fixture('segmenter.mjs'),
  pages: fixture('pages.mjs'),
  bidder: fixture('bidder.mjs'),
  city: fixture('city.mjs'),
};

const FREE = ['bidder', 'api', 'pages', 'bidder-metrics', 'api-metrics', 'pages-metrics'].flatMap((name) => [
  `--${name}-port`,
  '0',
]);

interface Running {
  readonly supervisor: Supervisor;
  readonly config: Config;
  readonly said: string[];
  run(): RunFile;
  pid(name: string): number;
}

async function up(args: readonly string[] = [], env: NodeJS.ProcessEnv = {}, entries: Partial<Entries> = {}): Promise<Running> {
  const config = readConfig([...FREE, ...args, '--data', join(temporaryFolder(), 'data')], { PATH: process.env['PATH'], ...env });
  openDataFolder(config.data);
  const said: string[] = [];
  const supervisor = createSupervisor({
    config,
    secrets: openSecrets(config.data),
    entries: { ...ENTRIES, ...entries },
    say: (sentence) => said.push(sentence),
    fatal: (error) => said.push(error.message),
  });
  onTestFinished(() => supervisor.kill());
  for (const stage of await supervisor.prepare()) await stage.run();
  const run = (): RunFile => JSON.parse(readFileSync(join(config.data, 'run.json'), 'utf8')) as RunFile;
  const pid = (name: string): number => run().processes.find((process) => process.name === name)?.pid ?? 0;
  return { supervisor, config, said, run, pid };
}

test('everything is ready when the start is over, and run.json says where', async () => {
  const { run } = await up();
  const { api, bidder, pages, apiMetrics, bidderMetrics, pagesMetrics, processes, pid } = run();
  expect(pid).toBe(process.pid);
  expect(processes.map(({ name }) => name)).toEqual(['redis', 'data', 'pages', 'bidder']);
  expect(new Set([api, bidder, pages, apiMetrics, bidderMetrics, pagesMetrics]).size).toBe(6);
  for (const address of [apiMetrics, bidderMetrics, pagesMetrics]) expect((await fetch(`${address}/readyz`)).status).toBe(200);
});

test('with a ClickHouse server the admin API and the segmenter are processes apart', async () => {
  const { run } = await up(['--segmenter-metrics-port', '0'], { CLICKHOUSE_URL: 'http://127.0.0.1:1' });
  expect(run().processes.map(({ name }) => name)).toEqual(['redis', 'dmp', 'segmenter', 'pages', 'bidder']);
});

test('each process comes back after kill -9, and run.json follows', async () => {
  const { run, pid, said } = await up();
  for (const name of ['redis', 'data', 'pages', 'bidder']) {
    const before = pid(name);
    process.kill(before, 'SIGKILL');
    await vi.waitFor(() => expect([0, before]).not.toContain(pid(name)), 5000);
  }
  await vi.waitFor(async () => expect((await fetch(`${run().apiMetrics}/readyz`)).status).toBe(200), 5000);
  expect(said.filter((sentence) => sentence.includes('ended (SIGKILL)'))).toHaveLength(4);
});

test('a stop ends all within five seconds, the bidder first and Redis last', async () => {
  const { supervisor, config, run, pid } = await up();
  const processes = run().processes.map(({ pid }) => pid ?? 0);
  const redis = new Redis(join(config.data, 'redis', 'redis.sock'));
  redis.on('error', () => undefined);
  await redis.set('last', 'word');
  redis.disconnect();
  const [bidder, data, server] = [pid('bidder'), pid('data'), pid('redis')];
  const gone: number[] = [];
  const watch = setInterval(() => {
    for (const one of [bidder, data, server]) if (!gone.includes(one) && !isAlive(one)) gone.push(one);
  }, 1);
  const started = Date.now();
  await supervisor.stop();
  await vi.waitFor(() => expect(gone).toHaveLength(3), 1000);
  clearInterval(watch);
  expect(Date.now() - started).toBeLessThan(5000);
  expect(gone).toEqual([bidder, data, server]);
  expect(processes.some(isAlive)).toBe(false);
});

test('a process that cannot start ends the start with the end of its log', async () => {
  const broken = join(temporaryFolder(), 'broken.mjs');
  writeFileSync(broken, 'throw new Error("WALKIN_API_PORT: what is this")');
  await expect(up([], {}, { embedded: broken })).rejects.toThrow(/data does not start\..*WALKIN_API_PORT: what is this/s);
});
