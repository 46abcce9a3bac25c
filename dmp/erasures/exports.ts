import { createReadStream } from 'node:fs';
import { readdir, rm, stat } from 'node:fs/promises';
import { join } from 'node:path';
import type { DmpDeps } from '../deps.ts';
import { readExport, saveExport } from '../destinations/exports.ts';
import { exportsFolder, folderOf, outboxFolder } from '../destinations/files.ts';
import { createSealer } from '../identity/seal.ts';
import { boundTo } from '../identity/sendable.ts';

type Deps = Pick<DmpDeps, 'warehouse' | 'uploads' | 'pepper' | 'now'>;

const LIMITS = { seconds: 60 };
/** No value is longer, so that none is overlooked where two pieces of a file meet. */
const LONGEST = 1_024;

/** What of the people may stand in a file for a destination, opened: to be asked before it is erased. */
export async function valuesOf({ warehouse, pepper }: Deps, keys: readonly string[]): Promise<string[]> {
  if (keys.length === 0) return [];
  const from = (table: string): string =>
    `SELECT toString(kind) AS kind, toString(t.identifier) AS identifier, sealed FROM ${table} AS t WHERE t.identifier IN {keys:Array(UUID)}`;
  const rows = await warehouse.query<{ kind: string; identifier: string; sealed: string }>(
    { sql: `SELECT DISTINCT * FROM (${from('sealed')} UNION ALL ${from('sent')}) WHERE sealed != ''`, params: { keys } },
    LIMITS,
  );
  const sealer = createSealer(pepper);
  return [...new Set(rows.map(({ kind, identifier, sealed }) => sealer.open(sealed, boundTo(kind, identifier))))];
}

/** Files of exports that name one of the people, and how many there are in all; those in an outbox that nobody has taken yet too. */
export async function searchExports(
  deps: Deps,
  values: readonly string[],
): Promise<{ searched: number; found: { id: string; path: string }[] }> {
  const found: { id: string; path: string }[] = [];
  let searched = 0;
  for (const parent of [exportsFolder(deps.uploads), outboxFolder(deps.uploads)])
    for (const id of await readdir(parent).catch(() => []))
      for (const name of await readdir(join(parent, id)).catch(() => [])) {
        const path = join(parent, id, name);
        searched++;
        if (await holdsOne(deps, path, values)) found.push({ id, path });
      }
  return { searched, found };
}

/**
 * Drops files that name one of the people. One that nobody has fetched yet is no export any more: the next one says what the
 * destination has to add and to remove.
 */
export async function dropExports(deps: Deps, values: readonly string[]): Promise<number> {
  const { found } = await searchExports(deps, values);
  for (const { id, path } of found) {
    await rm(path, { force: true });
    const record = await readExport(deps.warehouse, id);
    if (record?.state === 'ready')
      await saveExport(deps.warehouse, { ...record, state: 'superseded', error: 'somebody in it was erased' }, deps.now());
  }
  return found.length;
}

/** With an hour between two looks nothing of them is older than the day within which an erasure is done. */
const REMOVAL_MS = 22 * 3_600_000;

/**
 * Drops the files of exports that remove somebody: they are how a destination learns of an erasure, and name who was erased after it.
 * One that nobody has fetched by then removes them again with the next export.
 */
export async function dropRemovals({ warehouse, uploads }: Pick<Deps, 'warehouse' | 'uploads'>, now: number): Promise<number> {
  let dropped = 0;
  for (const id of await readdir(exportsFolder(uploads)).catch(() => [])) {
    const folder = folderOf(uploads, id);
    const made = await stat(folder).catch(() => null);
    if (made === null || now - made.mtimeMs < REMOVAL_MS) continue;
    const record = await readExport(warehouse, id);
    if (record === null || record.segments.every(({ removed }) => removed === 0)) continue;
    await rm(folder, { recursive: true, force: true });
    const error = 'its files were deleted within a day, since they name whom it removes';
    if (record.state === 'ready') await saveExport(warehouse, { ...record, state: 'superseded', error }, now);
    dropped++;
  }
  return dropped;
}

async function holdsOne({ warehouse }: Deps, path: string, values: readonly string[]): Promise<boolean> {
  if (values.length === 0) return false;
  if (!path.endsWith('.parquet')) return textHoldsOne(path, values);
  const table = `${path}.search.csv`;
  // Of a search that was cut off.
  await rm(table, { force: true });
  try {
    await warehouse.parquetToCsv(path, table);
    return await textHoldsOne(table, values);
  } finally {
    await rm(table, { force: true });
  }
}

async function textHoldsOne(path: string, values: readonly string[]): Promise<boolean> {
  let end = '';
  for await (const piece of createReadStream(path, { encoding: 'utf8', highWaterMark: 1 << 20 })) {
    const text = end + (piece as string);
    if (values.some((value) => text.includes(value))) return true;
    end = text.slice(-LONGEST);
  }
  return false;
}
