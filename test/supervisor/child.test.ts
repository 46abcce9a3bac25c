import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { expect, onTestFinished, test, vi } from 'vitest';
import { type Child, createChild, retryDelay } from '../../supervisor/child.ts';
import { isAlive } from '../../supervisor/process-identity.ts';
import { temporaryFolder } from '../support/folder.ts';

interface Toy {
  readonly child: Child;
  readonly pids: number[];
  readonly deaths: { readonly how: string; readonly retryMs: number }[];
}

function toy(code: string): Toy {
  const log = join(temporaryFolder(), 'toy.log');
  const pids: number[] = [];
  const deaths: Toy['deaths'] = [];
  const child = createChild(
    { name: 'toy', program: process.execPath, args: ['-e', code], env: process.env, log },
    { started: (pid) => pids.push(pid), died: (how, retryMs) => deaths.push({ how, retryMs }) },
  );
  onTestFinished(() => child.kill());
  child.start();
  return { child, pids, deaths };
}

const FOREVER = 'setInterval(() => {}, 1000); console.log("up")';

test('the pause before a new start doubles from 0.2 s to 5 s', () => {
  expect([1, 2, 3, 4, 5, 6, 7, 100].map(retryDelay)).toEqual([200, 400, 800, 1600, 3200, 5000, 5000, 5000]);
});

test('a killed process is started again', async () => {
  const { child, pids, deaths } = toy(FOREVER);
  process.kill(child.pid ?? 0, 'SIGKILL');
  await vi.waitFor(() => expect(pids).toHaveLength(2), 5000);
  expect(deaths).toEqual([{ how: 'SIGKILL', retryMs: 200 }]);
  expect(child.pid).toBe(pids[1]);
});

test('one that fails at once is tried again after longer and longer pauses', async () => {
  const { child, deaths } = toy('process.exit(3)');
  await vi.waitFor(() => expect(deaths).toHaveLength(3), 10_000);
  expect(deaths.map(({ retryMs }) => retryMs)).toEqual([200, 400, 800]);
  expect(deaths[0]?.how).toBe('exit code 3');
  expect(child.failures).toBe(3);
});

test('a stopped process stays down', async () => {
  const { child, pids, deaths } = toy(FOREVER);
  await child.stop(2000);
  await sleep(400);
  expect(pids).toHaveLength(1);
  expect(deaths).toEqual([]);
  expect(child.pid).toBeNull();
});

test('one that does not listen to SIGTERM is killed when its grace is over', async () => {
  const { child } = toy(`process.on('SIGTERM', () => {}); ${FOREVER}`);
  await vi.waitFor(() => expect(readFileSync(child.log, 'utf8')).toContain('up'), 5000);
  const started = Date.now();
  await child.stop(300);
  expect(Date.now() - started).toBeGreaterThanOrEqual(290);
  expect(Date.now() - started).toBeLessThan(3000);
});

test('what a killed process had started is gone with it', async () => {
  const { child, deaths } = toy(
    `const { spawn } = require('node:child_process');
     console.log('worker ' + spawn(process.execPath, ['-e', 'setInterval(() => {}, 1000)']).pid); ${FOREVER}`,
  );
  const worker = await vi.waitFor(() => {
    const [, pid] = /worker (\d+)/.exec(readFileSync(child.log, 'utf8')) ?? [];
    expect(pid).toBeDefined();
    return Number(pid);
  }, 5000);
  process.kill(child.pid ?? 0, 'SIGKILL');
  await vi.waitFor(() => expect(deaths).toHaveLength(1), 5000);
  await vi.waitFor(() => expect(isAlive(worker)).toBe(false), 5000);
});

test('a program that does not exist is a death with its reason', async () => {
  const deaths: string[] = [];
  const log = join(temporaryFolder(), 'none.log');
  const child = createChild(
    { name: 'none', program: '/no/such/program', args: [], env: {}, log },
    { started: () => undefined, died: (how) => deaths.push(how) },
  );
  onTestFinished(() => child.kill());
  child.start();
  await vi.waitFor(() => expect(deaths[0]).toMatch(/ENOENT/), 5000);
});
