import { type ClickHouseSettings, createClient } from '@clickhouse/client';
import type { Connection, Statement } from './connection.ts';
import { textOf } from './parameter.ts';
import { parquetByEngine } from './parquet.ts';

const CONNECTIONS = 4;

interface Asked {
  readonly query: string;
  readonly clickhouse_settings: ClickHouseSettings;
}

/** A session keeps its parameters, and copies all of them for each statement: longer ones go when their statement is done. */
const LONG = 1_024;

/**
 * Parameters as the session's, which the driver sets before the statement, one by one: those that it names, since a statement of one leaf among
 * hundreds would take longer for the values of the others (0.1 s for 1,500). By `query_params` it would run one statement with parameters
 * at a time in the whole process: the API would wait for each evaluation. The text is read as a literal first, then as a parameter.
 */
function asSettings({ sql, params = {} }: Statement): Record<string, string> {
  const named = new Set(Array.from(sql.matchAll(/\{\s*(\w+)\s*:/g), ([, name]) => name));
  return Object.fromEntries(
    Object.entries(params)
      .filter(([name]) => named.has(name))
      .map(([name, value]) => [`param_${name}`, textOf(value).replaceAll('\\', '\\\\')]),
  );
}

/**
 * What a session has set already. The driver sends each setting as a statement of its own before the statement that it is of, some
 * twenty of them, and what was set stays: so it is sent what is another.
 */
function createSession() {
  const known = new Map<string, string>();
  return {
    changed: (settings: ClickHouseSettings): ClickHouseSettings =>
      Object.fromEntries(Object.entries(settings).filter(([name, value]) => known.get(name) !== String(value))),
    keep: (settings: ClickHouseSettings): void => {
      for (const [name, value] of Object.entries(settings)) known.set(name, String(value));
    },
    forget: (names: Iterable<string>): void => {
      for (const name of names) known.delete(name);
    },
    /** What a statement that failed had set is not known. */
    forgetAll: (): void => known.clear(),
  };
}

/**
 * For the engine in this process, which would do four merges and mutations at once and, with two under way, look a second later whether
 * a mutation may begin: a deletion, which is one for each part of its table, waited for seconds.
 */
const ENGINE = ['--background_merges_mutations_concurrency_ratio=32'];

/** Connections of the engine in this process. Each runs one statement at a time and keeps the database that it is given. */
export async function embeddedConnections(path: string): Promise<Connection[]> {
  // The engine reads these once, and would ask the operator's proxy for the guard of imports.
  process.env['no_proxy'] = [process.env['no_proxy'] ?? '', '127.0.0.1'].filter((hosts) => hosts !== '').join(',');
  const [{ createChdbConnection }, { Session }] = [await import('chdb/connection'), await import('chdb')];
  const open = (): Connection => {
    const session = createSession();
    const connection = createChdbConnection({ path });
    // The connection's types come from its own copy of the client's; the shapes are the same.
    const client = createClient({ connection: connection as never });
    const run = async <T>(statement: Statement, settings: ClickHouseSettings, work: (asked: Asked) => Promise<T>): Promise<T> => {
      const bound = asSettings(statement);
      const long = Object.keys(bound).filter((name) => (bound[name] as string).length > LONG);
      const all = { ...settings, ...bound };
      try {
        const done = await work({ query: statement.sql, clickhouse_settings: session.changed(all) });
        session.keep(all);
        // Those of its own are kept by the session too.
        session.forget(Object.keys(settings).filter((name) => statement.sql.includes(name)));
        return done;
      } catch (error) {
        session.forgetAll();
        throw error;
      } finally {
        session.forget(long);
        if (long.length > 0) await client.command({ query: `SET ${long.map((name) => `${name} = ''`).join(', ')}` });
      }
    };
    /** Of statements that are not sent by `run`. */
    const apart = <T>(work: Promise<T>): Promise<T> => work.finally(session.forgetAll);
    return {
      query: (statement, settings) =>
        run(statement, settings, async (asked) => (await client.query({ ...asked, format: 'JSONEachRow' })).json()),
      // All of it is there when the statement is done.
      scan: (statement, settings) => run(statement, settings, async (asked) => (await client.exec(asked)).stream),
      command: (statement, settings) => run(statement, settings, async (asked) => void (await client.command(asked))),
      insert: async (table, rows, settings) =>
        void (await apart(client.insert({ table, values: rows, format: 'JSONEachRow', clickhouse_settings: settings }))),
      // A door of its own for bytes, which copies nothing.
      insertText: async ({ table, columns, text }, settings) =>
        void (await apart(
          connection.chdb.rawInsert({
            table,
            columns,
            values: text,
            format: 'TabSeparated',
            settings: settings as Record<string, string | number>,
          }),
        )),
      parquetToCsv: (from, into, settings) => apart(parquetByEngine(client, from, into, settings)),
      close: () => client.close(),
    };
  };
  try {
    // The engine begins with the first connection to it, and only this one can tell it how. It ends with the last.
    const first = new Session(path, { connectionArgs: ENGINE });
    const connections = Array.from({ length: CONNECTIONS }, open);
    first.close();
    return connections;
  } catch (error) {
    throw new Error(`ClickHouse cannot open ${path}: is another Walkin running on this data folder? (${String(error)})`);
  }
}
