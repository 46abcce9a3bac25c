import { type ChildProcess, execFileSync, spawn } from 'node:child_process';
import { existsSync, readFileSync, writeFileSync } from 'node:fs';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

/** All of Walkin as `npm start -- --empty` runs it, on a folder and ports of its own. */
export interface System {
  readonly folder: string;
  readonly api: string;
  readonly bidder: string;
  readonly key: string;
  /** Pid of a process of the supervisor's, by name. */
  pid(name: string): number;
  names(): readonly string[];
  /** What the system printed, for a failure. */
  printed(): string;
  stop(): Promise<void>;
}

interface RunFile {
  readonly api: string;
  readonly bidder: string;
  readonly processes: readonly { readonly name: string; readonly pid: number | null }[];
}

const ROOT = new URL('../../', import.meta.url).pathname;
const START_PATIENCE = 90_000;
/** Who is held out follows from the pepper: a fixed one makes a run repeatable. */
const SECRETS = {
  pepper: 'journey-pepper-journey-pepper',
  noticeSecret: 'journey-notice-journey-notice',
  adminKey: `wk_admin_${'0123456789abcdef'.repeat(4)}`,
};

/** @param env beside what it sets itself; with CLICKHOUSE_URL in the server form */
export async function startSystem(env: Readonly<Record<string, string>> = {}): Promise<System> {
  execFileSync(process.execPath, ['setup.mjs', '--quiet', '--build'], { cwd: ROOT, stdio: 'inherit' });
  const folder = await mkdtemp(join(tmpdir(), 'walkin-journey-'));
  // Marks the folder as Walkin's, which it would refuse with a file of ours in it.
  writeFileSync(join(folder, 'walkin-data'), '');
  writeFileSync(join(folder, 'secrets.json'), JSON.stringify(SECRETS), { mode: 0o600 });
  const child = spawn(process.execPath, ['dist/start.js', '--empty', '--data', folder, ...PORTS], {
    cwd: ROOT,
    env: { ...process.env, WALKIN_REFRESH_SECONDS: '20', CLICKHOUSE_URL: '', ...env, REDIS_URL: '' },
    stdio: ['ignore', 'pipe', 'pipe'],
  });
  let output = '';
  for (const stream of [child.stdout, child.stderr])
    stream.on('data', (chunk: Buffer) => {
      output += chunk.toString();
    });
  const run = await untilRunning(folder, child, () => output);
  const read = (): RunFile => JSON.parse(readFileSync(join(folder, 'run.json'), 'utf8')) as RunFile;
  return {
    folder,
    api: run.api,
    bidder: run.bidder,
    key: SECRETS.adminKey,
    pid: (name) => pidOf(read(), name),
    names: () => run.processes.map(({ name }) => name),
    printed: () => output,
    stop: async () => {
      await stopChild(child);
      await rm(folder, { recursive: true, force: true });
    },
  };
}

const PORTS = ['bidder', 'api', 'pages', 'bidder-metrics', 'api-metrics', 'segmenter-metrics', 'pages-metrics'].flatMap(
  (name) => [`--${name}-port`, '0'],
);

async function untilRunning(folder: string, child: ChildProcess, output: () => string): Promise<RunFile> {
  const giveUp = performance.now() + START_PATIENCE;
  const file = join(folder, 'run.json');
  while (!existsSync(file)) {
    if (child.exitCode !== null || performance.now() > giveUp) {
      child.kill('SIGKILL');
      throw new Error(`the system did not start:\n${output()}`);
    }
    await new Promise((resolve) => setTimeout(resolve, 100));
  }
  return JSON.parse(readFileSync(file, 'utf8')) as RunFile;
}

function pidOf(run: RunFile, name: string): number {
  const pid = run.processes.find((process) => process.name === name)?.pid;
  if (pid == null) throw new Error(`no process ${name} among ${run.processes.map((one) => one.name).join(', ')}`);
  return pid;
}

/** Direct children of a process. */
export function childrenOf(pid: number): number[] {
  const lines = execFileSync('ps', ['-A', '-o', 'pid=,ppid='], { encoding: 'utf8' }).trim().split('\n');
  const pairs = lines.map((line) => line.trim().split(/\s+/).map(Number));
  return pairs.filter(([, parent]) => parent === pid).map(([child]) => child as number);
}

/** As Ctrl-C would. */
function stopChild(child: ChildProcess): Promise<void> {
  return new Promise((resolve) => {
    if (child.exitCode !== null || child.signalCode !== null) return resolve();
    const hard = setTimeout(() => child.kill('SIGKILL'), 15_000);
    child.once('exit', () => {
      clearTimeout(hard);
      resolve();
    });
    child.kill('SIGINT');
  });
}
