import type { ChildProcess } from 'node:child_process';
import { extname } from 'node:path';
import { fileURLToPath } from 'node:url';
import { Listr } from 'listr2';
import { type Config, readConfig } from './supervisor/config.ts';
import { openDataFolder } from './supervisor/data-folder.ts';
import { demoEnd, startDemo } from './supervisor/demo.ts';
import { lockDataFolder } from './supervisor/lock.ts';
import type { Entries } from './supervisor/processes.ts';
import { openSecrets } from './supervisor/secrets.ts';
import { StartError } from './supervisor/start-error.ts';
import { createSupervisor, type Stage } from './supervisor/supervisor.ts';
import { welcome } from './supervisor/welcome.ts';

/** npm passes the terminal's Ctrl-C on once more: two within this time are one. */
const ONE_PRESS_MS = 700;

const beside = (path: string): string => fileURLToPath(new URL(path, import.meta.url));
const script = (path: string): string => beside(`${path}${extname(import.meta.url)}`);

const ENTRIES: Entries = {
  nodeArguments: [...process.execArgv, '--enable-source-maps'],
  tether: beside('./supervisor/tether.mjs'),
  bidder: script('./bidder/main'),
  embedded: script('./segmenter/embedded'),
  dmp: script('./dmp/main'),
  segmenter: script('./segmenter/main'),
  pages: script('./dmp/pages/main'),
  city: script('./load-tests/city/main'),
};

async function start(config: Config): Promise<void> {
  openDataFolder(config.data);
  const lock = lockDataFolder(config.data, new Date());
  process.once('exit', lock.release);
  const secrets = openSecrets(config.data);
  let demo: ChildProcess | null = null;
  let stopping: Promise<void> | null = null;

  const stop = (code: number): Promise<void> => {
    stopping ??= (async () => {
      demo?.kill('SIGTERM');
      await supervisor.stop();
      process.exit(code);
    })();
    return stopping;
  };
  const fail = async (error: unknown): Promise<void> => {
    if (stopping !== null) return stopping;
    console.error(error instanceof StartError ? `\n${error.message}` : error);
    return stop(1);
  };
  const supervisor = createSupervisor({
    config,
    secrets,
    entries: ENTRIES,
    say: (sentence) => console.log(sentence),
    fatal: fail,
  });
  stopOnSignals(
    () => void stop(0),
    () => supervisor.kill(),
  );

  try {
    await show(await supervisor.prepare());
    if (!config.empty) {
      const { api, bidder } = supervisor.ports;
      const base = (port: number): string => `http://127.0.0.1:${port}`;
      demo = startDemo({ data: config.data, api: base(api), bidder: base(bidder), entries: ENTRIES, env: config.env });
      const well = await demoEnd(demo);
      if (stopping !== null) return;
      if (!well) console.error('\nThe demo did not come to its end; everything else runs. The next `npm start` tries it again.');
    }
    console.log(welcome({ data: config.data, ports: supervisor.ports, adminKey: secrets.adminKey }));
  } catch (error) {
    await fail(error);
  }
}

/** The first signal stops in order, the second at once. */
function stopOnSignals(stop: () => void, kill: () => void): void {
  let first = 0;
  for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP'] as const) {
    process.on(signal, () => {
      if (first === 0) {
        first = Date.now();
        console.log('\nStopping …');
        stop();
      } else if (Date.now() - first > ONE_PRESS_MS) {
        kill();
        process.exit(1);
      }
    });
  }
}

async function show(stages: readonly Stage[]): Promise<void> {
  const list = new Listr(
    stages.map(({ title, run }) => ({ title, task: run })),
    {
      // A terminal that does not tell its width would get one letter a line.
      renderer: process.stdout.columns > 0 ? 'default' : 'simple',
      fallbackRenderer: 'simple',
      // Signals are handled here: Listr would leave without stopping anything.
      registerSignalListeners: false,
    },
  );
  await list.run();
}

try {
  await start(readConfig(process.argv.slice(2), process.env));
} catch (error) {
  if (!(error instanceof StartError)) throw error;
  console.error(error.message);
  process.exitCode = 1;
}
