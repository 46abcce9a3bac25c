import { renameSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';

/** `<data>/run.json`: what runs on the data folder, for scripts and tests. Exists only while all is ready. */
export interface RunFile {
  readonly pid: number;
  /** RFC 3339. */
  readonly startedAt: string;
  readonly processes: readonly { readonly name: string; readonly pid: number | null }[];
  /** Base addresses. */
  readonly api: string;
  readonly bidder: string;
  readonly pages: string;
  readonly apiMetrics: string;
  readonly bidderMetrics: string;
  readonly pagesMetrics: string;
}

export const runFile = (data: string): string => join(data, 'run.json');

/** Replaced whole, so that a reader never sees half of it. */
export function writeRunFile(data: string, run: RunFile): void {
  const draft = `${runFile(data)}.draft`;
  writeFileSync(draft, `${JSON.stringify(run, null, 2)}\n`);
  renameSync(draft, runFile(data));
}

export function removeRunFile(data: string): void {
  rmSync(runFile(data), { force: true });
}
