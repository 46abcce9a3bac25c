import { type ChildProcess, spawn } from 'node:child_process';
import { closeSync, openSync, renameSync, statSync } from 'node:fs';
import { setTimeout as sleep } from 'node:timers/promises';

export interface ChildSpec {
  readonly name: string;
  readonly program: string;
  readonly args: readonly string[];
  readonly env: NodeJS.ProcessEnv;
  /** File that gets what the process prints. */
  readonly log: string;
}

export interface ChildEvents {
  started(pid: number): void;
  /** Ended without being asked; `retryMs` until it is started again. */
  died(how: string, retryMs: number): void;
}

/** A process that is started again, after a pause, whenever it ends without being asked. */
export interface Child {
  readonly name: string;
  readonly log: string;
  /** Null while it is down. */
  readonly pid: number | null;
  /** How often it ended without being asked since it was last up for HEALTHY_MS. */
  readonly failures: number;
  start(): void;
  /** SIGTERM, then SIGKILL after `graceMs`; resolves when it is gone. */
  stop(graceMs: number): Promise<void>;
  kill(): void;
}

const FIRST_RETRY_MS = 200;
const LAST_RETRY_MS = 5000;
const HEALTHY_MS = 30_000;
/** Longer than the bidder's workers take to end themselves. */
const ORPHAN_GRACE_MS = 4500;
const ORPHAN_POLL_MS = 50;
const LOG_LIMIT_BYTES = 64 * 1024 ** 2;

/** 0.2 s, doubled with each failure in a row, at most 5 s. */
export function retryDelay(failures: number): number {
  return Math.min(LAST_RETRY_MS, FIRST_RETRY_MS * 2 ** Math.min(failures - 1, 10));
}

export function createChild(spec: ChildSpec, events: ChildEvents): Child {
  let running: ChildProcess | null = null;
  let startedAt = 0;
  let failures = 0;
  let wanted = false;
  let retry: NodeJS.Timeout | undefined;
  let gone: () => void = () => undefined;

  const start = (): void => {
    wanted = true;
    startedAt = Date.now();
    const child = spawnLogged(spec);
    running = child;
    if (child.pid !== undefined) events.started(child.pid);
    child.once('error', (error) => ended(child, error.message));
    child.once('exit', (code, signal) => ended(child, signal === null ? `exit code ${code}` : signal));
  };

  const ended = (child: ChildProcess, how: string): void => {
    if (running !== child) return;
    running = null;
    child.stdin?.destroy();
    gone();
    if (!wanted) {
      killGroup(child.pid);
      return;
    }
    void endGroup(child.pid);
    if (Date.now() - startedAt > HEALTHY_MS) failures = 0;
    failures++;
    const delay = retryDelay(failures);
    retry = setTimeout(start, delay);
    events.died(how, delay);
  };

  const stop = async (graceMs: number): Promise<void> => {
    wanted = false;
    clearTimeout(retry);
    const child = running;
    if (child === null) return;
    const over = new Promise<void>((resolve) => {
      gone = resolve;
    });
    child.kill('SIGTERM');
    const timer = setTimeout(() => killGroup(child.pid), graceMs);
    await over;
    clearTimeout(timer);
  };

  return {
    name: spec.name,
    log: spec.log,
    get pid() {
      return running?.pid ?? null;
    },
    get failures() {
      return failures;
    },
    start,
    stop,
    kill: () => {
      wanted = false;
      clearTimeout(retry);
      killGroup(running?.pid);
    },
  };
}

/** In a process group of its own, so that the terminal's Ctrl-C reaches only the supervisor, which stops all in order. */
function spawnLogged(spec: ChildSpec): ChildProcess {
  const log = openLog(spec.log);
  try {
    return spawn(spec.program, spec.args, { env: spec.env, stdio: ['pipe', log, log], detached: true });
  } finally {
    closeSync(log);
  }
}

/** Appends; a log that has grown large is put aside once at a start. */
function openLog(file: string): number {
  if ((statSync(file, { throwIfNoEntry: false })?.size ?? 0) > LOG_LIMIT_BYTES) renameSync(file, `${file}.1`);
  return openSync(file, 'a', 0o600);
}

/**
 * What a process that died had started ends too, but may first finish and flush: a killed primary's workers. The group is watched
 * until it is empty, since its number may belong to strangers afterwards.
 */
async function endGroup(pid: number | undefined): Promise<void> {
  if (pid === undefined || !signalGroup(pid, 'SIGTERM')) return;
  for (const until = Date.now() + ORPHAN_GRACE_MS; Date.now() < until; await sleep(ORPHAN_POLL_MS, undefined, { ref: false })) {
    if (!signalGroup(pid, 0)) return;
  }
  killGroup(pid);
}

function killGroup(pid: number | undefined): void {
  if (pid !== undefined) signalGroup(pid, 'SIGKILL');
}

/** Whether anything of the group is left. */
function signalGroup(pid: number, signal: NodeJS.Signals | 0): boolean {
  try {
    process.kill(-pid, signal);
    return true;
  } catch {
    return false;
  }
}
