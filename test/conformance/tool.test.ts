import { spawn } from 'node:child_process';
import { mkdir, mkdtemp, rm, writeFile } from 'node:fs/promises';
import type { AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { encodeRequest } from '../../load-tests/conformance/protobuf.ts';
import { builtFile } from '../support/built.ts';
import { type AlwaysBidder, startAlways } from './support/always.ts';

/** The command itself, as an exchange's engineer runs it, against a bidder that listens. */

const TOOL = builtFile('load-tests/conformance/main.ts');
const ROOT = fileURLToPath(new URL('../../', import.meta.url));
const BANNER = { id: 'r', imp: [{ id: '1', banner: { w: 300, h: 250 } }], site: { id: 's' } };

let always: AlwaysBidder;
let address: string;
let folder: string;

beforeAll(async () => {
  always = await startAlways({
    sizes: [{ w: 300, h: 250 }],
    videoSeconds: [15],
    audioSeconds: [15],
    seat: null,
    dealDomains: [],
    pictures: [],
  });
  await always.bidder.worker.app.listen({ port: 0, host: '127.0.0.1' });
  address = `http://127.0.0.1:${(always.bidder.worker.app.server.address() as AddressInfo).port}`;
  folder = await mkdtemp(join(tmpdir(), 'walkin-conformance-'));
  await mkdir(join(folder, 'deep/down'), { recursive: true });
  await writeFile(join(folder, 'deep/down/banner.json'), JSON.stringify(BANNER));
  await writeFile(join(folder, 'deep/broken.txt'), '{"id":');
  await writeFile(join(folder, 'message.bin'), encodeRequest(BANNER));
});

afterAll(async () => {
  await always.close();
  await rm(folder, { recursive: true, force: true });
});

function run(...args: string[]): Promise<{ code: number | null; lines: string[] }> {
  const command = ['--enable-source-maps', TOOL, folder, ...args];
  const child = spawn(process.execPath, command, { cwd: ROOT, stdio: ['ignore', 'pipe', 'pipe'] });
  let printed = '';
  for (const stream of [child.stdout, child.stderr]) stream.on('data', (chunk: Buffer) => (printed += chunk.toString()));
  return new Promise((resolve) => child.once('exit', (code) => resolve({ code, lines: printed.trim().split('\n') })));
}

describe('npm run conformance', { timeout: 60_000 }, () => {
  it('sends nested folders, text files and protobuf, and closes with the count', async () => {
    const { code, lines } = await run('--bidder', address, '--exchange', 'x');
    expect(lines.at(-1)).toBe('3 passed, 0 failed');
    expect(lines.join('\n')).toContain('Of 2 requests whose format and privacy allow a bid, 2 got one (100 %).');
    expect(code).toBe(0);
  });

  it('sends everything in each way on demand', async () => {
    const { code, lines } = await run('--bidder', address, '--exchange', 'x', '--protobuf', '--gzip');
    expect(lines.at(-1)).toBe('8 passed, 0 failed');
    expect(code).toBe(0);
  });

  it('prints a line for each failure, and ends with 1', async () => {
    await writeFile(
      join(folder, 'manifest.json'),
      JSON.stringify([{ file: 'deep/down/banner.json', class: 'fatal (must not bid)' }]),
    );
    const { code, lines } = await run('--bidder', address, '--exchange', 'x');
    await rm(join(folder, 'manifest.json'));
    expect(lines).toContain('FAIL deep/down/banner.json: bid on a request that must not be bid on');
    expect(lines.at(-1)).toBe('2 passed, 1 failed');
    expect(code).toBe(1);
  });

  it('counts answers of an exchange that does not exist as failures', async () => {
    const { code, lines } = await run('--bidder', address, '--exchange', 'nobody');
    expect(lines.at(-1)).toBe('0 passed, 3 failed');
    expect(code).toBe(1);
  });

  it('wants the address and the exchange together', async () => {
    const { code } = await run('--bidder', address);
    expect(code).toBe(1);
  });
});
