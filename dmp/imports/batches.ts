import { bridge, nameBridge } from '../events/bridge.ts';
import { createEdgeMemory, type EdgeMemory } from '../events/edge-memory.ts';
import { createKeyring, type Keyring } from '../events/keyring.ts';
import type { ConsentRow, TableName, Tables } from '../events/rows.ts';
import { emptyTables, TABLE_NAMES } from '../events/tables.ts';
import { columnsOf, secondsOf, stamped, textOf } from '../events/text-rows.ts';
import { createWordMemory, type WordMemory } from '../events/word-memory.ts';
import type { Peppers } from '../identity/tenant.ts';
import type { Fault } from '../problem.ts';
import { quarantineRow } from '../quarantine/row.ts';
import { namespaceOf, type Source } from '../sources/source.ts';
import type { Reading } from './columns.ts';
import { openRows, type RawRow, rowText } from './file-rows.ts';
import { openText } from './file-text.ts';
import { createGrowingText } from './growing-text.ts';
import { compileLines, type TakenLine } from './take-line.ts';
import { takeRow } from './take-row.ts';
import { countError, type ErrorCount, resultLine } from './tally.ts';

/** What a file is read under. Can be sent to another thread. */
export interface FileToRead extends Reading {
  /** Of the source's holder; absent: `pepper` is everybody's. */
  readonly peppers?: Peppers | undefined;
  readonly path: string;
  /** Id of the import. */
  readonly import: string;
  readonly source: string;
  readonly currency: string;
  /** Of the source; undefined: it has none. */
  readonly contract?: Source | undefined;
  /** Keys of people of whom nothing may be stored. */
  readonly refused?: ReadonlySet<string> | undefined;
  /** Keys of people whose place may not be used. */
  readonly placeless?: ReadonlySet<string> | undefined;
  /** Our id in the Global Vendor List. */
  readonly vendor?: number | undefined;
  /** Rows from the beginning that were taken before. */
  readonly skip: number;
  /** Rows of a batch. */
  readonly size: number;
}

/** Rows of a file as they are written: nothing of them is left to be looked at. */
export interface Batch {
  /** Rows of the file up to its end. */
  readonly through: number;
  /** Bytes of the file that were read for it. */
  readonly bytes: number;
  readonly accepted: number;
  readonly quarantined: number;
  readonly skipped: number;
  readonly tables: readonly BatchTable[];
  /** One line of the result file a row. */
  readonly results: Uint8Array;
  readonly errors: readonly ErrorCount[];
  /** Stores are not rows but things: they are put by who has them. */
  readonly stores: readonly StoreToPut[];
  /** Words of people by consent strings, that this reading had not met: they act once they are durable. */
  readonly said: readonly ConsentRow[];
}

export interface BatchTable {
  readonly table: TableName;
  readonly columns: readonly string[];
  readonly text: Uint8Array;
  /** Rows of the text, and how many more of them only take others away. */
  readonly rows: number;
  readonly removed: number;
}

export interface StoreToPut {
  readonly line: number;
  readonly text: string;
  readonly value: unknown;
  readonly original: unknown;
  readonly faults: readonly Fault[];
}

/** Receipt lines of nobody new: how many identifiers are remembered as edges of their own. */
const REMEMBERED = 2_000_000;

