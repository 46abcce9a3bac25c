import { existsSync, readFileSync, statSync } from 'node:fs';
import { statfs } from 'node:fs/promises';
import { freemem, totalmem } from 'node:os';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { type Check, look } from './check.ts';
import { missingPackages } from './setup/packages.mjs';

const GIB = 1024 ** 3;
const MEMORY_GIB = 2;
const DISK_GIB = 5;

/** What Walkin needs of the machine itself. */
export function machineChecks(data: string, dataProcess: number | null): Promise<Check[]> {
  return Promise.all([node(), packages(), memory(), disk(data), clock(), threadPool(dataProcess)]);
}

const node = (): Promise<Check> =>
  look('Node.js', '20.19 or newer', () => {
    const [major = 0, minor = 0] = process.versions.node.split('.').map(Number);
    const ok = major > 20 || (major === 20 && minor >= 19);
    return { ok, value: process.versions.node, fix: 'install a newer Node.js from https://nodejs.org' };
  });

const packages = (): Promise<Check> =>
  look('npm packages', 'as in package-lock.json', () => {
    const missing = missingPackages(rootFolder());
    const value = missing.length === 0 ? 'all installed' : `${missing.length} missing or of another version (${missing[0]})`;
    return { ok: missing.length === 0, value, fix: 'npm ci' };
  });

/** macOS counts as free only what nobody uses, not what it would give at once; there the machine's size is looked at. */
const memory = (): Promise<Check> => {
  const [bytes, needed, what] =
    process.platform === 'darwin' ? [totalmem(), 2 * MEMORY_GIB, 'in all'] : [freemem(), MEMORY_GIB, 'free'];
  return look('memory', `${needed} GiB ${what}`, () => ({
    ok: bytes >= needed * GIB,
    value: `${(bytes / GIB).toFixed(1)} GiB ${what}`,
    fix: 'close other programs, or use a ClickHouse server elsewhere (CLICKHOUSE_URL)',
  }));
};

const disk = (data: string): Promise<Check> =>
  look('disk', `${DISK_GIB} GiB free`, async () => {
    const { bavail, bsize } = await statfs(existing(data));
    const free = (bavail * bsize) / GIB;
    return {
      ok: free >= DISK_GIB,
      value: `${free.toFixed(1)} GiB free at ${data}`,
      fix: 'free some, or choose another --data folder',
    };
  });

/** A clock far behind is found without asking anybody: it cannot be earlier than this very file was written. */
const clock = (): Promise<Check> =>
  look('clock', 'not before this build', () => {
    const written = statSync(fileURLToPath(import.meta.url)).mtimeMs;
    return {
      ok: Date.now() >= written - 1000,
      value: new Date().toISOString(),
      fix: 'set the clock, for example with timedatectl set-ntp true',
    };
  });

const threadPool = (dataProcess: number | null): Promise<Check> =>
  look('UV_THREADPOOL_SIZE', '16 in the data process', () => {
    const running = dataProcess === null ? null : environmentValue(dataProcess, 'UV_THREADPOOL_SIZE');
    if (running === null) return { ok: true, value: '16, set by npm start', fix: '' };
    return {
      ok: Number(running) >= 16,
      value: `${running} in process ${dataProcess}`,
      fix: 'start the data process through npm start',
    };
  });

/** Null where the system does not tell. */
function environmentValue(pid: number, name: string): string | null {
  try {
    const pair = readFileSync(`/proc/${pid}/environ`, 'utf8')
      .split('\0')
      .find((text) => text.startsWith(`${name}=`));
    return pair === undefined ? 'not set' : pair.slice(name.length + 1);
  } catch {
    return null;
  }
}

function rootFolder(): string {
  let folder = dirname(fileURLToPath(import.meta.url));
  while (!existsSync(join(folder, 'package-lock.json')) && dirname(folder) !== folder) folder = dirname(folder);
  return folder;
}

function existing(folder: string): string {
  return existsSync(folder) || dirname(folder) === folder ? folder : existing(dirname(folder));
}
