import { randomUUID } from 'node:crypto';
import { createReadStream, createWriteStream } from 'node:fs';
import { pipeline } from 'node:stream/promises';
import type { ClickHouseClient, ClickHouseSettings } from '@clickhouse/client';
import { parquetFooter } from './parquet-footer.ts';

/** How a table becomes the CSV that imports read. */
const AS_CSV = "date_time_output_format = 'iso', format_csv_null_representation = ''";
/** A footer is written into its statement. */
const LONG_STATEMENT = String(256 * 1024 * 1024);
const SESSION_S = '600';

/** The engine in this process reads the file where it is. */
export async function parquetByEngine(
  client: ClickHouseClient,
  path: string,
  into: string,
  settings: ClickHouseSettings,
): Promise<void> {
  await client.command({
    query: `SELECT * FROM file(${quoted(path)}, 'Parquet') INTO OUTFILE ${quoted(into)} FORMAT CSVWithNames SETTINGS ${AS_CSV}`,
    clickhouse_settings: settings,
  });
}

/**
 * A server is sent the file: first its footer, which tells the columns, then all of it, into a table that only this session sees and
 * that goes with it, since its rows name people.
 */
export async function parquetByServer(
  client: ClickHouseClient,
  path: string,
  into: string,
  settings: ClickHouseSettings,
): Promise<void> {
  const columns = await columnsOf(client, path, settings);
  const session = {
    session_id: randomUUID(),
    clickhouse_settings: { ...settings, session_timeout: SESSION_S },
  };
  try {
    const listed = columns.map(({ name, type }) => `${named(name)} ${type}`).join(', ');
    await client.command({ query: `CREATE TEMPORARY TABLE sent (${listed}) ENGINE = MergeTree ORDER BY tuple()`, ...session });
    await client.insert({ table: 'sent', values: createReadStream(path), format: 'Parquet', ...session });
    const { stream } = await client.exec({ query: `SELECT * FROM sent FORMAT CSVWithNames SETTINGS ${AS_CSV}`, ...session });
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
