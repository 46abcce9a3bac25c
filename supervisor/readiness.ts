import { readFileSync } from 'node:fs';
import { setTimeout as sleep } from 'node:timers/promises';
import type { Child } from './child.ts';
import { StartError } from './start-error.ts';

const POLL_MS = 100;
/** Reading a large append-only file, or a migration, takes its time. */
const PATIENCE_MS = 300_000;
/** A process that cannot start says why in its log; trying it for ever would hide that. */
const MOST_FAILURES = 3;
const LOG_LINES = 12;

/** Waits until `probe` says yes. Throws StartError with the end of the process's log where it dies again and again, or is late. */
export async function waitReady(child: Child, probe: () => Promise<boolean>, signal: AbortSignal): Promise<void> {
  const until = Date.now() + PATIENCE_MS;
  while (!(await probe())) {
    signal.throwIfAborted();
    if (child.failures >= MOST_FAILURES) throw new StartError(`${child.name} does not start.\n${endOf(child.log)}`);
    if (Date.now() > until)
      throw new StartError(`${child.name} is not ready after ${PATIENCE_MS / 1000} s.\n${endOf(child.log)}`);
    await sleep(POLL_MS);
  }
}

export async function answersReady(port: number): Promise<boolean> {
  try {
    const response = await fetch(`http://127.0.0.1:${port}/readyz`, { signal: AbortSignal.timeout(2000) });
    await response.arrayBuffer();
    return response.ok;
  } catch {
    return false;
  }
}

function endOf(log: string): string {
  const lines = readFileSync(log, 'utf8').trimEnd().split('\n').slice(-LOG_LINES);
  return `The end of ${log}:\n  ${lines.join('\n  ')}`;
}
