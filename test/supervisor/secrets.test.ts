import { chmodSync, mkdirSync, readFileSync, statSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { isDataFolder, openDataFolder } from '../../supervisor/data-folder.ts';
import { openSecrets, retirePepper, rotatePepper } from '../../supervisor/secrets.ts';
import { temporaryFolder } from '../support/folder.ts';

test('secrets are made once, for the owner only', () => {
  const folder = temporaryFolder();
  const first = openSecrets(folder);
  expect(first.adminKey).toMatch(/^wk_admin_[0-9a-f]{64}$/);
  expect(first.pepper).not.toBe(first.noticeSecret);
  expect(statSync(join(folder, 'secrets.json')).mode & 0o777).toBe(0o600);
  expect(openSecrets(folder)).toEqual(first);
});

test('a copy with open modes is closed again', () => {
  const folder = temporaryFolder();
  openSecrets(folder);
  chmodSync(join(folder, 'secrets.json'), 0o644);
  openSecrets(folder);
  expect(statSync(join(folder, 'secrets.json')).mode & 0o777).toBe(0o600);
});

test('damaged secrets are said and never replaced', () => {
  const folder = temporaryFolder();
  writeFileSync(join(folder, 'secrets.json'), '{"pepper":"short"}');
  expect(() => openSecrets(folder)).toThrow(/secrets\.json is damaged/);
  expect(readFileSync(join(folder, 'secrets.json'), 'utf8')).toBe('{"pepper":"short"}');
});

test('a new data folder is marked as ours and closed to others', () => {
  const folder = join(temporaryFolder(), 'data');
  openDataFolder(folder);
  openDataFolder(folder);
  expect(isDataFolder(folder)).toBe(true);
  expect(statSync(folder).mode & 0o777).toBe(0o700);
});

test("a folder with somebody else's files is refused and stays unmarked", () => {
  const folder = temporaryFolder();
  mkdirSync(join(folder, 'photos'));
  expect(() => openDataFolder(folder)).toThrow(/holds files that Walkin did not make \(photos\)/);
  expect(isDataFolder(folder)).toBe(false);
});

test('a new pepper is made and the old ones are honoured until they are retired, two at most', () => {
  const folder = temporaryFolder();
  const first = openSecrets(folder);
  const second = rotatePepper(folder);
  expect(second).toEqual({ ...first, pepper: second.pepper, oldPeppers: [first.pepper] });
  expect(second.pepper).not.toBe(first.pepper);
  expect(openSecrets(folder)).toEqual(second);
  expect(statSync(join(folder, 'secrets.json')).mode & 0o777).toBe(0o600);
  const third = rotatePepper(folder);
  expect(third.oldPeppers).toEqual([second.pepper, first.pepper]);
  expect(() => rotatePepper(folder)).toThrow(/retire the oldest/);
  expect(retirePepper(folder).oldPeppers).toEqual([second.pepper]);
  expect(retirePepper(folder).oldPeppers).toEqual([]);
  expect(() => retirePepper(folder)).toThrow(/no old pepper/);
});
