import { type ChildProcess, spawn } from 'node:child_process';
import { existsSync } from 'node:fs';
import { join } from 'node:path';
import type { Entries } from './processes.ts';
import { secretsFile } from './secrets.ts';

export interface DemoOptions {
  readonly data: string;
  readonly api: string;
  readonly bidder: string;
  readonly entries: Entries;
  readonly env: NodeJS.ProcessEnv;
}

/** The report of the demo that was run on this data folder: it is not run twice. */
export const demoReport = (data: string): string => join(data, 'demo.json');
export const demoRequest = (data: string): string => join(data, 'demo-request.json');

/** Plays the simulated city, or prints its table again where it was played before. */
export function startDemo({ data, api, bidder, entries, env }: DemoOptions): ChildProcess {
  const again = existsSync(demoReport(data)) ? ['--summary'] : [];
  const args = ['--api', api, '--bidder', bidder, '--key-file', secretsFile(data), '--out', data, ...again];
  return spawn(process.execPath, [...entries.nodeArguments, '--import', entries.tether, entries.city, ...args], {
    env: { ...env, TZ: 'UTC' },
    stdio: ['pipe', 'inherit', 'inherit'],
    detached: true,
  });
}

/** Resolves with whether it went well. */
export function demoEnd(demo: ChildProcess): Promise<boolean> {
  return new Promise((resolve) => {
    demo.once('error', () => resolve(false));
    demo.once('exit', (code) => resolve(code === 0));
  });
}
