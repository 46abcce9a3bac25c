import type { Redis } from 'ioredis';
import { profileKey } from '../../proto/keys.ts';
import { decodeProfile, OPTED_OUT } from '../../proto/profile.ts';
import type { Limits } from '../clickhouse/warehouse.ts';
import { searchExports } from './exports.ts';
import { type FileDeps, searchFiles } from './files.ts';
import { KEY_PATTERN, readSchema, TOMBSTONES, whereMember, whereWritten } from './places.ts';
import { walkStream } from './stream.ts';

/** What a search looked through and where it found the person: nothing, where it is a proof. */
export interface Searched {
  /** `table.column` of the warehouse; `redis` are the names of all keys there and the stream of ad events. */
  readonly places: readonly string[];
  readonly redisKeys: number;
  /** Files that wait to be imported, or whose import failed. */
  readonly files: number;
  /** Files of exports that are kept. */
  readonly exportFiles: number;
  readonly found: readonly { readonly place: string; readonly rows: number }[];
}

const LIMITS: Limits = { seconds: 600 };
const SCAN = 2_000;

/**
 * Looks for the keys in every column that can hold one, of every table that the engine knows, in Redis, and in the files that were
 * sent and are still here, and for the values that may be sent in the files of exports. It does not know what was erased, so that it
 * finds what the erasure forgot.
 */
export async function search(
  deps: FileDeps,
  keys: readonly string[],
  profiles: readonly number[],
  values: readonly string[],
): Promise<Searched> {
  const { warehouse, redis } = deps;
  const places: string[] = [];
  const found: { place: string; rows: number }[] = [];
  for (const { table, keys: columns, texts, hasProfile, bitmaps } of await readSchema(warehouse)) {
    if (TOMBSTONES.includes(table)) continue;
    const conditions = new Map(columns.map((column) => [column, `${column} IN {keys:Array(UUID)}`]));
    // Facts have a column for whom they are about; other tables may have the key within a text.
    if (columns.length === 0) for (const column of texts) conditions.set(column, whereWritten([column]));
    if (hasProfile) conditions.set('profile', 'profile IN {profiles:Array(UInt32)}');
    for (const column of bitmaps) conditions.set(column, whereMember(column));
    if (conditions.size === 0) continue;
    const counts = [...conditions.values()].map((condition, at) => `countIf(${condition}) AS n${at}`).join(', ');
    const [row] = await warehouse.query<Record<string, string>>(
      { sql: `SELECT ${counts} FROM ${table}`, params: { keys, profiles } },
      LIMITS,
    );
    for (const [at, column] of [...conditions.keys()].entries()) {
      const rows = Number(row?.[`n${at}`] ?? 0);
      places.push(`${table}.${column}`);
      if (rows > 0) found.push({ place: `${table}.${column}`, rows });
    }
  }
  const set = new Set(keys);
  const { walked, left } = await searchRedis(redis, set);
  if (left > 0) found.push({ place: 'redis', rows: left });
  const waiting = await walkStream(redis, set, false);
  if (waiting > 0) found.push({ place: 'stream', rows: waiting });
  const files = await searchFiles(deps, set);
  if (files.found > 0) found.push({ place: 'files', rows: files.found });
  const exported = await searchExports(deps, values);
  if (exported.found.length > 0) found.push({ place: 'export files', rows: exported.found.length });
  return {
    places: [...places, 'redis', 'stream', 'files', 'export files'],
    ...{ redisKeys: walked, files: files.searched, exportFiles: exported.searched, found },
  };
}

const KEY = new RegExp(KEY_PATTERN, 'g');

/** Keys whose name holds one of the identifiers, but for the marks that keep the person out of bidding. */
async function searchRedis(redis: Redis, keys: ReadonlySet<string>): Promise<{ walked: number; left: number }> {
  let cursor = '0';
  let walked = 0;
  let left = 0;
  do {
    const [next, names] = await redis.scan(cursor, 'COUNT', SCAN);
    cursor = next;
    walked += names.length;
    for (const name of names) {
      const key = name.match(KEY)?.find((one) => keys.has(one));
      if (key !== undefined && !(name === profileKey(key) && (await isMark(redis, name)))) left++;
    }
  } while (cursor !== '0');
  return { walked, left };
}

/** It says that nothing may be used, of no profile. */
async function isMark(redis: Redis, name: string): Promise<boolean> {
  const value = await redis.getBuffer(name);
  if (value === null) return true;
  const mark = decodeProfile(value);
  return mark !== null && mark.consent === OPTED_OUT && mark.profile === 0 && mark.memberships.length === 0;
}
