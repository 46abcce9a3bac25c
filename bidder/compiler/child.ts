import { type ChildProcess, fork } from 'node:child_process';
import { existsSync } from 'node:fs';
import { extname } from 'node:path';
import { fileURLToPath } from 'node:url';
import type { Logger } from 'pino';
import { type CompilerMessage, type IndexMade, isCompilerMessage, type SnapshotRefused } from '../messages.ts';
import { keepOnly, makeIndexFolder, removeIndexFolder } from './folder.ts';

/** The compiler as its primary sees it: a process that is started again whenever it ends. */
export interface CompilerChild {
  /** Null until the first index is made, and while one that was lost is made again. */
  current(): IndexMade | null;
  /** The newest snapshot's fault, or null where it is served. */
  refused(): SnapshotRefused | null;
  /** Whether it has looked and found nothing published. */
  hasNothing(): boolean;
  start(): void;
  stop(): void;
}

export interface CompilerOptions {
  readonly env: NodeJS.ProcessEnv;
  readonly onIndex: (index: IndexMade) => void;
  readonly onRefused: (refused: SnapshotRefused) => void;
  /** There is nothing published to make one of. */
  readonly onNothing: () => void;
  readonly onDeath: () => void;
}

const FIRST_BACKOFF_MS = 200;
const LONGEST_BACKOFF_MS = 30_000;
/** A snapshot that killed the compiler this often is refused; it is tried again all the same, more and more rarely. */
const DEADLY = 2;
/** A snapshot of 100,000 line items and its index, and as much again; only reserved when needed. */
const HEAP_MB = 8_192;
/** Threads of its own took half as much of the processor as the compilation: on cores that are busy with requests they only wait for each other. */
const COLLECTOR = ['--single-threaded-gc'];
/** Of our own node flags those that are not meant for it: one profile a run is enough, and memory is its own. */
const NOT_INHERITED = /^--(cpu-prof|heap-prof|max-|inspect)/;

export function startCompilerChild(log: Logger, { env, onIndex, onRefused, onNothing, onDeath }: CompilerOptions): CompilerChild {
  const entry = fileURLToPath(new URL(`./main${extname(import.meta.url)}`, import.meta.url));
  const execArgv = [
    ...process.execArgv.filter((flag) => !NOT_INHERITED.test(flag)),
    `--max-old-space-size=${HEAP_MB}`,
    ...COLLECTOR,
  ];
  let child: ChildProcess | null = null;
  let folder: string | null = null;
  let index: IndexMade | null = null;
  let refusal: SnapshotRefused | null = null;
  let compiling = false;
  let nothing = false;
  let failures = 0;
  let stopping = false;
  return { current, refused: () => refusal, hasNothing: () => nothing, start, stop };

  /** A cleaner of temporary folders takes what is old; then it is made again. */
  function current(): IndexMade | null {
    if (index === null || existsSync(index.path)) return index;
    log.warn({ path: index.path }, 'the index is gone, it is made again');
    index = null;
    child?.kill('SIGKILL');
    return null;
  }

  function start(): void {
    if (stopping) return;
    if (folder === null || !existsSync(folder)) folder = makeIndexFolder();
    const fresh = fork(entry, [], { env: { ...env, WALKIN_INDEX_FOLDER: folder }, execArgv });
    child = fresh;
    fresh.on('message', (message: unknown) => {
      if (isCompilerMessage(message)) take(message);
    });
    fresh.on('error', (error) => log.error({ error: error.message }, 'the compiler cannot be started'));
    fresh.once('close', (code, signal) => onClose(code, signal));
  }

  function take(message: CompilerMessage): void {
    compiling = message.type === 'walkin:compiling';
    if (message.type === 'walkin:refused') refuse(message);
    nothing = message.type === 'walkin:no-index';
    if (nothing) onNothing();
    if (message.type !== 'walkin:index') return;
    failures = 0;
    refusal = null;
    index = message;
    onIndex(message);
    if (folder !== null) keepOnly(message.path, folder).catch(() => undefined);
  }

  function refuse(refused: SnapshotRefused): void {
    const isNew = refused.version !== refusal?.version || refused.error !== refusal.error;
    refusal = refused;
    if (!isNew) return;
    log.error({ version: refused.version, error: refused.error }, 'snapshot refused, the old one serves on');
    onRefused(refused);
  }

  function onClose(code: number | null, signal: string | null): void {
    child = null;
    if (stopping) return;
    failures++;
    onDeath();
    const wait = Math.min(LONGEST_BACKOFF_MS, FIRST_BACKOFF_MS * 2 ** (failures - 1));
    log.warn({ code, signal, wait }, 'the compiler died, another one starts');
    if (compiling && failures >= DEADLY)
      refuse({ type: 'walkin:refused', version: null, error: 'snapshot: the compiler dies of it' });
    compiling = false;
    setTimeout(start, wait).unref();
  }

  function stop(): void {
    stopping = true;
    child?.kill('SIGKILL');
    if (folder !== null) removeIndexFolder(folder);
  }
}
