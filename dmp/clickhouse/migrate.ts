import { readdir, readFile } from 'node:fs/promises';
import type { Warehouse } from './warehouse.ts';

const FOLDER = new URL('./migrations/', import.meta.url);
/** A table of years is written anew in hours at most. */
const REWRITE_SECONDS = 6 * 3600;

/**
 * Brings the schema up to date: numbered `.sql` files, one statement each, run in order, once. Running it again, or two
 * processes running it at once, changes nothing, since every statement is itself repeatable. Returns the names that ran.
 */
export async function migrate(warehouse: Warehouse): Promise<string[]> {
  await warehouse.command({
    sql: `CREATE TABLE IF NOT EXISTS migrations (name String, at DateTime64(3, 'UTC') DEFAULT now64(3))
      ENGINE = ReplacingMergeTree ORDER BY name`,
  });
  const ran: string[] = [];
  for (const name of (await readdir(FOLDER)).filter((file) => file.endsWith('.sql')).sort()) {
    // Asked anew for each, since one that rewrites a table must not run again when another process takes rows already.
    const [done] = await warehouse.query({ sql: 'SELECT 1 FROM migrations WHERE name = {name:String}', params: { name } });
    if (done !== undefined) continue;
    await warehouse.command({ sql: await readFile(new URL(name, FOLDER), 'utf8') }, { seconds: REWRITE_SECONDS });
    await warehouse.insert('migrations', [{ name }]);
    ran.push(name);
  }
  return ran;
}
