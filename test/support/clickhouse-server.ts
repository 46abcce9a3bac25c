import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createInterface } from 'node:readline';

/** ClickHouse behind HTTP, as a process of its own that can be killed and started again on its data: see clickhouse/main.ts. */
export interface ClickhouseServer {
  /** With user and password. The same after each start. */
  readonly url: string;
  readonly folder: string;
  start(): Promise<void>;
  /** kill -9. */
  kill(): Promise<void>;
  close(): Promise<void>;
}

const USER = 'walkin';
const PASSWORD = 'secret';

export async function startClickhouse(): Promise<ClickhouseServer> {
  const folder = await mkdtemp(join(tmpdir(), 'walkin-clickhouse-server-'));
  let child: ChildProcess | null = null;
  let port = 0;
  const start = async (): Promise<void> => {
    const main = new URL('./clickhouse/main.ts', import.meta.url).pathname;
    const starting = spawn(process.execPath, ['--import', 'tsx', main, folder, String(port)], {
      env: { ...process.env, STAND_IN_USER: USER, STAND_IN_PASSWORD: PASSWORD, TZ: 'UTC', UV_THREADPOOL_SIZE: '24' },
      // It ends when the other end of its standard input does.
      stdio: ['pipe', 'pipe', process.env['WALKIN_TEST_LOG'] === undefined ? 'ignore' : 'inherit'],
    });
    child = starting;
    const gone = once(starting, 'exit').then(() => {
      throw new Error('the stand-in for a ClickHouse server does not start');
    });
    gone.catch(() => undefined);
    const [line] = (await Promise.race([once(createInterface({ input: starting.stdout }), 'line'), gone])) as [string];
    port = (JSON.parse(line) as { port: number }).port;
  };
  const kill = async (): Promise<void> => {
    const ending = child;
    child = null;
    if (ending === null || ending.exitCode !== null) return;
    const exit = once(ending, 'exit');
    ending.kill('SIGKILL');
    await exit;
  };
  await start();
  return {
    url: `http://${USER}:${PASSWORD}@127.0.0.1:${port}`,
    folder,
    start,
    kill,
    close: async () => {
      await kill();
      await rm(folder, { recursive: true, force: true, maxRetries: 5 });
    },
  };
}
