import { readdir, readFile } from 'node:fs/promises';
import type { Warehouse } from './warehouse.ts';

const FOLDER = new URL('./migrations/', import.meta.url);

/**
 * Brings the schema up to date: numbered `.sql` files, one statement each, run in order, once. Running it again, or two
 * processes running it at once, changes nothing, since every statement is itself repeatable. Returns the names that ran.
 */
export async function migrate(warehouse: Warehouse): Promise<string[]> {
  await warehouse.command({
    sql: `CREATE TABLE IF NOT EXISTS migrations (name String, at DateTime64(3, 'UTC') DEFAULT now64(3))
      ENGINE = ReplacingMergeTree ORDER BY name`,
  });
  const done = new Set((await warehouse.query<{ name: string }>({ sql: 'SELECT name FROM migrations' })).map((row) => row.name));
  const names = (await readdir(FOLDER)).filter((name) => name.endsWith('.sql') && !done.has(name)).sort();
  for (const name of names) {
    await warehouse.command({ sql: await readFile(new URL(name, FOLDER), 'utf8') });
    await warehouse.insert('migrations', [{ name }]);
  }
  return names;
}
