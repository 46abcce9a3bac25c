import { createReadStream } from 'node:fs';
import type { Readable } from 'node:stream';
import { createGunzip } from 'node:zlib';
import { parse } from 'csv-parse';

export type Row = Readonly<Record<string, string>>;

/** Bytes of a file; a name that ends in .gz is unpacked on the way. */
export function openFile(file: string): Readable {
  const raw = createReadStream(file);
  return file.endsWith('.gz') ? raw.pipe(createGunzip()) : raw;
}

/** Names in the header line. */
export async function columnsOf(file: string): Promise<string[]> {
  const records = openFile(file).pipe(parse({ bom: true, to: 1, relax_column_count: true }));
  for await (const record of records) return record as string[];
  return [];
}

/** Rows that can be read, each with its text; what is wrong with the others is for the import to say. */
export async function* rowsOf(file: string): AsyncGenerator<{ row: Row; text: string }> {
  const options = { bom: true, columns: true, raw: true, relax_column_count: true, skip_records_with_error: true } as const;
  for await (const record of openFile(file).pipe(parse(options))) {
    const { record: row, raw } = record as { record: Row; raw: string };
    yield { row, text: raw.replace(/[\r\n]+$/, '') };
  }
}
