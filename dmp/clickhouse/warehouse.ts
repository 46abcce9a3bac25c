import { Readable } from 'node:stream';
import { type ClickHouseClient, type ClickHouseSettings, createClient } from '@clickhouse/client';
import { parquetByEngine, parquetByServer } from './parquet.ts';

/** How to reach ClickHouse: a server by URL, or the embedded engine in a folder. */
export type WarehouseOptions =
  | { readonly kind: 'server'; readonly url: string; readonly database: string }
  | { readonly kind: 'embedded'; readonly path: string; readonly database: string };

export interface Statement {
  readonly sql: string;
  /** Bound parameters, `{name:Type}` in the SQL. Values are never concatenated into it. */
  readonly params?: Readonly<Record<string, unknown>>;
}

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
   */
  parquetToCsv(path: string, into: string): Promise<void>;
  close(): Promise<void>;
}

const EMBEDDED_CONNECTIONS = 4;

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
  // Hundreds of rules are asked in one statement.
  max_query_size: '16777216',
  max_ast_elements: '2000000',
  max_expanded_ast_elements: '5000000',
};

/** A client, and how it takes text: the embedded engine has a door of its own for bytes, which copies nothing. */
interface Connection {
  readonly client: ClickHouseClient;
  readonly insertText: (into: TextInsert, settings: ClickHouseSettings) => Promise<unknown>;
  readonly parquetToCsv: (path: string, into: string, settings: ClickHouseSettings) => Promise<void>;
}

interface TextInsert {
  readonly table: string;
  readonly columns: readonly string[];
  readonly text: Buffer;
}

export async function openWarehouse(options: WarehouseOptions): Promise<Warehouse> {
  const connections = options.kind === 'server' ? [serverConnection(options.url)] : await embeddedConnections(options.path);
  const [first] = connections;
  if (first === undefined) throw new Error('no ClickHouse connection');
  await first.client.command({ query: `CREATE DATABASE IF NOT EXISTS ${identifierOf(options.database)}` });
  return warehouseOf(connections, options.database, options.kind === 'embedded');
}

function serverConnection(url: string): Connection {
  const client = createClient({
    url,
    request_timeout: 300_000,
    max_open_connections: 16,
    // Rules may hold long lists, and an address may not.
    use_multipart_params_auto: true,
  });
  return {
    client,
    insertText: ({ table, columns, text }, settings) =>
      client.insert({
        table,
        columns: [...columns] as [string, ...string[]],
        values: Readable.from([text], { objectMode: false }),
        format: 'TabSeparated',
        clickhouse_settings: settings,
      }),
    parquetToCsv: (path, into, settings) => parquetByServer(client, path, into, settings),
  };
}

async function embeddedConnections(path: string): Promise<Connection[]> {
  const { createChdbConnection } = await import('chdb/connection');
  try {
    // The connection's types come from its own copy of the client's; the shapes are the same.
    const open = (): Connection => {
      const connection = createChdbConnection({ path });
      const client = createClient({ connection: connection as never });
      return {
        client,
        parquetToCsv: (file, into, settings) => parquetByEngine(client, file, into, settings),
        insertText: ({ table, columns, text }, settings) =>
          connection.chdb.rawInsert({
            table,
            columns,
            values: text,
            format: 'TabSeparated',
            settings: settings as Record<string, string | number>,
          }),
      };
    };
    return Array.from({ length: EMBEDDED_CONNECTIONS }, open);
  } catch (error) {
    throw new Error(`ClickHouse cannot open ${path}: is another Walkin running on this data folder? (${String(error)})`);
  }
}

function identifierOf(name: string): string {
  if (!/^[a-z_][a-z0-9_]{0,63}$/.test(name)) throw new Error(`not a name of a database or table: ${name}`);
  return name;
}

function warehouseOf(connections: readonly Connection[], database: string, embedded: boolean): Warehouse {
  let turn = 0;
  // One connection of the embedded engine runs one statement at a time, so statements take turns on the pool.
  const tails: Promise<unknown>[] = connections.map(() => Promise.resolve());
  const runOn = <T>(work: (connection: Connection) => Promise<T>): Promise<T> => {
    const slot = turn++ % connections.length;
    const connection = connections[slot] as Connection;
    if (!embedded) return work(connection);
    const result = (tails[slot] as Promise<unknown>).then(() => work(connection));
    tails[slot] = result.catch(() => undefined);
    return result;
  };
  const run = <T>(work: (client: ClickHouseClient) => Promise<T>): Promise<T> => runOn(({ client }) => work(client));
  const prepared = connections.map(async ({ client }) => {
    if (embedded) await client.command({ query: `USE ${identifierOf(database)}` });
  });
  const settingsOf = (limits: Limits | undefined): ClickHouseSettings => ({
    ...FIXED,
    max_execution_time: limits?.seconds ?? 60,
    max_memory_usage: String(limits?.memoryBytes ?? 4 * 1024 ** 3),
    ...(embedded ? {} : { database }),
  });
  return {
    query: async <Row>(statement: Statement, limits?: Limits) => {
      await Promise.all(prepared);
      return run(async (client) => {
        const result = await client.query({
          query: statement.sql,
          format: 'JSONEachRow',
          clickhouse_settings: settingsOf(limits),
          ...(statement.params === undefined ? {} : { query_params: { ...statement.params } }),
        });
        return result.json<Row>();
      });
    },
    scan: async function* (statement, limits) {
      await Promise.all(prepared);
      const result = await run((client) =>
        client.exec({
          query: `${statement.sql} FORMAT RowBinary`,
          clickhouse_settings: settingsOf(limits),
          ...(statement.params === undefined ? {} : { query_params: { ...statement.params } }),
        }),
      );
      yield* result.stream as AsyncIterable<Buffer>;
    },
    command: async (statement, limits) => {
      await Promise.all(prepared);
      await run((client) =>
        client.command({
          query: statement.sql,
          clickhouse_settings: settingsOf(limits),
          ...(statement.params === undefined ? {} : { query_params: { ...statement.params } }),
        }),
      );
    },
    insert: async (table, rows, token) => {
      if (rows.length === 0) return;
      await Promise.all(prepared);
      await run((client) =>
        client.insert({
          table: `${database}.${identifierOf(table)}`,
          values: rows,
          format: 'JSONEachRow',
          clickhouse_settings: { ...settingsOf(undefined), insert_deduplication_token: token ?? '' },
        }),
      );
    },
    insertText: async (table, columns, text, token) => {
      if (text.length === 0) return;
      await Promise.all(prepared);
      const into = { table: `${database}.${identifierOf(table)}`, columns: columns.map(identifierOf), text };
      await runOn((connection) =>
        connection.insertText(into, {
          ...settingsOf(undefined),
          date_time_input_format: 'basic',
          insert_deduplication_token: token,
        }),
      );
    },
    parquetToCsv: async (path, into) => {
      await Promise.all(prepared);
      await runOn((connection) => connection.parquetToCsv(path, into, settingsOf({ seconds: 3_600 })));
    },
    close: async () => {
      await Promise.all(tails);
      await Promise.all(connections.map(({ client }) => client.close()));
    },
  };
}
