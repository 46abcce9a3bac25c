import { spawn } from 'node:child_process';
import { rmSync } from 'node:fs';
import { mkdtemp } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { extname, join } from 'node:path';
import { createInterface } from 'node:readline';
import { fileURLToPath } from 'node:url';
import type { Options } from './options.ts';
import { BenchError, say } from './say.ts';

/** What the process that exports is given. */
export interface ExportsTask {
  readonly members: number;
  readonly folder: string;
  /** Folder and extension of the modules, as built where we are built. */
  readonly modules: string;
  readonly extension: string;
}

export interface Exporting {
  /** From the call to the whole file: deciding whom to send, reading, opening what is sealed, writing. */
  readonly csvS: number;
  readonly parquetS: number;
  /** A delta in which a hundredth of the members left. */
  readonly deltaS: number;
  /** Most memory during an export over that before it, the engine's with it. */
  readonly rssMb: number;
}

const MEMBERS = 1_000_000;

/** A segment's members, each with one advertising id that may be sent, go into a CSV and a Parquet file. */
export async function benchExports(options: Options): Promise<Exporting> {
  const folder = await mkdtemp(join(tmpdir(), 'walkin-bench-'));
  process.once('exit', () => rmSync(folder, { recursive: true, force: true }));
  const extension = extname(import.meta.url);
  // It must import the dmp, which only tests may (test/architecture.test.ts).
  const script = new URL(
    extension === '.ts' ? '../../test/bench/exports-process.ts' : '../../../test/bench/exports-process.ts',
    import.meta.url,
  );
  const task: ExportsTask = {
    members: Math.max(1_000, Math.round(MEMBERS * options.scale)),
    folder,
    modules: new URL('../../', import.meta.url).href,
    extension,
  };
  const child = spawn(process.execPath, ['--import', 'tsx', fileURLToPath(script), JSON.stringify(task)], {
    stdio: ['ignore', 'pipe', 'inherit'],
  });
  process.once('exit', () => child.kill('SIGKILL'));
  return new Promise((resolve, reject) => {
    let timing: Exporting | null = null;
    createInterface({ input: child.stdout }).on('line', (line) => {
      if (line.startsWith('{')) timing = JSON.parse(line) as Exporting;
      else say(line);
    });
    child.once('close', (code) => {
      if (timing === null) reject(new BenchError(`the exports were not timed: it ended with ${String(code)}`));
      else resolve(timing);
    });
  });
}
