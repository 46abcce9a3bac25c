import { spawn } from 'node:child_process';
import { existsSync, readdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { lockDataFolder, lockOwner } from '../../supervisor/lock.ts';
import { processIdentity } from '../../supervisor/process-identity.ts';
import { temporaryFolder } from '../support/folder.ts';

const NOW = new Date('2026-11-22T10:00:00Z');

test('a second start on the same folder says whose it is', () => {
  const folder = temporaryFolder();
  lockDataFolder(folder, NOW);
  expect(() => lockDataFolder(folder, NOW)).toThrow(
    `the data folder ${folder} is in use by Walkin process ${process.pid}, running since 2026-11-22T10:00:00.000Z`,
  );
});

test('a released folder is free, and nothing is left in it', () => {
  const folder = temporaryFolder();
  lockDataFolder(folder, NOW).release();
  expect(lockOwner(folder)).toBeNull();
  expect(readdirSync(folder)).toEqual([]);
});

test('the lock of a killed process is taken over', async () => {
  const folder = temporaryFolder();
  const dead = spawn(process.execPath, ['-e', ''], { stdio: 'ignore' });
  const identity = processIdentity(dead.pid ?? 0);
  await new Promise((resolve) => dead.once('exit', resolve));
  writeFileSync(join(folder, 'lock'), JSON.stringify({ pid: dead.pid, identity, since: NOW.toISOString() }));
  lockDataFolder(folder, NOW);
  expect(lockOwner(folder)?.pid).toBe(process.pid);
});

test('a number that a later process got does not keep the folder locked', () => {
  const folder = temporaryFolder();
  writeFileSync(
    join(folder, 'lock'),
    JSON.stringify({ pid: process.pid, identity: 'of an earlier boot', since: NOW.toISOString() }),
  );
  expect(lockOwner(folder)).toBeNull();
  lockDataFolder(folder, NOW);
});

test('a damaged lock does not keep the folder locked', () => {
  const folder = temporaryFolder();
  writeFileSync(join(folder, 'lock'), '{');
  lockDataFolder(folder, NOW).release();
  expect(existsSync(join(folder, 'lock'))).toBe(false);
});
