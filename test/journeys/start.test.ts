import { type ChildProcess, execFileSync, spawn } from 'node:child_process';
import { existsSync, mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { processIdentity } from '../../supervisor/process-identity.ts';
import type { RunFile } from '../../supervisor/run-file.ts';
import { sampleLines, shapeOf } from './readme.ts';

/** The README's first command, tried as a stranger would: in a fresh clone, with nothing installed and nothing set. */

const ROOT = fileURLToPath(new URL('../../', import.meta.url));
const PORTS = ['bidder', 'api', 'pages', 'bidder-metrics', 'api-metrics', 'pages-metrics'].flatMap((name) => [
  `--${name}-port`,
  '0',
]);
const INSTALL_MS = 240_000;
/** Promised: at the running table within three minutes on two cores, downloads not counted. */
const TABLE_MS = 180_000;

let folder = '';
let clone = '';

beforeAll(() => {
  folder = mkdtempSync(join(tmpdir(), 'walkin-start-'));
  clone = join(folder, 'walkin');
  execFileSync('git', ['clone', '--quiet', '--no-hardlinks', ROOT, clone], { stdio: 'inherit' });
});

/** Also of a test that failed half-way: nothing is left running. */
const started: Start[] = [];

afterAll(async () => {
  for (const { npm } of started) npm.kill('SIGINT');
  await Promise.all(started.map(({ ended }) => ended));
  rmSync(folder, { recursive: true, force: true, maxRetries: 5 });
});

interface Start {
  readonly npm: ChildProcess;
  output(): string;
  ended: Promise<number | null>;
}

/** `npm start` without a terminal, and without what this test run itself was given. */
function npmStart(): Start {
  const env = Object.fromEntries(
    Object.entries(process.env).filter(
      ([name]) => !/^(npm_|WALKIN_|VITEST|NODE_|REDIS_URL|CLICKHOUSE_URL|TZ|UV_|CI$)/i.test(name),
    ),
  );
  const npm = spawn('npm', ['start', '--', ...PORTS], { cwd: clone, env, stdio: ['ignore', 'pipe', 'pipe'] });
  let output = '';
  for (const stream of [npm.stdout, npm.stderr]) {
    stream.on('data', (chunk: Buffer) => {
      output += chunk.toString('utf8');
    });
  }
  const ended = new Promise<number | null>((resolve) => npm.once('exit', resolve));
  const start = { npm, output: () => output, ended };
  started.push(start);
  return start;
}

async function until(start: Start, text: string, ms: number): Promise<void> {
  const late = Date.now() + ms;
  let over = false;
  void start.ended.then(() => {
    over = true;
  });
  while (!start.output().includes(text)) {
    if (over || Date.now() > late)
      throw new Error(`'${text}' was not printed ${over ? 'before the end' : 'in time'}:\n${start.output()}`);
    await new Promise((resolve) => setTimeout(resolve, 100));
  }
}

const run = (): RunFile => JSON.parse(readFileSync(join(clone, 'data', 'run.json'), 'utf8')) as RunFile;

async function stop(start: Start): Promise<void> {
  const pids = [run().pid, ...run().processes.map(({ pid }) => pid ?? 0)];
  const asked = Date.now();
  start.npm.kill('SIGINT');
  expect(await start.ended).toBe(0);
  expect(Date.now() - asked).toBeLessThan(5000);
  expect(pids.filter((pid) => processIdentity(pid) !== null)).toEqual([]);
}

async function campaigns(): Promise<number> {
  const { adminKey } = JSON.parse(readFileSync(join(clone, 'data', 'secrets.json'), 'utf8')) as { adminKey: string };
  const response = await fetch(`${run().api}/v1/campaigns?limit=100`, { headers: { authorization: `Bearer ${adminKey}` } });
  expect(response.status).toBe(200);
  return ((await response.json()) as { data: unknown[] }).data.length;
}

test('a fresh clone comes to the table, finds its data again, and stops in five seconds', {
  timeout: INSTALL_MS + 2 * TABLE_MS,
}, async () => {
  const first = npmStart();
  await until(first, 'Redis', INSTALL_MS);
  await until(first, 'Walkin is running.', TABLE_MS);
  expect(first.output()).not.toContain('did not come to its end');
  expect(first.output()).toMatch(/lift/i);
  expect(first.output()).toContain('wk_admin_');
  expect(existsSync(join(clone, 'data', 'demo.json'))).toBe(true);

  const printed = new Set(first.output().split('\n').map(shapeOf));
  const sample = sampleLines(new URL('../../README.md', import.meta.url)).filter((line) => !/npm ci|installed/.test(line));
  expect(sample.length).toBeGreaterThan(20);
  expect(sample.filter((line) => !printed.has(shapeOf(line)))).toEqual([]);

  const body = readFileSync(join(clone, 'data', 'demo-request.json'));
  const bid = await fetch(`${run().bidder}/openrtb2/city`, {
    method: 'POST',
    headers: { 'content-type': 'application/json' },
    body,
  });
  expect(bid.status).toBe(200);
  const seeded = await campaigns();
  expect(seeded).toBeGreaterThan(0);
  await stop(first);

  const second = npmStart();
  const again = Date.now();
  await until(second, 'Walkin is running.', TABLE_MS);
  expect(Date.now() - again).toBeLessThan(60_000);
  expect(second.output()).toMatch(/lift/i);
  expect(await campaigns()).toBe(seeded);
  await stop(second);
});
