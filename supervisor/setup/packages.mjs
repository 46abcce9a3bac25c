import { readFileSync } from 'node:fs';
import { basename, join } from 'node:path';
import { firstLines, run } from './command.mjs';
import { SetupError } from './progress.mjs';

/** @typedef {{ version?: string, integrity?: string, optional?: boolean }} LockedPackage */

/**
 * @param {string} root
 * @param {NodeJS.ProcessEnv} env
 * @param {import('./progress.mjs').Progress} progress
 */
export async function installPackages(root, env, progress) {
  const locked = packagesIn(join(root, 'package-lock.json'));
  if (locked === null)
    throw new SetupError(`There is no readable package-lock.json in ${root}: this is not a whole clone of Walkin.`);
  const count = Object.keys(locked).length - 1;
  if (missingPackages(root).length === 0) {
    progress.done('Packages', `${count} as locked`);
    return;
  }
  await progress.stage(
    'Packages',
    `npm ci installs ${count} packages (some 250 MB at the first time)`,
    () => npmCi(root, env),
    () => 'installed',
  );
}

/**
 * Compares what npm says it installed with the lock file, by content, since a git checkout gives every file a new time. Optional
 * packages of other platforms are rightly absent.
 * @param {string} root
 * @returns {string[]} Paths of packages that are not there, or not as locked.
 */
export function missingPackages(root) {
  const locked = packagesIn(join(root, 'package-lock.json')) ?? {};
  const installed = packagesIn(join(root, 'node_modules/.package-lock.json')) ?? {};
  return Object.entries(locked)
    .filter(([path, { version, integrity, optional }]) => {
      if (path === '') return false;
      const found = installed[path];
      if (found === undefined) return optional !== true;
      return found.version !== version || found.integrity !== integrity;
    })
    .map(([path]) => path);
}

/**
 * @param {string} file
 * @returns {Record<string, LockedPackage> | null}
 */
function packagesIn(file) {
  try {
    return JSON.parse(readFileSync(file, 'utf8')).packages ?? null;
  } catch {
    return null;
  }
}

/**
 * @param {string} root
 * @param {NodeJS.ProcessEnv} env
 */
async function npmCi(root, env) {
  // The build needs the development packages even where NODE_ENV says production. Two of Fastify's packages ask for Node 22 and
  // run on 20: npm's warnings about them are noise, hence errors only.
  const args = ['ci', '--include=dev', '--include=optional', '--prefer-offline', '--no-audit', '--no-fund', '--loglevel=error'];
  const cli = env['npm_execpath'];
  const [program, first] = cli !== undefined && basename(cli) === 'npm-cli.js' ? [process.execPath, [cli]] : ['npm', []];
  const { code, output } = await run(program, [...first, ...args], { cwd: root, env });
  if (code === 127) throw new SetupError('There is no npm on the PATH: install Node.js with npm from https://nodejs.org');
  if (code !== 0) throw new SetupError(`npm ci failed:\n${firstLines(output, 20)}`);
}
