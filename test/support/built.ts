import { execFileSync } from 'node:child_process';
import { fileURLToPath } from 'node:url';

const ROOT = fileURLToPath(new URL('../../', import.meta.url));
let built = false;

/**
 * The compiled form of a source, such as `dmp/main.ts`, for a process of its own. To compile it on the fly takes each process a second
 * of the processor, which whoever runs Walkin does not wait for either. What changed since the last build is built first.
 */
export function builtFile(source: string): string {
  if (!built) execFileSync(process.execPath, ['setup.mjs', '--quiet', '--build'], { cwd: ROOT, stdio: 'inherit' });
  built = true;
  return `${ROOT}dist/${source.replace(/\.ts$/, '.js')}`;
}
