import { mkdtempSync, readdirSync, rmSync } from 'node:fs';
import { open, readdir, rename, rm, writeFile } from 'node:fs/promises';
import { hostname, tmpdir } from 'node:os';
import { basename, join } from 'node:path';
import type { Pieces } from '../core/layout.ts';
import { isRunning } from '../pid.ts';
import type { Room } from './room.ts';

/** Where a bidder's compiler leaves indexes for its workers: `<temporary folder>/walkin-index-<host>-<pid of the primary>-…`, for us alone. */

const PREFIX = `walkin-index-${hostname()}-`;
/**
 * Small, since the threads that read share the worker's core and come before nobody: four pieces of 4 MB were 10 ms of it in 15, in which requests waited. In
 * between there is a turn of the event loop.
 */
const READ_BYTES = 256 << 10;

/** Makes a folder of mode 0700, and removes those of primaries that were killed. */
export function makeIndexFolder(parent = tmpdir()): string {
  for (const name of readdirSync(parent)) {
    if (!name.startsWith(PREFIX)) continue;
    const pid = Number(name.slice(PREFIX.length).split('-', 1)[0]);
    if (!isRunning(pid)) rmSync(join(parent, name), { recursive: true, force: true });
  }
  return mkdtempSync(join(parent, `${PREFIX}${process.pid}-`));
}

export function removeIndexFolder(folder: string): void {
  rmSync(folder, { recursive: true, force: true });
}

/** Writes an index whole or not at all, and returns its path. What a killed compiler left half is overwritten. */
export async function writeIndex(folder: string, version: number, pieces: Pieces): Promise<string> {
  const path = join(folder, `index-${version}`);
  const file = await open(`${path}.part`, 'w', 0o600);
  try {
    await writeFile(file, pieces);
  } finally {
    await file.close();
  }
  await rename(`${path}.part`, path);
  return path;
}

/** Removes all indexes but this one: a worker that comes too late asks again. */
export async function keepOnly(path: string, folder: string): Promise<void> {
  for (const name of await readdir(folder))
    if (name !== basename(path) && !name.endsWith('.part')) await rm(join(folder, name), { force: true });
}

/** Reads an index piece by piece, on other threads: requests are served in between. Rejects where it is not there or not whole. */
export async function readIndex(path: string, room: Room): Promise<ArrayBufferLike> {
  const file = await open(path, 'r');
  try {
    const { size } = await file.stat();
    const bytes = room(size);
    for (let at = 0; at < size; ) {
      const { bytesRead } = await file.read(new Uint8Array(bytes, at, Math.min(READ_BYTES, size - at)), 0, null, null);
      if (bytesRead === 0) throw new Error(`${path} ends after ${at} of ${size} bytes`);
      at += bytesRead;
    }
    return bytes;
  } finally {
    await file.close();
  }
}
