import { open, rename, rm } from 'node:fs/promises';
import { parquetFooter } from '../clickhouse/parquet-footer.ts';
import type { Warehouse } from '../clickhouse/warehouse.ts';
import { JobRefused } from '../jobs/jobs.ts';

/**
 * Reads Parquet by ClickHouse's own reader into a CSV file beside it, which is then taken as any: so mapping, preview, results
 * and resuming are the same. Times come as RFC 3339 in UTC, decimals exactly. Done once: what is there is taken as it is.
 */
export async function tableOfParquet(warehouse: Warehouse, path: string): Promise<string> {
  const table = `${path}.csv`;
  if (await exists(table)) return table;
  if ((await parquetFooter(path)) === null)
    throw new JobRefused('bad_encoding', 'the file is not the Parquet that it is said to be');
  const part = `${table}.part`;
  await rm(part, { force: true });
  try {
    await warehouse.parquetToCsv(path, part);
  } catch (error) {
    await rm(part, { force: true });
    throw new JobRefused('bad_encoding', `the Parquet file cannot be read: ${String(error).slice(0, 200)}`);
  }
  await rename(part, table);
  return table;
}

async function exists(path: string): Promise<boolean> {
  const handle = await open(path).catch(() => null);
  await handle?.close();
  return handle !== null;
}
