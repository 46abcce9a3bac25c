import { open, rename, rm } from 'node:fs/promises';
import type { Warehouse } from '../clickhouse/warehouse.ts';
import { JobRefused } from '../jobs/jobs.ts';

/** Whether a file is Parquet: it begins and ends with PAR1. */
async function isParquet(path: string): Promise<boolean> {
  const handle = await open(path);
  try {
    const { size } = await handle.stat();
    if (size < 12) return false;
    const ends = [0, size - 4].map(async (at) => (await handle.read(Buffer.alloc(4), 0, 4, at)).buffer.toString('latin1'));
    return (await Promise.all(ends)).every((text) => text === 'PAR1');
  } finally {
    await handle.close();
  }
}

/**
 * Reads Parquet by ClickHouse's own reader into a CSV file beside it, which is then taken as any: so mapping, preview, results
 * and resuming are the same. Times come as RFC 3339 in UTC, decimals exactly. Done once: what is there is taken as it is.
 */
export async function tableOfParquet(warehouse: Warehouse, path: string): Promise<string> {
  const table = `${path}.csv`;
  if (await exists(table)) return table;
  if (!(await isParquet(path))) throw new JobRefused('bad_encoding', 'the file is not the Parquet that it is said to be');
  if (!warehouse.readsFiles)
    throw new JobRefused(
      'unsupported_media_type',
      'Parquet is read by the embedded ClickHouse only; send CSV or NDJSON to a dmp with a server',
    );
  const part = `${table}.part`;
  await rm(part, { force: true });
  try {
    await warehouse.command(
      {
        sql: `SELECT * FROM file(${quoted(path)}, 'Parquet') INTO OUTFILE ${quoted(part)} FORMAT CSVWithNames
          SETTINGS date_time_output_format = 'iso', format_csv_null_representation = ''`,
      },
      { seconds: 3600 },
    );
  } catch (error) {
    await rm(part, { force: true });
    throw new JobRefused('bad_encoding', `the Parquet file cannot be read: ${String(error).slice(0, 200)}`);
  }
  await rename(part, table);
  return table;
}

/** A path of our own making as SQL; statements of files take no parameters. */
function quoted(path: string): string {
  return `'${path.replaceAll('\\', '\\\\').replaceAll("'", "\\'")}'`;
}

async function exists(path: string): Promise<boolean> {
  const handle = await open(path).catch(() => null);
  await handle?.close();
  return handle !== null;
}
