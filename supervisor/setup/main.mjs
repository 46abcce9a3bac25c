import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { build } from './build.mjs';
import { withSetupLock } from './lock.mjs';
import { installPackages } from './packages.mjs';
import { createProgress, SetupError } from './progress.mjs';
import { provideRedis } from './redis-install.mjs';

const ROOT = fileURLToPath(new URL('../../', import.meta.url));

/**
 * Flags: `--quiet` prints problems only, `--packages` stops after the packages, `--build` after the build, `--own-redis` wants a
 * Redis program even where REDIS_URL is set (tests start their own).
 * @param {readonly string[]} flags
 * @param {NodeJS.ProcessEnv} env
 */
export async function setup(flags, env) {
  const progress = createProgress({ quiet: flags.includes('--quiet') });
  try {
    if (process.platform === 'win32') throw new SetupError('Walkin runs on Linux and macOS; on Windows use it inside WSL 2.');
    await withSetupLock(join(ROOT, '.setup.lock'), progress, () => stages(flags, env, progress));
  } catch (error) {
    if (!(error instanceof SetupError)) throw error;
    progress.problem(error.message);
    process.exitCode = 1;
  }
}

/**
 * @param {readonly string[]} flags
 * @param {NodeJS.ProcessEnv} env
 * @param {import('./progress.mjs').Progress} progress
 */
async function stages(flags, env, progress) {
  progress.done('Node.js', process.versions.node);
  await installPackages(ROOT, env, progress);
  if (flags.includes('--packages')) return;
  await build(ROOT, progress);
  if (flags.includes('--build')) return;
  await provideRedis(env, progress, flags.includes('--own-redis'));
}
