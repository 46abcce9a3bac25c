import { execFile } from 'node:child_process';
import { chmodSync, existsSync, mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import { expect, test } from 'vitest';
import { missingPackages } from '../../supervisor/setup/packages.mjs';
import { findRedisBinary } from '../../supervisor/setup/redis-binary.mjs';
import { temporaryFolder } from '../support/folder.ts';

const run = promisify(execFile);
const LOCK = new URL('../../supervisor/setup/lock.mjs', import.meta.url).href;

/** A set-up of 300 ms that notes its begin and end, as a process of its own. */
function setUp(folder: string): Promise<{ stdout: string }> {
  const code = `
    import { appendFileSync } from 'node:fs';
    import { withSetupLock } from ${JSON.stringify(LOCK)};
    const note = (text) => appendFileSync(${JSON.stringify(join(folder, 'notes'))}, text);
    const progress = { note: (text) => console.log(text) };
    await withSetupLock(${JSON.stringify(join(folder, 'lock'))}, progress, async () => {
      note('(');
      await new Promise((resolve) => setTimeout(resolve, 300));
      note(')');
    });`;
  return run(process.execPath, ['--input-type=module', '-e', code]);
}

test('two set-ups at once run one after the other', async () => {
  const folder = temporaryFolder();
  await Promise.all([setUp(folder), setUp(folder), setUp(folder)]);
  expect(readFileSync(join(folder, 'notes'), 'utf8')).toBe('()()()');
  expect(existsSync(join(folder, 'lock'))).toBe(false);
});

test('a set-up whose process was killed holds nobody up', async () => {
  const folder = temporaryFolder();
  mkdirSync(join(folder, 'lock'));
  const { stdout } = await run(process.execPath, ['-p', 'process.pid']);
  writeFileSync(join(folder, 'lock', 'pid'), stdout);
  await setUp(folder);
  expect(readFileSync(join(folder, 'notes'), 'utf8')).toBe('()');
});

function clone(locked: object, installed: object | null): string {
  const root = temporaryFolder();
  mkdirSync(join(root, 'node_modules'));
  writeFileSync(join(root, 'package-lock.json'), JSON.stringify({ packages: { '': { name: 'walkin' }, ...locked } }));
  if (installed !== null) writeFileSync(join(root, 'node_modules/.package-lock.json'), JSON.stringify({ packages: installed }));
  return root;
}

test('packages are installed again exactly when they are not as locked', () => {
  const one = { version: '1.0.0', integrity: 'sha512-a' };
  expect(missingPackages(clone({ 'node_modules/a': one }, { 'node_modules/a': one }))).toEqual([]);
  expect(missingPackages(clone({ 'node_modules/a': one }, null))).toEqual(['node_modules/a']);
  expect(missingPackages(clone({ 'node_modules/a': { ...one, version: '1.0.1' } }, { 'node_modules/a': one }))).toEqual([
    'node_modules/a',
  ]);
});

test('an optional package of another platform is not missed', () => {
  const locked = { 'node_modules/for-macos': { version: '1.0.0', integrity: 'sha512-a', optional: true } };
  expect(missingPackages(clone(locked, {}))).toEqual([]);
});

test('a server program on the PATH is found, Valkey before Redis', () => {
  const folder = temporaryFolder();
  for (const name of ['redis-server', 'valkey-server']) {
    writeFileSync(join(folder, name), '');
    chmodSync(join(folder, name), 0o755);
  }
  expect(findRedisBinary({ PATH: folder })).toBe(join(folder, 'valkey-server'));
});

test('an old Node is told what it lacks in one sentence', async () => {
  const file = fileURLToPath(new URL('../../setup.mjs', import.meta.url));
  const folder = temporaryFolder();
  const old = "Object.defineProperty(process, 'versions', { value: { ...process.versions, node: '18.20.1' } });\n";
  writeFileSync(join(folder, 'setup.mjs'), old + readFileSync(file, 'utf8'));
  await expect(run(process.execPath, [join(folder, 'setup.mjs')])).rejects.toMatchObject({
    code: 1,
    stderr: 'Walkin needs Node.js 20.19 or newer, this is 18.20.1: install it from https://nodejs.org\n',
  });
});
