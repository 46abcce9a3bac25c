import { spawn } from 'node:child_process';
import { fileURLToPath } from 'node:url';
import { expect, test, vi } from 'vitest';
import { isAlive } from '../../supervisor/process-identity.ts';

const TETHER = fileURLToPath(new URL('../../supervisor/tether.mjs', import.meta.url));

/** A parent that starts a tethered child as the supervisor does; resolves with both. */
async function family(code: string): Promise<{ parent: number; child: number }> {
  const parent = spawn(process.execPath, [
    '-e',
    `const { spawn } = require('node:child_process');
     const child = spawn(process.execPath, ['--import', ${JSON.stringify(TETHER)}, '-e', ${JSON.stringify(code)}],
       { stdio: ['pipe', 'pipe', 'inherit'], detached: true });
     child.stdout.once('data', () => console.log(child.pid));`,
  ]);
  const child = await new Promise<number>((resolve) => parent.stdout.once('data', (text) => resolve(Number(String(text)))));
  return { parent: parent.pid ?? 0, child };
}

test('a process ends itself when its supervisor is killed', async () => {
  const { parent, child } = await family('setInterval(() => {}, 1000); console.log("up")');
  expect(isAlive(child)).toBe(true);
  process.kill(parent, 'SIGKILL');
  await vi.waitFor(() => expect(isAlive(child)).toBe(false), 5000);
});

test('one that does not listen is gone after some seconds all the same', async () => {
  const { parent, child } = await family('process.on("SIGTERM", () => {}); setInterval(() => {}, 1000); console.log("up")');
  process.kill(parent, 'SIGKILL');
  await vi.waitFor(() => expect(isAlive(child)).toBe(false), 8000);
});

test('the tether keeps no process alive that has nothing left to do', async () => {
  const child = spawn(process.execPath, ['--import', TETHER, '-e', 'console.log("done")'], {
    stdio: ['pipe', 'ignore', 'ignore'],
  });
  const code = await new Promise((resolve) => child.once('exit', resolve));
  expect(code).toBe(0);
});
