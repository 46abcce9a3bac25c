import { type ChildProcess, spawn } from 'node:child_process';
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect, onTestFinished, test } from 'vitest';
import { noteProcesses, seeOffLeftovers } from '../../supervisor/leftovers.ts';
import { isAlive, processIdentity } from '../../supervisor/process-identity.ts';
import { temporaryFolder } from '../support/folder.ts';

async function running(code: string): Promise<ChildProcess> {
  const child = spawn(process.execPath, ['-e', `${code}; setInterval(() => {}, 1000); console.log('up')`]);
  onTestFinished(() => void child.kill('SIGKILL'));
  await new Promise((resolve) => child.stdout.once('data', resolve));
  return child;
}

test('what a killed supervisor left is gone before the next start goes on', async () => {
  const data = temporaryFolder();
  const left = await running('');
  noteProcesses(data, [left.pid ?? 0]);
  await seeOffLeftovers(data);
  expect(processIdentity(left.pid ?? 0)).toBeNull();
});

test('one that does not listen is killed', async () => {
  const data = temporaryFolder();
  const left = await running("process.on('SIGTERM', () => {})");
  const end = new Promise((resolve) => left.once('exit', (_code, signal) => resolve(signal)));
  noteProcesses(data, [left.pid ?? 0]);
  await seeOffLeftovers(data);
  expect(await end).toBe('SIGKILL');
});

test('a stranger that got the number of one of ours is left alone', async () => {
  const data = temporaryFolder();
  const stranger = await running('');
  writeFileSync(join(data, 'processes.json'), JSON.stringify([{ pid: stranger.pid, identity: 'of an earlier boot' }]));
  await seeOffLeftovers(data);
  expect(isAlive(stranger.pid ?? 0)).toBe(true);
});
