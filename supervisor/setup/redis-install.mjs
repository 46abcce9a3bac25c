import { lastLines, run } from './command.mjs';
import { SetupError } from './progress.mjs';
import { findRedisBinary } from './redis-binary.mjs';

/**
 * @typedef {object} PackageSystem
 * @property {string} program
 * @property {readonly string[]} install Arguments before the package's name.
 * @property {readonly string[] | null} refresh Run once where no package was found: a fresh machine has no lists yet.
 * @property {readonly string[]} packages Tried in this order.
 * @property {boolean} root
 */

/** @type {readonly PackageSystem[]} */
const SYSTEMS = [
  {
    program: 'apt-get',
    install: ['-o', 'DPkg::Lock::Timeout=120', 'install', '-y', '--no-install-recommends'],
    refresh: ['update'],
    packages: ['redis-server', 'valkey-server'],
    root: true,
  },
  { program: 'dnf', install: ['install', '-y'], refresh: null, packages: ['valkey', 'redis'], root: true },
  { program: 'brew', install: ['install'], refresh: null, packages: ['valkey', 'redis'], root: false },
];

/**
 * REDIS_URL, else a server program that is there, else one from the system's package manager, else the exact line to run.
 * @param {NodeJS.ProcessEnv} env
 * @param {import('./progress.mjs').Progress} progress
 * @param {boolean} ownNeeded A program is needed even where REDIS_URL is set.
 */
export async function provideRedis(env, progress, ownNeeded) {
  if (!ownNeeded && (env['REDIS_URL'] ?? '') !== '') {
    progress.done('Redis', 'the server that REDIS_URL names');
    return;
  }
  const found = findRedisBinary(env);
  if (found !== null) {
    progress.done('Redis', found);
    return;
  }
  const system = await systemHere();
  if (system === null) {
    throw new SetupError(
      'There is no Redis: install valkey-server or redis-server (6.2 or newer), or set REDIS_URL to a server.',
    );
  }
  const prefix = await privilege(system);
  await progress.stage(
    'Redis',
    `${system.program} installs it`,
    () => install(system, prefix, env),
    (path) => path,
  );
  if (system.root)
    progress.note('The package may also have started a Redis service of its own on port 6379; Walkin does not use it.');
}

/** @returns {Promise<PackageSystem | null>} */
async function systemHere() {
  for (const system of SYSTEMS) if ((await run(system.program, ['--version'])).code === 0) return system;
  return null;
}

/**
 * @param {PackageSystem} system
 * @returns {Promise<readonly string[]>} What to put before the command.
 */
async function privilege(system) {
  if (!system.root || process.getuid?.() === 0) return [];
  if ((await run('sudo', ['-n', 'true'])).code === 0) return ['sudo', '-n'];
  throw new SetupError(`Walkin needs a Redis and may not install one here; run this once, then start again:  ${lineFor(system)}`);
}

/**
 * @param {PackageSystem} system
 * @param {readonly string[]} prefix
 * @param {NodeJS.ProcessEnv} env
 */
async function install(system, prefix, env) {
  const quiet = system.program === 'apt-get' ? [...prefix, 'env', 'DEBIAN_FRONTEND=noninteractive'] : prefix;
  const call = (/** @type {readonly string[]} */ args) => {
    const [program = system.program, ...rest] = [...quiet, system.program, ...args];
    return run(program, rest, { env });
  };
  const tryAll = async () => {
    let said = '';
    for (const name of system.packages) {
      const { output } = await call([...system.install, name]);
      const found = findRedisBinary(env);
      if (found !== null) return { found, said };
      said += output;
    }
    return { found: null, said };
  };
  let result = await tryAll();
  if (result.found === null && system.refresh !== null) {
    await call(system.refresh);
    result = await tryAll();
  }
  if (result.found !== null) return result.found;
  throw new SetupError(
    `${lastLines(result.said, 8)}\nRedis could not be installed; run this once, then start again:  ${lineFor(system)}`,
  );
}

/** @param {PackageSystem} system */
function lineFor(system) {
  const sudo = system.root && process.getuid?.() !== 0 ? 'sudo ' : '';
  const refresh = system.refresh === null ? '' : `${sudo}${system.program} ${system.refresh.join(' ')} && `;
  const [name] = system.packages;
  return `${refresh}${sudo}${system.program} install ${system.root ? '-y ' : ''}${name}`;
}
