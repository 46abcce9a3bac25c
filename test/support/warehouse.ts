import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { migrate } from '../../dmp/clickhouse/migrate.ts';
import { openWarehouse, type Warehouse, type WarehouseOptions } from '../../dmp/clickhouse/warehouse.ts';

/**
 * A migrated ClickHouse of the test's own: the embedded engine in a temporary folder, or with WALKIN_TEST_CLICKHOUSE_URL a
 * database of its own on that server. The embedded engine takes one folder a process: one warehouse a test file.
 */
export async function startWarehouse(): Promise<{ warehouse: Warehouse; stop(): Promise<void> }> {
  const folder = await mkdtemp(join(tmpdir(), 'walkin-clickhouse-'));
  const url = process.env['WALKIN_TEST_CLICKHOUSE_URL'];
  const options: WarehouseOptions =
    url === undefined
      ? { kind: 'embedded', path: folder, database: 'walkin' }
      : { kind: 'server', url, database: `walkin_test_${process.pid}_${Date.now()}` };
  const warehouse = await openWarehouse(options);
  await migrate(warehouse);
  return {
    warehouse,
    stop: async () => {
      if (options.kind === 'server') await warehouse.command({ sql: `DROP DATABASE ${options.database}` });
      await warehouse.close();
      await rm(folder, { recursive: true, force: true });
    },
  };
}
