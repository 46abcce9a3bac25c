import { type ChildProcess, spawn } from 'node:child_process';
import { randomBytes } from 'node:crypto';
import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { extname, join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';
import type { Target } from './options.ts';
import { ReplayError } from './say.ts';

/** A Walkin of the replay's own, on a temporary data folder and free ports. */
export interface OwnWalkin {
  readonly target: Target;
  /** Stops it and removes its data. */
  stop(): Promise<void>;
}

const BESIDE = fileURLToPath(new URL(`../../start${extname(import.meta.url)}`, import.meta.url));
const READY_WITHIN_MS = 300_000;
const STOP_WITHIN_MS = 10_000;
const PORTS = ['bidder', 'api', 'pages', 'bidder-metrics', 'api-metrics', 'pages-metrics'].map((name) => `--${name}-port`);

export interface OwnOptions {
  /** Of its identifiers, which decides who is held out. Without, the installation draws its own. */
  readonly pepper?: string;
  /** The program that starts it; without, the one beside us. */
  readonly entry?: string;
}

export async function startOwnWalkin(given: NodeJS.ProcessEnv, { pepper, entry = BESIDE }: OwnOptions = {}): Promise<OwnWalkin> {
  const data = await mkdtemp(join(tmpdir(), 'walkin-replay-'));
  if (pepper !== undefined) await writeSecrets(data, pepper);
  // Ends with this process, however that ends: its standard input is a pipe that is never written to.
  const tether = fileURLToPath(new URL('../../supervisor/tether.mjs', import.meta.url));
  const loader = extname(entry) === '.ts' ? ['--import', 'tsx'] : [];
  const args = [...loader, '--import', tether, entry, '--empty', '--data', data, ...PORTS.flatMap((flag) => [flag, '0'])];
  const child = spawn(process.execPath, args, { stdio: ['pipe', 'pipe', 'pipe'], env: ownEnvironment(given), detached: true });
  let printed = '';
  const keep = (chunk: Buffer) => {
    printed = (printed + chunk.toString()).slice(-4000);
  };
  child.stdout.on('data', keep);
  child.stderr.on('data', keep);
  const stop = async () => {
    await stopChild(child);
    await rm(data, { recursive: true, force: true });
  };
  try {
    await waitReady(child, data);
    return { target: await targetOf(data), stop };
  } catch (error) {
    await stop();
    throw new ReplayError(`Walkin did not start: ${(error as Error).message}\n${printed}`);
  }
}

async function writeSecrets(data: string, pepper: string): Promise<void> {
  // Marks the folder as Walkin's, which it would refuse with a file of ours in it.
  await writeFile(join(data, 'walkin-data'), '');
  const secret = (): string => randomBytes(32).toString('hex');
  const secrets = { pepper, noticeSecret: secret(), adminKey: `wk_admin_${secret()}` };
  await writeFile(join(data, 'secrets.json'), JSON.stringify(secrets), { mode: 0o600 });
}

/** Without what would make it share another Walkin's servers or ports. */
function ownEnvironment(given: NodeJS.ProcessEnv): NodeJS.ProcessEnv {
  const { REDIS_URL: _redis, CLICKHOUSE_URL: _clickhouse, WALKIN_ADMIN_KEY: _key, WALKIN_PUBLIC_URL: _url, ...env } = given;
  return env;
}

async function waitReady(child: ChildProcess, data: string): Promise<void> {
  const end = Date.now() + READY_WITHIN_MS;
  while (Date.now() < end) {
    if (hasEnded(child)) throw new Error(`it ended with ${child.exitCode ?? child.signalCode}`);
    try {
      await readFile(join(data, 'run.json'));
      return;
    } catch {
      await sleep(100);
    }
  }
  throw new Error(`it was not ready within ${READY_WITHIN_MS / 1000} s`);
}

async function targetOf(data: string): Promise<Target> {
  const run = JSON.parse(await readFile(join(data, 'run.json'), 'utf8')) as Record<'api' | 'bidder' | 'bidderMetrics', string>;
  const { adminKey } = JSON.parse(await readFile(join(data, 'secrets.json'), 'utf8')) as { adminKey: string };
  return { api: run.api, bidder: run.bidder, bidderMetrics: run.bidderMetrics, key: adminKey };
}

function hasEnded(child: ChildProcess): boolean {
  return child.exitCode !== null || child.signalCode !== null;
}

async function stopChild(child: ChildProcess): Promise<void> {
  if (hasEnded(child)) return;
  const gone = new Promise<void>((resolve) => child.once('exit', () => resolve()));
  child.kill('SIGTERM');
  const timer = setTimeout(() => child.kill('SIGKILL'), STOP_WITHIN_MS);
  await gone;
  clearTimeout(timer);
}