/** Reads a file from the disk and takes its rows, in batches. Has no clock but for when rows came in. */
export async function* readBatches(file: FileToRead): AsyncGenerator<Batch> {
  const text = await openText(file.path, file.input.format === 'parquet' ? undefined : file.input.encoding);
  const rows = openRows(text, file);
  const keyring = createKeyring(file.peppers ?? file.pepper, namespaceOf(file.contract), file.contract);
  const terms = {
    source: file.source,
    currency: file.currency,
    contract: file.contract,
    refused: file.refused,
    placeless: file.placeless,
    vendor: file.vendor,
    keyring,
    now: file.now,
    anonymous: file.input.mapping?.anonymous === true,
  };
  const edges = createEdgeMemory();
  const words = createWordMemory();
  const seen = new Map<string, number>();
  const clock = performance.now();
  const now = (): number => Math.round(file.now + performance.now() - clock);
  let takeLine: ((cells: readonly string[]) => TakenLine | null) | null | undefined;
  let through = 0;
  let batch = startBatch(file, keyring, now());

  for await (const piece of rows.pieces) {
    if (takeLine === undefined) {
      const columns = rows.columns();
      takeLine = columns === null ? null : compileLines(file, columns.records, terms);
    }
    for (const row of piece) {
      through++;
      if (through <= file.skip) continue;
      const line =
        takeLine === null || row.cells === null || row.fault !== null || row.cells.length !== rows.columns()?.header.length
          ? null
          : takeLine(row.cells);
      if (line !== null) {
        batch.addLine(line, row.line);
        const known = seen.get(line.identifier);
        if (known === undefined || line.at < known) {
          if (seen.size >= REMEMBERED) seen.clear();
          seen.set(line.identifier, line.at);
          batch.tables.edges.push({
            a: line.identifier,
            kind_a: line.kind,
            b: line.identifier,
            kind_b: line.kind,
            source: file.source,
            first_seen: new Date(line.at).toISOString(),
            confidence: 1,
          });
          const older = keyring.olderOf(line.identifier);
          const name = keyring.lastingOf(line.identifier);
          for (const one of older)
            batch.tables.edges.push(bridge(line.identifier, one, line.kind, new Date(line.at).toISOString()));
          if (name !== line.identifier && !older.includes(name))
            batch.tables.edges.push(nameBridge(line.identifier, name, line.kind, new Date(line.at).toISOString()));
          for (const value of keyring.takeSealed(line.identifier)) batch.tables.sealed.push({ ...value, source: file.source });
          for (const hash of keyring.hashesOf(line.identifier)) {
            const ends = { a: line.identifier, kind_a: line.kind, b: hash.key, kind_b: hash.kind };
            batch.tables.edges.push({ ...ends, source: file.source, first_seen: new Date(line.at).toISOString(), confidence: 1 });
          }
        }
      } else {
        takeMapped(row);
      }
      if (batch.rows() < file.size) continue;
      yield batch.finish(through, text.bytesRead(), edges, words);
      batch = startBatch(file, keyring, now());
    }
  }
  yield batch.finish(through, text.bytesRead(), edges, words);

  function takeMapped(row: RawRow): void {
    const mapped = rows.map(row);
    if (mapped.does === 'skip') {
      batch.skip(row.line);
      return;
    }
    if (file.input.type === 'store') {
      batch.addStore({
        line: row.line,
        text: rowText(row),
        value: mapped.value,
        original: mapped.original,
        faults: mapped.faults,
      });
      return;
    }
    const faults = takeRow(mapped, file.input, terms, batch.tables);
    if (faults === null) batch.accept(row.line);
    else batch.refuse(row.line, rowText(row), mapped.original, faults);
  }
}

interface GrowingBatch {
  readonly tables: Tables;
  rows(): number;
  addLine(line: TakenLine, number: number): void;
  addStore(store: StoreToPut): void;
  accept(line: number): void;
  skip(line: number): void;
  refuse(line: number, text: string, original: unknown, faults: readonly Fault[]): void;
  finish(through: number, bytes: number, edges: EdgeMemory, words: WordMemory): Batch;
}

function startBatch(file: FileToRead, keyring: Keyring, now: number): GrowingBatch {
  const tables = emptyTables();
  const stores: StoreToPut[] = [];
  const errors = new Map<string, ErrorCount>();
  const ingested = secondsOf(now);
  const lines = createGrowingText();
  const results = createGrowingText();
  let shortRows = 0;
  const counts = { accepted: 0, quarantined: 0, skipped: 0 };
  return {
    tables,
    rows: () => counts.accepted + counts.quarantined + counts.skipped + stores.length,
    addLine: (line, number) => {
      lines.add(`${line.text}\t${ingested}\n`);
      results.add(`{"line":${number},"status":"accepted"}\n`);
      counts.accepted++;
      shortRows++;
    },
    addStore: (store) => void stores.push(store),
    accept: (line) => {
      results.add(`{"line":${line},"status":"accepted"}\n`);
      counts.accepted++;
    },
    skip: (line) => {
      results.add(`{"line":${line},"status":"skipped"}\n`);
      counts.skipped++;
    },
    refuse: (line, text, original, faults) => {
      const [first] = faults;
      results.add(resultLine(line, first));
      counts.quarantined++;
      if (first !== undefined) countError(errors, line, first);
      const refused = { source: file.source, import: file.import, type: file.input.type, line, text, value: original, faults };
      tables.quarantine.push(quarantineRow(refused, keyring, file.pepper, now));
    },
    finish: (through, bytes, memory, words) => {
      const unknown = memory.unknown(tables.edges, now);
      // Whatever fails later ends this reading too, and the next one remembers nothing.
      memory.remember(unknown, now);
      const said = words.unknown(tables.consents);
      words.remember(said);
      const texts = TABLE_NAMES.flatMap((table) => {
        const rows: readonly object[] = table === 'edges' ? unknown : table === 'consents' ? said : tables[table];
        const long = Buffer.from(stamped(table, textOf(table, rows), now));
        const short = table === 'purchases' ? lines.take() : long.subarray(0, 0);
        const text = short.length === 0 ? long : long.length === 0 ? short : Buffer.concat([short, long]);
        if (text.length === 0) return [];
        const removed = rows.filter((row) => (row as { deleted?: number }).deleted === 1).length;
        const count = rows.length - removed + (table === 'purchases' ? shortRows : 0);
        return [{ table, columns: columnsOf(table), text, rows: count, removed }];
      });
      return { through, bytes, ...counts, tables: texts, results: results.take(), errors: [...errors.values()], stores, said };
    },
  };
}
