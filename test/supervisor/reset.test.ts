import { execFile } from 'node:child_process';
import { existsSync, mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { openDataFolder } from '../../supervisor/data-folder.ts';
import { lockDataFolder } from '../../supervisor/lock.ts';
import { builtFile } from '../support/built.ts';
import { temporaryFolder } from '../support/folder.ts';

function reset(...args: readonly string[]): Promise<{ code: number; said: string }> {
  return new Promise((resolve) => {
    const call = execFile(process.execPath, [builtFile('supervisor/reset.ts'), ...args], (_error, stdout, stderr) =>
      resolve({ code: call.exitCode ?? -1, said: `${stdout}${stderr}`.trim() }),
    );
    call.stdin?.end();
  });
}

function dataFolder(): string {
  const data = join(temporaryFolder(), 'data');
  openDataFolder(data);
  mkdirSync(join(data, 'clickhouse'));
  writeFileSync(join(data, 'clickhouse', 'rows'), 'many');
  return data;
}

test('with --yes the data folder is deleted', async () => {
  const data = dataFolder();
  expect(await reset('--yes', '--data', data)).toEqual({ code: 0, said: `Deleted ${data}.` });
  expect(existsSync(data)).toBe(false);
});

test('without a terminal and without --yes nothing is deleted', async () => {
  const data = dataFolder();
  const { code, said } = await reset('--data', data);
  expect(code).toBe(1);
  expect(said).toContain('no terminal to ask on');
  expect(existsSync(join(data, 'clickhouse', 'rows'))).toBe(true);
});

test("a folder that is not Walkin's is never deleted", async () => {
  const folder = temporaryFolder();
  writeFileSync(join(folder, 'letter'), 'dear');
  const { code, said } = await reset('--yes', '--data', folder);
  expect(code).toBe(1);
  expect(said).toContain('is not a data folder of Walkin');
  expect(existsSync(join(folder, 'letter'))).toBe(true);
});

test('a running Walkin keeps its folder, and its process is said', async () => {
  const data = dataFolder();
  lockDataFolder(data, new Date());
  const { code, said } = await reset('--yes', '--data', data);
  expect(code).toBe(1);
  expect(said).toContain(`in use by Walkin process ${process.pid}`);
  expect(existsSync(join(data, 'clickhouse', 'rows'))).toBe(true);
});

test('a folder that does not exist is no failure', async () => {
  const { code, said } = await reset('--yes', '--data', join(temporaryFolder(), 'none'));
  expect(code).toBe(0);
  expect(said).toContain('nothing to delete');
});
