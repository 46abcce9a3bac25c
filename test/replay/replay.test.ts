import { spawn } from 'node:child_process';
import { existsSync, readFileSync } from 'node:fs';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import { describe, expect, test } from 'vitest';
import type { Summary } from '../../load-tests/replay/summary.ts';
import { expectedSegments } from './expected-segments.ts';

const SHARED = resolve(process.env['WALKIN_SHARED'] ?? '../shared');
const FOLDER = join(SHARED, 'data');
const present = existsSync(join(FOLDER, 'completejourney')) && existsSync(join(FOLDER, 'openrtb'));
if (!present) console.warn(`SKIPPED: the replay of real input, since ${FOLDER} does not exist (WALKIN_SHARED)`);

const MAIN = resolve('load-tests/replay/main.ts');

function run(args: readonly string[]): Promise<{ code: number | null; stdout: string; stderr: string }> {
  return new Promise((done) => {
    const child = spawn(process.execPath, ['--import', 'tsx', MAIN, ...args], { stdio: ['ignore', 'pipe', 'pipe'] });
    let stdout = '';
    let stderr = '';
    child.stdout.on('data', (chunk) => {
      stdout += chunk;
    });
    child.stderr.on('data', (chunk) => {
      stderr += chunk;
    });
    child.on('close', (code) => done({ code, stdout, stderr }));
  });
}

describe.skipIf(!present)('the whole replay of real input', () => {
  test('takes every row in, finds the segments to the person, and bids on nothing that is broken', async () => {
    const { code, stdout, stderr } = await run([FOLDER]);
    expect(code, `${stdout}\n${stderr}`).toBe(0);
    const summary = JSON.parse(stdout.trim().split('\n').at(-1) as string) as Summary;
    const expected = await expectedSegments(FOLDER);
    expect(summary.rows).toBe(expected.rows);
    expect(summary.quarantined).toBe(0);
    expect(summary.segments).toEqual({
      grocery: expected.grocery.length,
      softDrinks: expected.softDrinks.length,
      coupon: expected.coupon.length,
    });
    expect(Object.keys(summary.status).filter((code) => !['200', '204', '400'].includes(code))).toEqual([]);
    const total = Object.values(summary.status).reduce((sum, count) => sum + count, 0);
    expect(summary.requests).toBe(total);
    expect(summary.bids).toBe(summary.status['200'] ?? 0);
    expect(summary.bids).toBeGreaterThan(0);
    const silent = Object.values(summary.noBids).reduce((sum, count) => sum + count, 0);
    expect(silent).toBeGreaterThanOrEqual(summary.status['204'] ?? 0);
    expect(Object.keys(summary.noBids)).not.toContain('unknown');
    expect(summary.p50).toBeGreaterThan(0);
    expect(summary.p99).toBeGreaterThanOrEqual(summary.p50);
    const fatal = fatalFiles();
    expect(fatal.length).toBeGreaterThan(0);
    expect(summary.invalidBids.filter((file) => fatal.includes(file))).toEqual([]);
  }, 240_000);
});

/** Files that must not be bid on, as the manifest beside them says. */
function fatalFiles(): string[] {
  const manifest = JSON.parse(readFileSync(join(FOLDER, 'openrtb/invalid/manifest.json'), 'utf8')) as {
    file: string;
    class: string;
  }[];
  return manifest.flatMap((entry) => (entry.class.startsWith('fatal') ? [`openrtb/invalid/${entry.file}`] : []));
}

test('a folder with nothing in it is refused in one sentence, before anything is started', async () => {
  const folder = await mkdtemp(join(tmpdir(), 'walkin-replay-empty-'));
  const { code, stderr } = await run([folder]);
  await rm(folder, { recursive: true });
  expect(code).toBe(1);
  expect(stderr.trim().split('\n')).toHaveLength(1);
  expect(stderr).toContain('holds neither');
}, 30_000);
