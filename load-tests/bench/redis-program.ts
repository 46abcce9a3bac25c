import { existsSync } from 'node:fs';
import { delimiter, join } from 'node:path';
import { BenchError } from './say.ts';

/** The same names and places as the setup looks at. */
const NAMES = ['valkey-server', 'redis-server'];
const USUAL = ['/usr/bin', '/usr/sbin', '/usr/local/bin', '/usr/local/sbin', '/opt/homebrew/bin', '/opt/local/bin', '/snap/bin'];

export function redisProgram(env: NodeJS.ProcessEnv): string {
  const folders = [...(env['PATH'] ?? '').split(delimiter).filter((folder) => folder !== ''), ...USUAL];
  for (const name of NAMES) {
    const folder = folders.find((candidate) => existsSync(join(candidate, name)));
    if (folder !== undefined) return join(folder, name);
  }
  throw new BenchError('There is no valkey-server or redis-server: run `npm run build` once, which installs one.');
}
