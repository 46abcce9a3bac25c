import { randomBytes, randomUUID } from 'node:crypto';
import { Readable } from 'node:stream';
import { ClickHouseLogLevel, type ClickHouseSettings, createClient } from '@clickhouse/client';
import { type Connection, type Statement, WarehouseAway } from './connection.ts';
import { formOf } from './long-statement.ts';
import { parquetByServer } from './parquet.ts';

/** A statement ends itself after its max_execution_time; where no word of that comes the server is away. */
const GRACE_S = 30;
/** A statement that is told to end looks up from its work every few rows. */
const TAKE_OVER_S = 120;
/** Of silence on a connection: longer than any statement may run, since each has its own clock. */
const LONGEST_MS = 8 * 3_600_000;

/** What fails is thrown, and logged by who knows what it was for. */
const QUIET = { level: ClickHouseLogLevel.OFF };

export interface ServerOptions {
  readonly url: string;
  readonly database: string;
  readonly owner?: string;
}

/** One client for all: a server runs statements side by side. */
export function serverConnection({ url, database, owner = 'walkin' }: ServerOptions): Connection {
  const client = createClient({ url, request_timeout: LONGEST_MS, max_open_connections: 16, log: QUIET });
  // Tells statements of this process, of others of the same name, and of everybody else apart: no letter here needs escaping.
  const all = `${database}-${owner}-`;
  const mine = `${all}${randomBytes(6).toString('hex')}-`;
  /** Long parameters travel in the body: an address has room for few. */
  const send = async (statement: Statement, settings: ClickHouseSettings, signal: AbortSignal): Promise<Readable> => {
    const form = formOf(statement);
    const asked = { clickhouse_settings: settings, abort_signal: signal, query_id: `${mine}${randomUUID()}` };
    const { stream } = await (form === null
      ? client.exec({ ...asked, query: statement.sql, query_params: { ...statement.params } })
      : client.exec({
          ...asked,
          query: '',
          values: Readable.from([form.body], { objectMode: false }),
          http_headers: { 'Content-Type': form.contentType },
        }));
    return stream;
  };
  return {
    query: <Row>({ sql, ...params }: Statement, settings: ClickHouseSettings) =>
      inTime(settings, async (signal) => {
        const rows: Row[] = [];
        const stream = await send({ sql: `${sql}\nFORMAT JSONEachRow`, ...params }, settings, signal);
        for await (const line of linesOf(stream)) rows.push(rowOf<Row>(line));
        return rows;
      }),
    scan: async (statement, settings) => {
      const stream = await inTime(settings, (signal) => send(statement, settings, signal));
      return known(stream);
    },
    command: (statement, settings) =>
      inTime(settings, async (signal) => {
        for await (const _ of await send(statement, settings, signal));
      }),
    insert: (table, rows, settings) =>
      inTime(settings, async (signal) => {
        const values = rows as readonly unknown[];
        await client.insert({ table, values, format: 'JSONEachRow', clickhouse_settings: settings, abort_signal: signal });
      }),
    insertText: ({ table, columns, text }, settings) =>
      inTime(settings, async (signal) => {
        await client.insert({
          table,
          columns: [...columns] as [string, ...string[]],
          values: Readable.from([text], { objectMode: false }),
          format: 'TabSeparated',
          clickhouse_settings: settings,
          abort_signal: signal,
        });
      }),
    takeOver: () =>
      inTime({ max_execution_time: TAKE_OVER_S }, async (signal) => {
        const others = `startsWith(query_id, '${all}') AND NOT startsWith(query_id, '${mine}') AND query_kind != 'Select'`;
        await client.command({
          query: `KILL QUERY WHERE ${others} SYNC`,
          query_id: `${mine}${randomUUID()}`,
          abort_signal: signal,
        });
      }),
    parquetToCsv: (from, into, settings) => inTime(settings, () => parquetByServer(client, from, into, settings)),
    close: () => client.close(),
  };
}

/** Runs work that ends by its own limit, and says of a server that is away that it is. */
async function inTime<T>(settings: ClickHouseSettings, work: (signal: AbortSignal) => Promise<T>): Promise<T> {
  const seconds = Number(settings.max_execution_time ?? 0) + GRACE_S;
  const signal = AbortSignal.timeout(seconds * 1_000);
  try {
    return await work(signal);
  } catch (error) {
    if (signal.aborted) throw new WarehouseAway(`ClickHouse did not answer within ${seconds} s`);
    throw awayOr(error);
  }
}

/** What breaks off in the middle is no shorter answer. */
async function* known(stream: Readable): AsyncIterable<Buffer> {
  try {
    yield* stream as AsyncIterable<Buffer>;
  } catch (error) {
    throw awayOr(error);
  }
}

/** Where the server fails while rows are on their way it says so behind them, and breaks the transfer off. */
function rowOf<Row>(line: string): Row {
  if (!line.startsWith('{')) throw new Error(`ClickHouse broke its answer off: ${line}`);
  return JSON.parse(line) as Row;
}

async function* linesOf(stream: Readable): AsyncIterable<string> {
  let rest: Buffer[] = [];
  for await (const chunk of stream as AsyncIterable<Buffer>) {
    let at = 0;
    for (let end = chunk.indexOf(NEWLINE); end >= 0; end = chunk.indexOf(NEWLINE, at)) {
      yield Buffer.concat([...rest, chunk.subarray(at, end)]).toString();
      rest = [];
      at = end + 1;
    }
    if (at < chunk.length) rest.push(chunk.subarray(at));
  }
  if (rest.length > 0) yield Buffer.concat(rest).toString();
}

const NEWLINE = 10;

/** Of the connection: refused, reset, broken off. What ClickHouse itself says has a number. */
const BROKEN = /^(ECONN|EPIPE|ENOTFOUND|EAI_|ETIMEDOUT|EHOST|ENET|ERR_STREAM_PREMATURE_CLOSE|ERR_SOCKET)/;
/** TOO_MANY_SIMULTANEOUS_QUERIES, ABORTED (it shuts down), TOO_MANY_PARTS: it says itself that later is better. */
const LATER = new Set(['202', '236', '252']);

function awayOr(error: unknown): unknown {
  const { code, message } = error as { code?: string; message?: string };
  if (code !== undefined && BROKEN.test(code)) return new WarehouseAway(`ClickHouse is away: ${message}`, { cause: error });
  if (code !== undefined && LATER.has(code)) return new WarehouseAway(`ClickHouse wants a pause: ${message}`, { cause: error });
  // Of a transfer that broke off, and of a socket that closed, Node says no more.
  if (code === undefined && /^(aborted|socket hang up|terminated|Timeout error\.?)$/.test(message ?? ''))
    return new WarehouseAway(`ClickHouse is away: ${message}`, { cause: error });
  return error;
}
