import { createHash } from 'node:crypto';
import { copyFileSync, existsSync, mkdirSync, readdirSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { dirname, extname, join, relative } from 'node:path';
import { lastLines, run } from './command.mjs';
import { SetupError } from './progress.mjs';

const FOLDERS = ['proto', 'bidder', 'dmp', 'segmenter', 'supervisor', 'load-tests'];
const FILES = ['start.ts', 'tsconfig.json', 'tsconfig.build.json', 'package-lock.json'];
const CODE = new Set(['.ts', '.mjs']);
/** What the code reads at run time from beside itself. */
const ASSETS = new Set(['.sql', '.lua', '.json', '.html', '.proto', '.csv', '.ndjson']);

/**
 * Compiles into `dist` and copies SQL, Lua and the like; skipped where nothing changed since the last build.
 * @param {string} root
 * @param {import('./progress.mjs').Progress} progress
 */
export async function build(root, progress) {
  const sources = sourcesOf(root);
  const stamp = stampOf(root, sources);
  const stampFile = join(root, 'dist/.stamp');
  if (existsSync(stampFile) && readFileSync(stampFile, 'utf8') === stamp) {
    progress.done('Build', 'up to date');
    return;
  }
  await progress.stage(
    'Build',
    'tsc',
    () => compile(root, sources, stampFile, stamp),
    () => `${sources.length} files`,
  );
}

/**
 * @param {string} root
 * @param {readonly string[]} sources
 * @param {string} stampFile
 * @param {string} stamp
 */
async function compile(root, sources, stampFile, stamp) {
  rmSync(stampFile, { force: true });
  const { code, output } = await run(process.execPath, [compilerOf(root), '-p', 'tsconfig.build.json'], { cwd: root });
  if (code !== 0) throw new SetupError(`The build failed:\n${lastLines(output, 30)}`);
  copyAssets(root, sources);
  prune(root, sources);
  writeFileSync(stampFile, stamp);
}

/**
 * @param {string} root
 * @param {readonly string[]} sources
 */
function copyAssets(root, sources) {
  for (const file of sources) {
    if (!ASSETS.has(extname(file)) || FILES.includes(file)) continue;
    mkdirSync(dirname(join(root, 'dist', file)), { recursive: true });
    copyFileSync(join(root, file), join(root, 'dist', file));
  }
}

/** @param {string} root */
function compilerOf(root) {
  const { bin } = JSON.parse(readFileSync(join(root, 'node_modules/typescript/package.json'), 'utf8'));
  return join(root, 'node_modules/typescript', bin.tsc);
}

/**
 * A file whose source is gone must go too: an old migration left in `dist` would still be run.
 * @param {string} root
 * @param {readonly string[]} sources
 */
function prune(root, sources) {
  const expected = new Set(
    sources.flatMap((file) => {
      if (!CODE.has(extname(file))) return [file];
      const output = file.replace(/\.ts$/, '.js');
      return [output, `${output}.map`];
    }),
  );
  for (const folder of FOLDERS) {
    for (const file of filesIn(join(root, 'dist', folder))) {
      if (!expected.has(relative(join(root, 'dist'), file))) rmSync(file);
    }
  }
}

/** @param {string} root */
function sourcesOf(root) {
  const wanted = (/** @type {string} */ file) => CODE.has(extname(file)) || ASSETS.has(extname(file));
  const found = FOLDERS.flatMap((folder) => filesIn(join(root, folder)).filter(wanted)).map((file) => relative(root, file));
  return [...found, ...FILES].sort();
}

/**
 * @param {string} folder
 * @returns {string[]}
 */
function filesIn(folder) {
  if (!existsSync(folder)) return [];
  return readdirSync(folder, { recursive: true, encoding: 'utf8' })
    .map((name) => join(folder, name))
    .filter((file) => statSync(file).isFile());
}

/**
 * By content, since a git checkout gives every file a new time.
 * @param {string} root
 * @param {readonly string[]} sources
 */
function stampOf(root, sources) {
  const hash = createHash('sha256');
  for (const file of sources)
    hash
      .update(`${file}\0`)
      .update(readFileSync(join(root, file)))
      .update('\0');
  return hash.digest('hex');
}
