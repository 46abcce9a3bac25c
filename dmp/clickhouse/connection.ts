import type { ClickHouseSettings } from '@clickhouse/client';

export interface Statement {
  readonly sql: string;
  /** Bound parameters, `{name:Type}` in the SQL. Values are never concatenated into it. */
  readonly params?: Readonly<Record<string, unknown>>;
}

/** Statements as one way to ClickHouse carries them: the embedded engine's or a server's. */
export interface Connection {
  query<Row>(statement: Statement, settings: ClickHouseSettings): Promise<Row[]>;
  /** The statement names its format. */
  scan(statement: Statement, settings: ClickHouseSettings): Promise<AsyncIterable<Buffer>>;
  command(statement: Statement, settings: ClickHouseSettings): Promise<void>;
  insert(table: string, rows: readonly object[], settings: ClickHouseSettings): Promise<void>;
  insertText(into: TextInsert, settings: ClickHouseSettings): Promise<void>;
  parquetToCsv(from: string | URL, into: string, settings: ClickHouseSettings): Promise<void>;
  /** See `Warehouse`. */
  takeOver?(): Promise<void>;
  close(): Promise<void>;
}

/** Rows as tab-separated text. */
export interface TextInsert {
  readonly table: string;
  readonly columns: readonly string[];
  readonly text: Buffer;
}

/** ClickHouse cannot be reached, or ended while it was asked: nothing is wrong with the statement. It may have had its effect. */
export class WarehouseAway extends Error {
  override readonly name = 'WarehouseAway';
}
