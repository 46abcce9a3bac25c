import { hostname } from 'node:os';

/** How a worker is known to others. */
export function workerName(pid: number | undefined): string {
  return `${hostname()}:${pid ?? 0}`;
}

/** Whether a process of this machine runs. */
export function isRunning(pid: number): boolean {
  try {
    process.kill(pid, 0);
    return true;
  } catch (error) {
    return (error as NodeJS.ErrnoException).code === 'EPERM';
  }
}
