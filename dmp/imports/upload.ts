import { createHash, randomBytes } from 'node:crypto';
import { type FileHandle, link, mkdir, open, rename, rm, stat } from 'node:fs/promises';
import { join } from 'node:path';
import type { Readable } from 'node:stream';
import { Problem } from '../problem.ts';
import type { ImportFile } from './records.ts';

/** Bytes of a file as it is sent. */
const MAX_BYTES = 16 * 1024 ** 3;
/** Bytes on the way to the disk before the sender is made to wait. */
const BUFFERED = 1024 * 1024;

/**
 * Writes a body to the folder for uploads and returns when it is durable. The file's name holds its digest: what a job has
 * opened is never written to.
 */
export async function storeUpload(folder: string, id: string, body: Readable, maxBytes = MAX_BYTES): Promise<ImportFile> {
  await mkdir(folder, { recursive: true });
  const part = join(folder, `${id}.${randomBytes(6).toString('hex')}.part`);
  const handle = await open(part, 'wx', 0o600);
  try {
    const file = await write(handle, body, id, maxBytes);
    await handle.sync();
    await handle.close();
    await place(part, join(folder, file.name), file.bytes);
    return file;
  } catch (error) {
    await handle.close().catch(() => undefined);
    await rm(part, { force: true });
    throw problemOf(error);
  }
}

/**
 * The same file sent again leaves the first where it is: a job may have begun to read it, to which a newer one of its name would be
 * a file that was changed.
 */
async function place(part: string, path: string, bytes: number): Promise<void> {
  try {
    await link(part, path);
  } catch (error) {
    const there = (error as NodeJS.ErrnoException).code === 'EEXIST' ? await stat(path).catch(() => null) : null;
    if (there?.size !== bytes) return rename(part, path);
  }
  await rm(part, { force: true });
}

async function write(handle: FileHandle, body: Readable, id: string, maxBytes: number): Promise<ImportFile> {
  const hash = createHash('sha256');
  let bytes = 0;
  for await (const chunk of chunksOf(body)) {
    bytes += chunk.length;
    if (bytes > maxBytes)
      throw new Problem(413, 'body_too_large', `A file may have ${maxBytes} bytes`, { headers: { connection: 'close' } });
    hash.update(chunk);
    await handle.writev([chunk]);
  }
  if (bytes === 0) throw new Problem(400, 'empty_body', 'The file is empty');
  const sha256 = hash.digest('hex');
  return { name: `${id}.${sha256.slice(0, 16)}`, bytes, sha256 };
}

/** Chunks of about a megabyte. Leaves the stream undestroyed at an early end, since its connection is to carry the answer. */
async function* chunksOf(body: Readable): AsyncGenerator<Buffer> {
  let chunks: Buffer[] = [];
  let size = 0;
  for await (const chunk of body.iterator({ destroyOnReturn: false })) {
    chunks.push(chunk);
    size += chunk.length;
    if (size < BUFFERED) continue;
    yield Buffer.concat(chunks);
    chunks = [];
    size = 0;
  }
  if (size > 0) yield Buffer.concat(chunks);
}

function problemOf(error: unknown): unknown {
  switch ((error as NodeJS.ErrnoException).code) {
    case 'ENOSPC':
    case 'EDQUOT':
      return new Problem(503, 'unavailable', 'There is no room for the file', { headers: { 'retry-after': '600' } });
    case 'ECONNRESET':
    case 'ERR_STREAM_PREMATURE_CLOSE':
      return new Problem(400, 'malformed', 'The body ended before its end');
    default:
      return error;
  }
}
