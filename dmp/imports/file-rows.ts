import { JobRefused } from '../jobs/jobs.ts';
import { compileColumns, HeaderFault, type MappedRow, type Reading, type Records, recordsOf } from './columns.ts';
import { compileDocuments } from './documents.ts';
import type { FileText } from './file-text.ts';
import { CsvFault, type CsvSplitter, createCsvSplitter } from './split-csv.ts';
import { type DocumentText, splitJson, splitLines } from './split-json.ts';

/** A row of a file as it was cut out of it: cells of a table, or the text of a document. */
export interface RawRow {
  /** Of the file, from 1; of a record over many lines the last. */
  readonly line: number;
  readonly cells: readonly string[] | null;
  readonly text: string;
  readonly fault: string | null;
}

export interface OpenedFile {
  /** The rows in order, some at once. Throws JobRefused where the file as a whole cannot be read. */
  readonly pieces: AsyncGenerator<readonly RawRow[]>;
  /** What a row says. */
  readonly map: (row: RawRow) => MappedRow;
  /** A table's columns, once its first row was read. */
  readonly columns: () => { readonly header: readonly string[]; readonly records: Records<readonly string[]> } | null;
}

export function openRows(file: FileText, reading: Reading): OpenedFile {
  const { format } = reading.input;
  return format === 'csv' || format === 'parquet' ? tableRows(file, reading) : documentRows(file, reading);
}

function tableRows(file: FileText, reading: Reading): OpenedFile {
  let header: readonly string[] | null = null;
  let read: ((record: readonly string[]) => MappedRow) | null = null;
  let records: Records<readonly string[]> | null = null;
  const mapping = reading.input.mapping ?? { columns: {} };
  const begin = (names: readonly string[]): void => {
    header = names;
    read = compileColumns(reading, names);
    records = recordsOf(mapping, names);
  };
  async function* pieces(): AsyncGenerator<readonly RawRow[]> {
    let found: RawRow[] = [];
    let splitter: CsvSplitter | null = null;
    if (mapping.header !== undefined) begin(mapping.header);
    for await (const text of file.pieces) {
      splitter ??= createCsvSplitter(reading.input.delimiter ?? delimiterOf(text), (cells, line, fault) => {
        if (header === null) begin(cells);
        else found.push({ line, cells, text: '', fault });
      });
      splitter.write(text);
      if (found.length > 0) yield found;
      found = [];
    }
    splitter?.end();
    if (header === null) begin([]);
    if (found.length > 0) yield found;
  }
  return {
    pieces: refusing(pieces()),
    map: ({ cells, fault }) =>
      fault === null
        ? (read as (record: readonly string[]) => MappedRow)(cells ?? [])
        : { value: {}, original: {}, faults: [{ pointer: '', code: 'bad_csv', message: fault }], does: 'take' },
    columns: () => (header === null || records === null ? null : { header, records }),
  };
}

const DELIMITERS = [',', ';', '\t', '|'];

/** The most frequent in the first line, what is quoted left out. */
function delimiterOf(text: string): string {
  const [first = ''] = text
    .slice(0, 65_536)
    .replace(/"[^"]*"/g, '')
    .split(/[\r\n]/, 1);
  const counts = DELIMITERS.map((delimiter) => first.split(delimiter).length);
  return DELIMITERS[counts.indexOf(Math.max(...counts))] as string;
}

function documentRows(file: FileText, reading: Reading): OpenedFile {
  const read = compileDocuments(reading);
  const split = reading.input.format === 'json' ? splitJson : splitLines;
  async function* pieces(): AsyncGenerator<readonly RawRow[]> {
    for await (const documents of split(file.pieces)) if (documents.length > 0) yield documents.map(rawOf);
  }
  return {
    pieces: refusing(pieces()),
    map: ({ text }) => {
      if (text.includes('\ufffd')) return unreadable('bad_encoding', 'the line is not UTF-8');
      let document: unknown;
      try {
        document = JSON.parse(text);
      } catch {
        return unreadable('not_json', 'is not readable as JSON');
      }
      return read(document);
    },
    columns: () => null,
  };
}

function rawOf({ line, text }: DocumentText): RawRow {
  return { line, cells: null, text, fault: null };
}

function unreadable(code: 'bad_encoding' | 'not_json', message: string): MappedRow {
  return { value: {}, original: undefined as never, faults: [{ pointer: '', code, message }], does: 'take' };
}

/** What names a row where it is refused. */
export function rowText(row: RawRow): string {
  return row.cells === null ? row.text : JSON.stringify(row.cells);
}

/** Faults of the file as a whole end its job, which is not tried again. */
async function* refusing<Piece>(pieces: AsyncGenerator<Piece>): AsyncGenerator<Piece> {
  try {
    yield* pieces;
  } catch (error) {
    throw refusalOf(error);
  }
}

export function refusalOf(error: unknown): unknown {
  if (error instanceof HeaderFault) return new JobRefused(error.code, error.message);
  if (error instanceof CsvFault) return new JobRefused('bad_csv', error.message);
  const { code } = error as NodeJS.ErrnoException;
  if (typeof code === 'string' && code.startsWith('Z_'))
    return new JobRefused('bad_encoding', 'the file is not the gzip that it claims to be');
  return error;
}
