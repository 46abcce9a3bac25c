import { type ChildProcess, spawn } from 'node:child_process';
import { createServer } from 'node:net';
import { extname } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';
import { shareAsNiced } from './machine.ts';
import { BenchError } from './say.ts';

/** A process that the bench started, on a core of its own where one is given. */
export interface Child {
  readonly pid: number;
  /** Waits until `ready` says so. Throws BenchError with what the process printed where it ends or takes too long. */
  until(ready: () => Promise<boolean>, seconds?: number): Promise<void>;
  stop(): Promise<void>;
}

const STOP_MS = 8_000;

export function startChild(core: number | null, command: readonly string[], env: NodeJS.ProcessEnv = {}): Child {
  const [program, ...args] = [...(core === null ? [] : ['taskset', '-c', String(core)]), ...command];
  const child = spawn(program as string, args, { stdio: ['pipe', 'pipe', 'pipe'], env, detached: true });
  // Detached, so a session of its own.
  if (child.pid !== undefined) shareAsNiced(child.pid);
  let printed = '';
  const keep = (chunk: Buffer): void => {
    printed = (printed + chunk.toString()).slice(-4_000);
  };
  child.stdout.on('data', keep);
  child.stderr.on('data', keep);
  child.on('error', (error) => {
    printed += error.message;
  });
  const killNow = (): void => void child.kill('SIGKILL');
  process.once('exit', killNow);
  return { pid: child.pid ?? 0, until, stop };

  async function until(ready: () => Promise<boolean>, seconds = 60): Promise<void> {
    const end = performance.now() + seconds * 1_000;
    while (!(await ready().catch(() => false))) {
      if (hasEnded(child)) throw new BenchError(`${command.join(' ')} ended:\n${printed}`);
      if (performance.now() > end) throw new BenchError(`${command.join(' ')} was not ready within ${seconds} s:\n${printed}`);
      await sleep(50);
    }
  }

  async function stop(): Promise<void> {
    process.off('exit', killNow);
    if (hasEnded(child)) return;
    const gone = new Promise((resolve) => child.once('exit', resolve));
    child.kill('SIGTERM');
    const timer = setTimeout(killNow, STOP_MS);
    await gone;
    clearTimeout(timer);
  }
}

function hasEnded(child: ChildProcess): boolean {
  return child.pid === undefined || child.exitCode !== null || child.signalCode !== null;
}

/** The command that runs one of our entry files, as built where we are built, and that ends with us however we end. */
export function ownCommand(path: string, flags: readonly string[] = [], node = process.execPath): string[] {
  const kind = extname(import.meta.url);
  const entry = fileURLToPath(new URL(`../../${path}${kind}`, import.meta.url));
  const tether = new URL('../../supervisor/tether.mjs', import.meta.url).href;
  return [node, ...(kind === '.ts' ? ['--import', 'tsx'] : []), '--import', tether, ...flags, entry];
}

export function freePort(): Promise<number> {
  return new Promise((resolve, reject) => {
    const server = createServer();
    server.once('error', reject);
    server.listen(0, '127.0.0.1', () => {
      const address = server.address();
      server.close(() => resolve(typeof address === 'object' && address !== null ? address.port : 0));
    });
  });
}
