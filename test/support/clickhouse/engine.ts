import { createRequire } from 'node:module';
import { dirname, join } from 'node:path';

/**
 * The embedded engine by its native calls, since a server's parameters arrive as text that must reach the engine as it is: the
 * package's own door would escape it once more.
 */
export interface Engine {
  open(): Connection;
}

export type Params = Readonly<Record<string, string>>;

export interface Answer {
  readonly bytes: Uint8Array;
  readonly rowsRead: number;
  readonly bytesRead: number;
  readonly elapsed: number;
}

export interface Written {
  readonly rowsWritten: number;
  readonly bytesWritten: number;
  readonly elapsed: number;
}

/** One statement at a time. Settings, the database and temporary tables stay with it. */
export interface Connection {
  run(sql: string, params: Params, format: string): Promise<Answer>;
  /** Rows as they are made, for formats without a head. Ends the statement where the reader does not go on. */
  stream(sql: string, params: Params, format: string): AsyncIterable<Uint8Array>;
  /** `head` is an INSERT that ends with its FORMAT. */
  insert(head: string, data: Buffer): Promise<Written>;
  close(): void;
}

interface Native {
  CreateConnection(path: string): unknown;
  CloseConnection(connection: unknown): void;
  QueryAsyncConnection(connection: unknown, sql: string, format: string, params?: Params): Promise<Answer>;
  InsertRawAsyncConnection(connection: unknown, head: string, data: Buffer, countLines: boolean): Promise<Written>;
  StreamQuery(connection: unknown, sql: string, format: string, params?: Params): unknown;
  StreamFetch(stream: unknown): Promise<{ readonly done: boolean; readonly bytes: Uint8Array }>;
  StreamCancel(stream: unknown): void;
}

export function openEngine(path: string): Engine {
  const require = createRequire(import.meta.url);
  const loader = join(dirname(require.resolve('chdb/package.json')), 'dist/loader.js');
  const native = (require(loader) as { loadNative(): Native }).loadNative();
  // The engine keeps parameters for the whole process: who has some waits for who had some.
  let tail: Promise<unknown> = Promise.resolve();
  const alone = <T>(params: Params, work: (params?: Params) => Promise<T> | T): Promise<T> => {
    if (Object.keys(params).length === 0) return Promise.resolve().then(() => work());
    const result = tail.then(() => work(params));
    tail = result.catch(() => undefined);
    return result;
  };
  return {
    open: () => {
      const connection = native.CreateConnection(path);
      return {
        run: (sql, params, format) =>
          alone(params, (bound) =>
            bound === undefined
              ? native.QueryAsyncConnection(connection, sql, format)
              : native.QueryAsyncConnection(connection, sql, format, bound),
          ),
        stream: async function* (sql, params, format) {
          const stream = await alone(params, (bound) =>
            bound === undefined
              ? native.StreamQuery(connection, sql, format)
              : native.StreamQuery(connection, sql, format, bound),
          );
          let isOver = false;
          try {
            for (;;) {
              const { done, bytes } = await native.StreamFetch(stream);
              isOver = done;
              if (done) return;
              yield bytes;
            }
          } finally {
            if (!isOver) native.StreamCancel(stream);
          }
        },
        insert: (head, data) => native.InsertRawAsyncConnection(connection, head, data, false),
        close: () => native.CloseConnection(connection),
      };
    },
  };
}
