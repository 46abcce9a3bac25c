import type { ClickHouseSettings } from '@clickhouse/client';
import type { Connection, Statement } from './connection.ts';
import { embeddedConnections } from './embedded.ts';
import { serverConnection } from './server.ts';

export type { Statement } from './connection.ts';

/** How to reach ClickHouse: a server by URL, or the embedded engine in a folder. */
export type WarehouseOptions =
  | {
      readonly kind: 'server';
      readonly url: string;
      readonly database: string;
      /** Whose statements these are, of all processes of that name. */
      readonly owner?: string;
    }
  | { readonly kind: 'embedded'; readonly path: string; readonly database: string };

/** Limits of one statement; each has a default, since no query may be unbounded. */
export interface Limits {
  readonly seconds?: number;
  readonly memoryBytes?: number;
}

/**
 * The one door to ClickHouse, the same for the embedded engine and a server. Tables are named without a database: statements
 * run in Walkin's own. 64-bit integers come back as strings, DateTime64 as 'YYYY-MM-DD hh:mm:ss.sss' in UTC.
 */
export interface Warehouse {
  query<Row>(statement: Statement, limits?: Limits): Promise<Row[]>;
  /**
   * The rows as RowBinary, in pieces that may end within a row: 20 times as fast as objects. A server's come as they are made, the
   * embedded engine's when all are there: ask for millions in parts.
   */
  scan(statement: Statement, limits?: Limits): AsyncIterable<Buffer>;
  command(statement: Statement, limits?: Limits): Promise<void>;
  /**
   * Inserts rows as JSONEachRow and returns when they are durable. Repeating the call with the same token and rows changes
   * nothing. Times may be RFC 3339 texts.
   */
  insert(table: string, rows: readonly object[], token?: string): Promise<void>;
  /**
   * As `insert`, of rows that are tab-separated text already: four times as fast as JSON, on the embedded engine 200,000 receipt
   * lines a second. Times are 'YYYY-MM-DD hh:mm:ss.sss' or epoch seconds with a fraction.
   */
  insertText(table: string, columns: readonly string[], text: Buffer, token: string): Promise<void>;
  /**
   * Reads a Parquet file of this machine by ClickHouse's own reader into a CSV file with a header: times as RFC 3339 in UTC, nothing
   * as an empty cell. The embedded engine reads it where it is; to a server it is sent, into a table that goes with its session.
   * An object of S3 is a URL, that of a door of the guard of imports: either reads it by itself.
   */
  parquetToCsv(from: string | URL, into: string): Promise<void>;
  /**
   * Ends what processes of the same owner left writing. An embedded engine ends with its process; a server writes on after the
   * process that asked is dead, into tables that the next one is about to empty.
   */
  takeOver?(): Promise<void>;
  close(): Promise<void>;
}

const FIXED: ClickHouseSettings = {
  output_format_json_quote_64bit_integers: 1,
  date_time_input_format: 'best_effort',
  async_insert: 0,
  insert_deduplicate: 1,
  // Settings stick to an embedded connection: the token of an insert would make an INSERT … SELECT after it a repetition of it.
  insert_deduplication_token: '',
  deduplicate_blocks_in_dependent_materialized_views: 1,
  do_not_merge_across_partitions_select_final: 1,
  session_timezone: 'UTC',
  // Facts are partitioned by month, and a file of history may hold all months since 2000.
  max_partitions_per_insert_block: '1000',
  // Hundreds of rules are asked in one statement, and the embedded engine counts lists of parameters in.
  max_query_size: '268435456',
  max_ast_elements: '2000000',
  max_expanded_ast_elements: '5000000',
};

export async function openWarehouse(options: WarehouseOptions): Promise<Warehouse> {
  const connections = options.kind === 'server' ? [serverConnection(options)] : await embeddedConnections(options.path);
  const [first] = connections;
  if (first === undefined) throw new Error('no ClickHouse connection');
  await first.command({ sql: `CREATE DATABASE IF NOT EXISTS ${identifierOf(options.database)}` }, {});
  return warehouseOf(connections, options.database, options.kind === 'embedded');
}

function identifierOf(name: string): string {
  if (!/^[a-z_][a-z0-9_]{0,63}$/.test(name)) throw new Error(`not a name of a database or table: ${name}`);
  return name;
}

function warehouseOf(connections: readonly Connection[], database: string, embedded: boolean): Warehouse {
  // One connection of the embedded engine runs one statement at a time, so a statement goes where the fewest wait.
  const tails: Promise<unknown>[] = connections.map(() => Promise.resolve());
  const waiting = connections.map(() => 0);
  const run = async <T>(work: (connection: Connection) => Promise<T>): Promise<T> => {
    await Promise.all(prepared);
    const slot = waiting.indexOf(Math.min(...waiting));
    const connection = connections[slot] as Connection;
    if (!embedded) return work(connection);
    (waiting[slot] as number)++;
    const result = (tails[slot] as Promise<unknown>)
      .then(() => work(connection))
      .finally(() => {
        (waiting[slot] as number)--;
      });
    tails[slot] = result.catch(() => undefined);
    return result;
  };
  const prepared = connections.map(async (connection) => {
    if (embedded) await connection.command({ sql: `USE ${identifierOf(database)}` }, FIXED);
  });
  const settingsOf = (limits: Limits | undefined): ClickHouseSettings => ({
    ...FIXED,
    max_execution_time: limits?.seconds ?? 60,
    max_memory_usage: String(limits?.memoryBytes ?? 4 * 1024 ** 3),
    ...(embedded ? {} : { database }),
  });
  const nameOf = (table: string): string => `${database}.${identifierOf(table)}`;
  return {
    query: <Row>(statement: Statement, limits?: Limits) =>
      run((connection) => connection.query<Row>(statement, settingsOf(limits))),
    scan: async function* ({ sql, ...params }, limits) {
      const asked = { sql: `${sql} FORMAT RowBinary`, ...params };
      yield* await run((connection) => connection.scan(asked, settingsOf(limits)));
    },
    command: (statement, limits) => run((connection) => connection.command(statement, settingsOf(limits))),
    insert: async (table, rows, token = '') => {
      if (rows.length === 0) return;
      const settings = { ...settingsOf(undefined), insert_deduplication_token: token };
      await run((connection) => connection.insert(nameOf(table), rows, settings));
    },
    insertText: async (table, columns, text, token) => {
      if (text.length === 0) return;
      const into = { table: nameOf(table), columns: columns.map(identifierOf), text };
      const settings = {
        ...settingsOf(undefined),
        date_time_input_format: 'basic' as const,
        insert_deduplication_token: token,
      };
      await run((connection) => connection.insertText(into, settings));
    },
    parquetToCsv: (from, into) => run((connection) => connection.parquetToCsv(from, into, settingsOf({ seconds: 3_600 }))),
    takeOver: async () => {
      for (const connection of connections) await connection.takeOver?.();
    },
    close: async () => {
      await Promise.all(tails);
      await Promise.all(connections.map((connection) => connection.close()));
    },
  };
}
