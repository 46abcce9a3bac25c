import { createHash, randomBytes } from 'node:crypto';
import { createReadStream } from 'node:fs';
import { open, rename, rm } from 'node:fs/promises';
import { join } from 'node:path';
import { Readable } from 'node:stream';
import type { Warehouse } from '../clickhouse/warehouse.ts';
import { type JobContext, JobRefused } from '../jobs/jobs.ts';
import type { Door } from './door.ts';
import { type FetchOptions, refusalOf } from './fetch.ts';
import type { Guard } from './guard.ts';
import type { Address, ImportFormat } from './import.ts';
import type { ImportFile } from './records.ts';
import { storeUpload } from './upload.ts';

/** What is read at once, in memory: 320 of them are 5 GB, and one takes longer on the way than its statement does. */
const PIECE_BYTES = 16 * 1024 ** 2;
const MOST_BYTES = 16 * 1024 ** 3;
const WATCH_MS = 500;
/** Of a statement that asks a store for little. */
const PATIENCE = { seconds: 120 };

interface ObjectOptions extends FetchOptions {
  readonly format: ImportFormat;
  readonly pieceBytes?: number;
}

/**
 * Brings an object of S3 here by ClickHouse's own reader: a table of Parquet as the CSV that imports read, anything else byte by byte,
 * since what is wrong in a file of text is told by its lines. JobRefused where trying again is of no use.
 */
export async function fetchObject(
  address: Address,
  { warehouse, guard, context }: { readonly warehouse: Warehouse; readonly guard: Guard; readonly context: JobContext },
  options: ObjectOptions,
): Promise<ImportFile> {
  const door = await guard.admit(address, options.allowInside, options.now);
  try {
    const bytes = await bytesOf(warehouse, door);
    if (bytes === 0) throw new JobRefused('empty_body', 'the object is empty');
    if (bytes > (options.maxBytes ?? MOST_BYTES)) throw new JobRefused('body_too_large', `the object has ${bytes} bytes`);
    return options.format === 'parquet'
      ? await fetchTable(warehouse, door, bytes, context, options)
      : await fetchBytes(warehouse, door, bytes, context, options);
  } catch (error) {
    // The reader says only that it failed.
    throw door.fault() ?? refusalOf(error);
  } finally {
    door.close();
  }
}

async function bytesOf(warehouse: Warehouse, door: Door): Promise<number> {
  const sql = "SELECT toString(_size) AS bytes FROM s3({url:String}, NOSIGN, 'One')";
  const [row] = await warehouse
    .query<{ bytes: string }>({ sql, params: { url: door.object } }, PATIENCE)
    .catch((error: unknown) => {
      if (door.wasUsed()) throw error;
      throw new Error(
        `unreachable: ClickHouse does not reach ${new URL(door.object).host}: set WALKIN_GUARD_URL (${String(error)})`,
      );
    });
  // Of an object without a byte the reader gives no row.
  return Number(row?.bytes ?? 0);
}

async function fetchBytes(
  warehouse: Warehouse,
  door: Door,
  bytes: number,
  context: JobContext,
  options: ObjectOptions,
): Promise<ImportFile> {
  const size = options.pieceBytes ?? PIECE_BYTES;
  async function* pieces(): AsyncGenerator<Buffer> {
    let next = readPiece(warehouse, door, 0, Math.min(size, bytes));
    for (let from = 0; from < bytes; from += size) {
      const piece = await next;
      const [after, end] = [from + size, Math.min(from + 2 * size, bytes)];
      if (after < bytes) {
        next = readPiece(warehouse, door, after, end);
        // Met where it is awaited.
        next.catch(() => undefined);
      }
      yield piece;
      await context.checkpoint();
      await context.progress({ done: Math.min(after, bytes), total: bytes, unit: 'bytes', stage: STAGE });
    }
  }
  const file = await storeUpload(options.folder, options.id, Readable.from(pieces(), { objectMode: false }));
  if (file.bytes !== bytes) throw new Error(`unreachable: ${file.bytes} of ${bytes} bytes came`);
  return file;
}

const STAGE = 'fetching the file';

/** The bytes from one up to and without another. */
async function readPiece(warehouse: Warehouse, door: Door, from: number, end: number): Promise<Buffer> {
  const sql = "SELECT raw_blob FROM s3({url:String}, NOSIGN, 'RawBLOB', 'raw_blob String', 'none')";
  const chunks: Buffer[] = [];
  for await (const chunk of warehouse.scan({ sql, params: { url: door.piece(from, end - 1) } }, PATIENCE)) chunks.push(chunk);
  const piece = textOf(Buffer.concat(chunks));
  if (piece.length !== end - from) throw new Error(`unreachable: ${piece.length} of ${end - from} bytes came`);
  return piece;
}

/** The one text of a RowBinary answer: its length in groups of seven bits, and its bytes. */
function textOf(row: Buffer): Buffer {
  let at = 0;
  while (at < row.length && (row[at] as number) >= 0x80) at++;
  return row.subarray(at + 1);
}

/** A statement has no steps between: its progress is what went through the door, and a cancelled one finds it shut. */
async function fetchTable(
  warehouse: Warehouse,
  door: Door,
  bytes: number,
  context: JobContext,
  { folder, id }: ObjectOptions,
): Promise<ImportFile> {
  const part = join(folder, `${id}.${randomBytes(6).toString('hex')}.part`);
  const watch = setInterval(() => {
    const done = Math.min(door.served(), bytes);
    context
      .checkpoint()
      .then(() => context.progress({ done, total: bytes, unit: 'bytes', stage: STAGE }))
      .catch((error: unknown) => door.refuse(error));
  }, WATCH_MS);
  try {
    await warehouse.parquetToCsv(new URL(door.object), part).catch((error: unknown) => {
      throw door.fault() ?? new JobRefused('bad_encoding', `the Parquet file cannot be read: ${String(error).slice(0, 200)}`);
    });
    if (door.fault() !== null) throw door.fault();
    const file = await digestOf(part, id);
    await rename(part, join(folder, file.name));
    return file;
  } catch (error) {
    await rm(part, { force: true });
    throw error;
  } finally {
    clearInterval(watch);
  }
}

async function digestOf(path: string, id: string): Promise<ImportFile> {
  const handle = await open(path, 'r+');
  await handle.sync();
  await handle.close();
  const hash = createHash('sha256');
  let bytes = 0;
  for await (const chunk of createReadStream(path, { highWaterMark: 1024 ** 2 })) {
    hash.update(chunk as Buffer);
    bytes += (chunk as Buffer).length;
  }
  const sha256 = hash.digest('hex');
  return { name: `${id}.${sha256.slice(0, 16)}`, bytes, sha256, isTable: true };
}
