import { spawn } from 'node:child_process';
import { existsSync, rmSync } from 'node:fs';
import { copyFile, link, mkdir, mkdtemp, readdir, readlink, rename, symlink } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { dirname, extname, join } from 'node:path';
import { createInterface } from 'node:readline';
import { fileURLToPath } from 'node:url';
import { type Child, startChild } from './child.ts';
import { benchFreshness } from './freshness.ts';
import type { Options } from './options.ts';
import { benchPublishing } from './publishing.ts';
import { redisProgram } from './redis-program.ts';
import { BenchError, say } from './say.ts';

/** What a process is given: one makes the world, another evaluates in it, so that its memory is its own. */
export interface SegmentsTask {
  readonly phase: 'make' | 'time' | 'small';
  /** Whether it says what each statement takes. */
  readonly profile: boolean;
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

/** Of many small segments. */
export interface SmallTiming {
  readonly segments: number;
  /** The first evaluation, and that after a thousandth of the people changed. */
  readonly fullS: number;
  readonly incrementalS: number;
  /** Seconds of the processor of all threads of the first. */
  readonly fullCpuS: number;
  readonly peakMb: number;
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
/** Where worlds are only made. */
const NOTHING: SegmentsTiming = {
  ...{ fullS: 0, incrementalS: 0, estimateP95S: null, overlapS: null },
  ...{ publishS: null, freshnessP95S: null, peakMb: 0, growth: null },
};

/** Mixed rules over everybody's facts, whole and after 1 % new events; or many small segments. */
export async function benchSegments(options: Options): Promise<SegmentsTiming | SmallTiming> {
  if (options.small !== null) return timeSmall(options, options.small);
  if (options.make) return makeWorlds(options);
  const one = await timeSegments(options, 1);
  const four = options.growth ? await timeSegments(options, GROWN) : null;
  const growth = four === null ? one.growth : Math.round((four.fullS / one.fullS) * 100) / 100;
  if (options.alone) return { ...one, growth };
  // Last, since they leave this process on a core of its own.
  const { publishS } = await benchPublishing(options);
  const { freshnessP95S } = await benchFreshness(options);
  return { ...one, publishS, freshnessP95S, growth };
}

/** Ten people each: half of the segments have a value of an attribute, half a list. Everybody is in two. */
async function timeSmall({ seed, env, profile }: Options, segments: number): Promise<SmallTiming> {
  const folder = await mkdtemp(join(tmpdir(), 'walkin-bench-'));
  process.once('exit', () => rmSync(folder, { recursive: true, force: true }));
  const where = { redis: join(folder, 'redis.sock'), folder, modules: new URL('../../', import.meta.url).href };
  const size = { people: segments * 5, events: 0, rules: segments };
  const task: SegmentsTask = { phase: 'small', profile, seed, ...size, ...where, extension: extname(import.meta.url) };
  try {
    const timing = await withRedis(folder, env, () => runChild<SmallTiming>(task, env));
    if (timing === null) throw new BenchError('the evaluation was not timed');
    return timing;
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
}

async function makeWorlds(options: Options): Promise<SegmentsTiming> {
  if (options.keep === null) throw new BenchError('--make makes worlds to be kept: name a folder with --keep');
  for (const times of options.growth ? [1, GROWN] : [1]) await inWorld(options, times, async () => undefined);
  return { ...NOTHING };
}

async function timeSegments(options: Options, times: number): Promise<SegmentsTiming> {
  return inWorld(options, times, async (task, env) => {
    const timing = await withRedis(task.folder, env, () => runChild({ ...task, phase: 'time' }, env));
    if (timing === null) throw new BenchError('the evaluation was not timed');
    return timing;
  });
}

/** Works in a world of so many times the people and events: one that was kept, or one that is made, and kept where that is asked for. */
async function inWorld<T>(
  options: Options,
  times: number,
  work: (task: Omit<SegmentsTask, 'phase'>, env: NodeJS.ProcessEnv) => Promise<T>,
): Promise<T> {
  const { scale, seed, env, keep, profile } = options;
  const folder = await mkdtemp(join(tmpdir(), 'walkin-bench-'));
  process.once('exit', () => rmSync(folder, { recursive: true, force: true }));
  const task: Omit<SegmentsTask, 'phase'> = {
    profile,
    people: Math.max(500, Math.round(PEOPLE * scale * times)),
    events: Math.max(5_000, Math.round(EVENTS * scale * times)),
    rules: scale < 0.005 ? 44 : RULES,
    seed,
    redis: join(folder, 'redis.sock'),
    folder,
    modules: new URL('../../', import.meta.url).href,
    extension: extname(import.meta.url),
  };
  const kept = keep === null ? null : join(keep, `segments-${task.people}-${task.events}-${seed}`);
  try {
    if (kept !== null && existsSync(kept)) await takeWorld(kept, folder);
    else {
      await withRedis(folder, env, () => runChild({ ...task, phase: 'make' }, env));
      if (kept !== null) await keepWorld(folder, kept);
    }
    return await work(task, env);
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
}

/** What a world is: the warehouse, and how far facts were folded. */
const WORLD = ['clickhouse', 'dump.rdb'] as const;

async function takeWorld(kept: string, folder: string): Promise<void> {
  say(`The world of ${kept}`);
  for (const name of WORLD) await linked(join(kept, name), join(folder, name));
}

/** Under its name when it is whole. */
async function keepWorld(folder: string, kept: string): Promise<void> {
  const part = `${kept}.part`;
  rmSync(part, { recursive: true, force: true });
  await mkdir(part, { recursive: true });
  for (const name of WORLD) await linked(join(folder, name), join(part, name));
  await rename(part, kept);
  say(`The world is kept in ${kept}`);
}

/** A copy in which columns, which the engine writes once and never changes, are the same files: of 20 GB in a second. */
async function linked(from: string, to: string): Promise<void> {
  const files = await readdir(from, { recursive: true, withFileTypes: true }).catch(() => null);
  if (files === null) return copyFile(from, to);
  await mkdir(to, { recursive: true });
  for (const file of files) {
    const [old, copy] = [join(file.parentPath, file.name), join(to, file.parentPath.slice(from.length), file.name)];
    await mkdir(file.isDirectory() ? copy : dirname(copy), { recursive: true });
    // A database of the engine is a link to its folder, told from where it stands.
    if (file.isSymbolicLink()) await symlink(await readlink(old), copy);
    // Across file systems there are no hard links.
    else if (file.isFile() && !(file.name.endsWith('.bin') && (await isLinked(old, copy)))) await copyFile(old, copy);
  }
}

function isLinked(old: string, copy: string): Promise<boolean> {
  return link(old, copy).then(
    () => true,
    () => false,
  );
}

/** A Redis that finds in a folder what the one before it saved there. */
async function withRedis<T>(folder: string, env: NodeJS.ProcessEnv, work: () => Promise<T>): Promise<T> {
  const socket = join(folder, 'redis.sock');
  const redis: Child = startChild(
    null,
    [redisProgram(env), '--port', '0', '--unixsocket', socket, '--dir', folder, '--save', '', '--maxmemory-policy', 'noeviction'],
    env,
  );
  try {
    return await work();
  } finally {
    await redis.stop();
  }
}

/** Null: it was to make the world only. */
function runChild<T = SegmentsTiming>(task: SegmentsTask, env: NodeJS.ProcessEnv): Promise<T | null> {
  // It must import the segmenter, which only tests may (test/architecture.test.ts).
  const script = new URL(
    task.extension === '.ts' ? '../../test/bench/segments-process.ts' : '../../../test/bench/segments-process.ts',
    import.meta.url,
  );
  const child = spawn(process.execPath, ['--import', 'tsx', fileURLToPath(script), JSON.stringify(task)], {
    stdio: ['ignore', 'pipe', 'inherit'],
    env: { ...env, UV_THREADPOOL_SIZE: '16', TZ: 'UTC' },
  });
  const kill = (): void => void child.kill('SIGKILL');
  process.once('exit', kill);
  return new Promise((resolve, reject) => {
    let timing: T | null = null;
    createInterface({ input: child.stdout }).on('line', (line) => {
      if (line.startsWith('{')) timing = JSON.parse(line) as T;
      else say(line);
    });
    child.once('close', (code) => {
      process.off('exit', kill);
      if (code === 0) resolve(timing);
      else reject(new BenchError(`the process that was to ${task.phase} ended with ${String(code)}`));
    });
  });
}
