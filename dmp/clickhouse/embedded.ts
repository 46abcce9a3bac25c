import { type ClickHouseSettings, createClient } from '@clickhouse/client';
import type { Connection, Statement } from './connection.ts';
import { parquetByEngine } from './parquet.ts';

const CONNECTIONS = 4;

/** Connections of the engine in this process. Each runs one statement at a time and keeps the database that it is given. */
export async function embeddedConnections(path: string): Promise<Connection[]> {
  const { createChdbConnection } = await import('chdb/connection');
  const open = (): Connection => {
    const connection = createChdbConnection({ path });
    // The connection's types come from its own copy of the client's; the shapes are the same.
    const client = createClient({ connection: connection as never });
    const asked = ({ sql, params }: Statement, settings: ClickHouseSettings) => ({
      query: sql,
      clickhouse_settings: settings,
      ...(params === undefined ? {} : { query_params: { ...params } }),
    });
    return {
      query: async (statement, settings) => (await client.query({ ...asked(statement, settings), format: 'JSONEachRow' })).json(),
      scan: async (statement, settings) => (await client.exec(asked(statement, settings))).stream as AsyncIterable<Buffer>,
      command: async (statement, settings) => void (await client.command(asked(statement, settings))),
      insert: async (table, rows, settings) =>
        void (await client.insert({ table, values: rows, format: 'JSONEachRow', clickhouse_settings: settings })),
      // A door of its own for bytes, which copies nothing.
      insertText: async ({ table, columns, text }, settings) =>
        void (await connection.chdb.rawInsert({
          table,
          columns,
          values: text,
          format: 'TabSeparated',
          settings: settings as Record<string, string | number>,
        })),
      parquetToCsv: (file, into, settings) => parquetByEngine(client, file, into, settings),
      close: () => client.close(),
    };
  };
  try {
    return Array.from({ length: CONNECTIONS }, open);
  } catch (error) {
    throw new Error(`ClickHouse cannot open ${path}: is another Walkin running on this data folder? (${String(error)})`);
  }
}
