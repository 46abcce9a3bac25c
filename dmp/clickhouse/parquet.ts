import { randomUUID } from 'node:crypto';
import { createReadStream, createWriteStream } from 'node:fs';
import { pipeline } from 'node:stream/promises';
import type { ClickHouseClient, ClickHouseSettings } from '@clickhouse/client';
import { parquetFooter } from './parquet-footer.ts';

/**
 * How a table becomes the CSV that imports read: in the order of its rows, by whose number results tell them. Left to itself the
 * reader gave 80,000 of 3,000,000 rows out of their order.
 */
const AS_CSV = `date_time_output_format = 'iso', format_csv_null_representation = '', input_format_parquet_preserve_order = 1`;
/** Of the table on a server that a file was sent to. */
const ONE_BY_ONE = { input_format_parquet_preserve_order: 1, max_insert_threads: '1' } as const;
/** A footer is written into its statement. */
const LONG_STATEMENT = String(256 * 1024 * 1024);
const SESSION_S = '600';

/** The engine in this process reads the file where it is. */
export async function parquetByEngine(
  client: ClickHouseClient,
  from: string | URL,
  into: string,
  settings: ClickHouseSettings,
): Promise<void> {
  const table = typeof from === 'string' ? `file(${quoted(from)}, 'Parquet')` : objectOf(from);
  await client.command({
    query: `SELECT * FROM ${table} INTO OUTFILE ${quoted(into)} FORMAT CSVWithNames SETTINGS ${AS_CSV}`,
    clickhouse_settings: settings,
  });
}

/** An object that is asked for without keys: the guard's. */
function objectOf(url: URL): string {
  return `s3(${quoted(url.href)}, NOSIGN, 'Parquet')`;
}

/** A server reads an object by itself. */
async function objectByServer(client: ClickHouseClient, url: URL, into: string, settings: ClickHouseSettings): Promise<void> {
  const query = `SELECT * FROM ${objectOf(url)} FORMAT CSVWithNames SETTINGS ${AS_CSV}`;
  const { stream } = await client.exec({ query, clickhouse_settings: settings });
  await pipeline(stream, createWriteStream(into, { mode: 0o600 }));
}

export async function parquetByServer(
  client: ClickHouseClient,
  from: string | URL,
  into: string,
  settings: ClickHouseSettings,
): Promise<void> {
  return typeof from === 'string' ? fileByServer(client, from, into, settings) : objectByServer(client, from, into, settings);
}

/**
 * A server is sent the file: first its footer, which tells the columns, then all of it, into a table that only this session sees and
 * that goes with it, since its rows name people.
 */
async function fileByServer(client: ClickHouseClient, path: string, into: string, settings: ClickHouseSettings): Promise<void> {
  const columns = await columnsOf(client, path, settings);
  const session = {
    session_id: randomUUID(),
    clickhouse_settings: { ...settings, session_timeout: SESSION_S },
  };
  try {
    const listed = columns.map(({ name, type }) => `${named(name)} ${type}`).join(', ');
    await client.command({ query: `CREATE TEMPORARY TABLE sent (${listed}) ENGINE = MergeTree ORDER BY tuple()`, ...session });
    await client.insert({
      ...{ table: 'sent', values: createReadStream(path), format: 'Parquet' },
      ...{ session_id: session.session_id, clickhouse_settings: { ...session.clickhouse_settings, ...ONE_BY_ONE } },
    });
    const query = `SELECT * FROM sent FORMAT CSVWithNames SETTINGS ${AS_CSV}, max_threads = 1`;
    const { stream } = await client.exec({ query, ...session });
    await pipeline(stream, createWriteStream(into, { mode: 0o600 }));
  } finally {
    await client.command({ query: 'DROP TEMPORARY TABLE IF EXISTS sent', ...session }).catch(() => undefined);
  }
}

export interface ParquetColumn {
  readonly name: string;
  readonly type: string;
}

/** The columns of a Parquet file as ClickHouse reads them, without its rows. */
export async function columnsOf(
  client: Pick<ClickHouseClient, 'query'>,
  path: string,
  settings: ClickHouseSettings,
): Promise<ParquetColumn[]> {
  const footer = await parquetFooter(path);
  if (footer === null) throw new Error('the file is not Parquet');
  const result = await client.query({
    query: `DESCRIBE TABLE format('Parquet', unhex('${footer.toString('hex')}'))`,
    format: 'JSONEachRow',
    clickhouse_settings: { ...settings, max_query_size: LONG_STATEMENT },
  });
  return (await result.json()) as ParquetColumn[];
}

/** A path of our own making as SQL; statements of files take no parameters. */
function quoted(path: string): string {
  return `'${path.replaceAll('\\', '\\\\').replaceAll("'", "\\'")}'`;
}

/** A column's name out of a file as SQL. */
function named(name: string): string {
  return `\`${name.replaceAll('\\', '\\\\').replaceAll('`', '\\`')}\``;
}
