import { spawn } from 'node:child_process';
import { extname, join } from 'node:path';
import { createInterface } from 'node:readline';
import { fileURLToPath } from 'node:url';
import type { Options } from './options.ts';
import { setUpRig } from './rig.ts';
import { BenchError, say } from './say.ts';

/** What the process that publishes is given. */
export interface PublishingTask {
  /** People, half of whom change. */
  readonly people: number;
  readonly segments: number;
  readonly redis: string;
  readonly folder: string;
  /** Folder and extension of the modules: as built where we are built, so that what runs in production is timed. */
  readonly modules: string;
  readonly extension: string;
}

export interface Publishing {
  /** Reading the people who changed from ClickHouse, and writing their values to Redis. */
  readonly publishS: number;
  /** Most memory of the process that publishes, the engine's with it. */
  readonly peakMb: number;
}

const CHANGED = 1_000_000;
const SEGMENTS = 20;
const SMALL = 0.001;

/** Publishes the changed half of people who are known and published, each in a quarter of the segments. */
export async function benchPublishing(options: Options): Promise<Publishing> {
  const rig = await setUpRig({ ...options, scale: SMALL });
  try {
    const extension = extname(import.meta.url);
    // It must import the segmenter, which only tests may (test/architecture.test.ts).
    const script = new URL(
      extension === '.ts' ? '../../test/bench/publishing-process.ts' : '../../../test/bench/publishing-process.ts',
      import.meta.url,
    );
    const task: PublishingTask = {
      people: Math.max(2_000, Math.round(2 * CHANGED * options.scale)),
      segments: SEGMENTS,
      redis: join(rig.folder, 'redis.sock'),
      folder: rig.folder,
      modules: new URL('../../', import.meta.url).href,
      extension,
    };
    const node = [process.execPath, '--import', 'tsx', fileURLToPath(script), JSON.stringify(task)];
    // The bench itself sits on one core; the engine may have both, as it has where it runs for real.
    const cores = rig.pinning === null ? [] : ['taskset', '-c', `${rig.pinning.server},${rig.pinning.rest}`];
    return await lastLineOf([...cores, ...node]);
  } finally {
    await rig.stop();
  }
}

function lastLineOf(command: readonly string[]): Promise<Publishing> {
  const [program, ...args] = command as [string, ...string[]];
  const child = spawn(program, args, { stdio: ['ignore', 'pipe', 'inherit'] });
  process.once('exit', () => child.kill('SIGKILL'));
  return new Promise((resolve, reject) => {
    let timing: Publishing | null = null;
    createInterface({ input: child.stdout }).on('line', (line) => {
      if (line.startsWith('{')) timing = JSON.parse(line) as Publishing;
      else say(line);
    });
    child.once('close', (code) => {
      if (timing === null) reject(new BenchError(`the publication was not timed: it ended with ${String(code)}`));
      else resolve(timing);
    });
  });
}
