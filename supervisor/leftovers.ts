import { readFileSync, renameSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { processIdentity } from './process-identity.ts';

/** A process of ours, told from a later one with the same number. */
interface Started {
  readonly pid: number;
  readonly identity: string | null;
}

/** What is running now, so that a start after a killed supervisor knows whom to wait for. Unlike run.json also before all is ready. */
const fileOf = (data: string): string => join(data, 'processes.json');

const PATIENCE_MS = 5000;

export function noteProcesses(data: string, pids: readonly number[]): void {
  const started: Started[] = pids.map((pid) => ({ pid, identity: processIdentity(pid) }));
  const draft = `${fileOf(data)}.draft`;
  writeFileSync(draft, JSON.stringify(started));
  renameSync(draft, fileOf(data));
}

export function forgetProcesses(data: string): void {
  rmSync(fileOf(data), { force: true });
}

/** Sees off what a killed supervisor left: it ends itself, but would still hold ports and the data for a moment. */
export async function seeOffLeftovers(data: string): Promise<void> {
  const alive = (): Started[] =>
    notedProcesses(data).filter(({ pid, identity }) => identity !== null && processIdentity(pid) === identity);
  for (const { pid } of alive()) signal(pid, 'SIGTERM');
  for (const until = Date.now() + PATIENCE_MS; alive().length > 0 && Date.now() < until; ) await sleep(50);
  for (const { pid } of alive()) signal(pid, 'SIGKILL');
  forgetProcesses(data);
}

function notedProcesses(data: string): Started[] {
  try {
    return JSON.parse(readFileSync(fileOf(data), 'utf8')) as Started[];
  } catch {
    return [];
  }
}

function signal(pid: number, name: NodeJS.Signals): void {
  try {
    process.kill(pid, name);
  } catch {
    // Gone in the meantime.
  }
}
