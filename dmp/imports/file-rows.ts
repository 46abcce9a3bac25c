import { createReadStream } from 'node:fs';
import { open } from 'node:fs/promises';
import { pipeline, type Readable } from 'node:stream';
import { createGunzip } from 'node:zlib';
import { type CsvError, parse } from 'csv-parse';
import { linesOf } from '../events/body.ts';
import { parseLine } from '../events/intake.ts';
import { JobRefused } from '../jobs/jobs.ts';
import type { Fault } from '../problem.ts';
import { compileColumns, HeaderFault, type MappedRow } from './columns.ts';
import type { Import } from './import.ts';

/** A row of a file, readable or not. */
export interface FileRow {
  /** Of the file, from 1; of a record over many lines the last. */
  readonly line: number;
  /** What names the row where it is refused. */
  readonly text: () => string;
  readonly value: unknown;
  readonly original: unknown;
  readonly faults: readonly Fault[];
}

export interface OpenedFile {
  /** Bytes read so far, as the file has them. */
  readonly bytesRead: () => number;
  /** The rows in order, `size` at once. Throws JobRefused where the file as a whole cannot be read. */
  readonly batches: (size: number) => AsyncGenerator<FileRow[]>;
}

const MAX_RECORD = 1024 * 1024;

export async function openFile(path: string, input: Import, zone: string): Promise<OpenedFile> {
  const file = createReadStream(path, { highWaterMark: 256 * 1024 });
  const content = (await isGzip(path)) ? chain(file, createGunzip()) : file;
  const rows = input.format === 'csv' ? csvRows(content, input, zone) : ndjsonRows(content);
  return { bytesRead: () => file.bytesRead, batches: (size) => batchesOf(rows, size) };
}

async function isGzip(path: string): Promise<boolean> {
  const handle = await open(path);
  try {
    const { buffer, bytesRead } = await handle.read(Buffer.alloc(2), 0, 2, 0);
    return bytesRead === 2 && buffer[0] === 0x1f && buffer[1] === 0x8b;
  } finally {
    await handle.close();
  }
}

/** Faults of the first are met by who reads the last. */
function chain<Last extends NodeJS.ReadWriteStream & Readable>(from: Readable, to: Last): Last {
  pipeline(from, to, () => undefined);
  return to;
}

async function* batchesOf(rows: AsyncIterable<FileRow>, size: number): AsyncGenerator<FileRow[]> {
  let batch: FileRow[] = [];
  try {
    for await (const row of rows) {
      batch.push(row);
      if (batch.length < size) continue;
      yield batch;
      batch = [];
    }
  } catch (error) {
    throw refusalOf(error);
  }
  if (batch.length > 0) yield batch;
}

function refusalOf(error: unknown): unknown {
  if (error instanceof HeaderFault) return new JobRefused(error.code, error.message);
  const { code, message, lines } = error as CsvError & { lines?: number };
  if (typeof code !== 'string') return error;
  if (code === 'CSV_QUOTE_NOT_CLOSED' || code === 'CSV_MAX_RECORD_SIZE')
    return new JobRefused('bad_csv', `line ${lines}: a quote is never closed, or a record is over ${MAX_RECORD} bytes`);
  if (code.startsWith('CSV_')) return new JobRefused('bad_csv', message);
  if (code.startsWith('Z_')) return new JobRefused('bad_encoding', 'the file is not the gzip that it claims to be');
  return error;
}

async function* csvRows(content: Readable, input: Import, zone: string): AsyncGenerator<FileRow> {
  const parser = chain(
    content,
    parse({
      bom: true,
      info: true,
      relax_column_count: true,
      relax_quotes: true,
      skip_empty_lines: true,
      max_record_size: MAX_RECORD,
    }),
  );
  let read: ((record: readonly string[]) => MappedRow) | null = null;
  const mapping = input.mapping ?? { columns: {} };
  for await (const { record, info } of parser as AsyncIterable<{ record: string[]; info: { lines: number } }>) {
    if (read === null) {
      read = compileColumns(input.type, mapping, record, zone);
      continue;
    }
    yield { line: info.lines, text: () => JSON.stringify(record), ...read(record) };
  }
  if (read === null) compileColumns(input.type, mapping, [], zone);
}

async function* ndjsonRows(content: Readable): AsyncGenerator<FileRow> {
  let rest: Buffer = Buffer.alloc(0);
  let before = 0;
  for await (const chunk of content as AsyncIterable<Buffer>) {
    const data = rest.length === 0 ? chunk : Buffer.concat([rest, chunk]);
    const end = data.lastIndexOf(0x0a) + 1;
    rest = data.subarray(end);
    if (rest.length > MAX_RECORD) throw new JobRefused('line_too_large', `a line is over ${MAX_RECORD} bytes`);
    const whole = data.subarray(0, end);
    yield* rowsOf(whole, before);
    for (let at = whole.indexOf(0x0a); at !== -1; at = whole.indexOf(0x0a, at + 1)) before++;
  }
  yield* rowsOf(rest, before);
}

const BOM = Buffer.from('\ufeff');

function* rowsOf(whole: Buffer, before: number): Generator<FileRow> {
  const marked = before === 0 && whole.subarray(0, BOM.length).equals(BOM);
  for (const { line, text } of linesOf(marked ? whole.subarray(BOM.length) : whole)) {
    const row = parseLine(before + line, text);
    yield { line: row.line, text: () => row.text, value: row.value, original: row.value, faults: row.faults ?? [] };
  }
}
