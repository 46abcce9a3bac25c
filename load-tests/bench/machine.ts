import { execFileSync } from 'node:child_process';
import { readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { availableParallelism, cpus, getPriority, loadavg, totalmem } from 'node:os';

/** Which core does what. Null: nothing is pinned. */
export interface Pinning {
  /** What is measured. */
  readonly server: number;
  /** The generator and Redis. */
  readonly rest: number;
}

/** Pins where the system can and has two cores: a generator on the server's core would measure itself. */
export function pinningHere(): Pinning | null {
  if (availableParallelism() < 2) return null;
  try {
    const list = execFileSync('taskset', ['-cp', String(process.pid)], { encoding: 'utf8', stdio: ['ignore', 'pipe', 'ignore'] });
    const cores = coresIn(list.slice(list.lastIndexOf(':') + 1).trim());
    return cores.length < 2 ? null : { server: cores[0] as number, rest: cores[1] as number };
  } catch {
    return null;
  }
}

/** "0-2,5" → 0, 1, 2, 5 */
function coresIn(list: string): number[] {
  return list.split(',').flatMap((part) => {
    const [from = 0, to = from] = part.split('-').map(Number);
    return Array.from({ length: to - from + 1 }, (_, index) => from + index);
  });
}

export function pinSelf(core: number): void {
  execFileSync('taskset', ['-acp', String(core), String(process.pid)], { stdio: 'ignore' });
}

/**
 * Linux shares a core among sessions first (autogroup), where a niceness counts within its session alone: so a bench that was started with `nice` had
 * no precedence over anybody, nor the generator over Redis, which is a session of its own. Gives the session of a process its niceness.
 */
export function shareAsNiced(pid: number): void {
  try {
    writeFileSync(`/proc/${pid}/autogroup`, String(getPriority(pid)));
  } catch {
    // Another system, or it is not ours to say.
  }
}

/** Resident memory of a process in MB, 0 where the system does not tell. */
export function residentMb(pid: number): number {
  try {
    const pages = /^VmRSS:\s+(\d+) kB/m.exec(readFileSync(`/proc/${pid}/status`, 'utf8'))?.[1];
    return Math.round(Number(pages ?? 0) / 1_024);
  } catch {
    return 0;
  }
}

/** Processor time that a process has had, all its threads, in microseconds; 0 where the system does not tell. */
export function processorUs(pid: number): number {
  return schedulingUs(pid, 0);
}

/** The same of the time that its threads waited for a processor while they could have run; threads that wait at once count each. */
export function waitedUs(pid: number): number {
  return schedulingUs(pid, 1);
}

function schedulingUs(pid: number, column: 0 | 1): number {
  try {
    const folder = `/proc/${pid}/task`;
    const nanos = readdirSync(folder).map((thread) =>
      Number(readFileSync(`${folder}/${thread}/schedstat`, 'utf8').split(' ')[column]),
    );
    return nanos.reduce((sum, own) => sum + own, 0) / 1_000;
  } catch {
    return 0;
  }
}

/** Processes that a process has started; none where the system does not tell. */
export function childrenOf(pid: number): number[] {
  try {
    return readFileSync(`/proc/${pid}/task/${pid}/children`, 'utf8').trim().split(' ').filter(Boolean).map(Number);
  } catch {
    return [];
  }
}

export function describeMachine(pinning: Pinning | null): string {
  const pinned =
    pinning === null ? 'nothing is pinned' : `the server on core ${pinning.server}, generator and Redis on core ${pinning.rest}`;
  const load = loadavg()[0]?.toFixed(2);
  return `${cpus().length} cores (${cpus()[0]?.model ?? 'unknown'}), ${Math.round(totalmem() / 2 ** 30)} GB, Node ${process.versions.node}, load average ${load}; ${pinned}`;
}
