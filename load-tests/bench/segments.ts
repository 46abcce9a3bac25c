import { spawn } from 'node:child_process';
import { rmSync } from 'node:fs';
import { mkdtemp } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { extname, join } from 'node:path';
import { createInterface } from 'node:readline';
import { fileURLToPath } from 'node:url';
import { type Child, startChild } from './child.ts';
import { benchFreshness } from './freshness.ts';
import type { Options } from './options.ts';
import { benchPublishing } from './publishing.ts';
import { redisProgram } from './redis-program.ts';
import { BenchError, say } from './say.ts';

/** What the process that evaluates is given. */
export interface SegmentsTask {
  readonly people: number;
  readonly events: number;
  readonly rules: number;
  readonly seed: number;
  readonly redis: string;
  readonly folder: string;
  /** Folder and extension of the modules: as built where we are built. */
  readonly modules: string;
  readonly extension: string;
}

export interface SegmentsTiming {
  readonly fullS: number;
  /** Fold of the new facts and evaluation. */
  readonly incrementalS: number;
  readonly estimateP95S: number | null;
  readonly overlapS: number | null;
  readonly publishS: number | null;
  readonly freshnessP95S: number | null;
  readonly peakMb: number;
  /** Time of the full evaluation of four times as many events and people, over `fullS`; null where it was not asked for. */
  readonly growth: number | null;
}

const PEOPLE = 2_000_000;
const EVENTS = 20_000_000;
const RULES = 200;
const GROWN = 4;

/** Mixed rules over everybody's facts, whole and after 1 % new events. */
export async function benchSegments(options: Options): Promise<SegmentsTiming> {
  const one = await timeSegments(options, 1);
  const four = options.growth ? await timeSegments(options, GROWN) : null;
  const growth = four === null ? one.growth : Math.round((four.fullS / one.fullS) * 100) / 100;
  if (options.alone) return { ...one, growth };
  // Last, since they leave this process on a core of its own.
  const { publishS } = await benchPublishing(options);
  const { freshnessP95S } = await benchFreshness(options);
  return { ...one, publishS, freshnessP95S, growth };
}

async function timeSegments({ scale, seed, env }: Options, times: number): Promise<SegmentsTiming> {
  const folder = await mkdtemp(join(tmpdir(), 'walkin-bench-'));
  process.once('exit', () => rmSync(folder, { recursive: true, force: true }));
  const socket = join(folder, 'redis.sock');
  const redis: Child = startChild(
    null,
    [redisProgram(env), '--port', '0', '--unixsocket', socket, '--dir', folder, '--save', '', '--maxmemory-policy', 'noeviction'],
    env,
  );
  try {
    const extension = extname(import.meta.url);
    const task = {
      people: Math.max(500, Math.round(PEOPLE * scale * times)),
      events: Math.max(5_000, Math.round(EVENTS * scale * times)),
      rules: scale < 0.005 ? 44 : RULES,
      seed,
      redis: socket,
      folder,
      modules: new URL('../../', import.meta.url).href,
      extension,
    };
    return await timeInChild(task, env);
  } finally {
    await redis.stop();
    rmSync(folder, { recursive: true, force: true });
  }
}

function timeInChild(task: SegmentsTask, env: NodeJS.ProcessEnv): Promise<SegmentsTiming> {
  // It must import the segmenter, which only tests may (test/architecture.test.ts).
  const script = new URL(
    task.extension === '.ts' ? '../../test/bench/segments-process.ts' : '../../../test/bench/segments-process.ts',
    import.meta.url,
  );
  const child = spawn(process.execPath, ['--import', 'tsx', fileURLToPath(script), JSON.stringify(task)], {
    stdio: ['ignore', 'pipe', 'inherit'],
    env: { ...env, UV_THREADPOOL_SIZE: '16', TZ: 'UTC' },
  });
  process.once('exit', () => child.kill('SIGKILL'));
  return new Promise((resolve, reject) => {
    let timing: SegmentsTiming | null = null;
    createInterface({ input: child.stdout }).on('line', (line) => {
      if (line.startsWith('{')) timing = JSON.parse(line) as SegmentsTiming;
      else say(line);
    });
    child.once('close', (code) => {
      if (timing === null) reject(new BenchError(`the evaluation was not timed: it ended with ${String(code)}`));
      else resolve(timing);
    });
  });
}
