import { accessSync, constants, statSync } from 'node:fs';
import { delimiter, join } from 'node:path';

const NAMES = ['valkey-server', 'redis-server'];
/** Where package managers put servers that a user's PATH may lack. */
const USUAL = ['/usr/bin', '/usr/sbin', '/usr/local/bin', '/usr/local/sbin', '/opt/homebrew/bin', '/opt/local/bin', '/snap/bin'];

/**
 * @param {NodeJS.ProcessEnv} env
 * @returns {string | null} The path of a Valkey or Redis server program.
 */
export function findRedisBinary(env) {
  const folders = [...(env['PATH'] ?? '').split(delimiter).filter((folder) => folder !== ''), ...USUAL];
  for (const name of NAMES) {
    for (const folder of folders) {
      const file = join(folder, name);
      if (isProgram(file)) return file;
    }
  }
  return null;
}

/** @param {string} file */
function isProgram(file) {
  try {
    accessSync(file, constants.X_OK);
    return statSync(file).isFile();
  } catch {
    return false;
  }
}
