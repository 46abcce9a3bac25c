import type { Warehouse } from '../../dmp/clickhouse/warehouse.ts';
import { LIMITS } from './limits.ts';
import type { Evaluated } from './state.ts';

/** The greatest version that any table has of segments; those without are not in it. */
export async function greatestVersions(warehouse: Warehouse, ids: readonly string[]): Promise<Map<string, number>> {
  if (ids.length === 0) return new Map();
  const sql = ['memberships', 'segment_members', 'segment_runs']
    .map(
      (table) =>
        `SELECT toString(segment) AS id, max(version) AS version FROM ${table} WHERE segment IN {ids:Array(String)} GROUP BY segment`,
    )
    .join(' UNION ALL ');
  const found = `SELECT id, max(version) AS greatest FROM (${sql}) GROUP BY id`;
  const rows = await warehouse.query<{ id: string; greatest: number }>({ sql: found, params: { ids } }, LIMITS);
  return new Map(rows.map(({ id, greatest }) => [id, greatest]));
}

/** Deletes sets of members that nobody needs: neither the last two versions nor those that are kept to be restored. */
export async function dropVersions(
  warehouse: Warehouse,
  states: ReadonlyMap<string, Evaluated>,
  gone: readonly string[] = [],
): Promise<void> {
  // In the order of their ids, as rows lie: each statement looks at a stretch of its own.
  const all = [...states].sort(([a], [b]) => (a < b ? -1 : 1));
  for (let from = 0; from < Math.max(1, all.length); from += AT_ONCE)
    await dropSome(warehouse, new Map(all.slice(from, from + AT_ONCE)), from === 0 ? gone : []);
}

/** Segments that one statement names. */
const AT_ONCE = 20_000;

async function dropSome(warehouse: Warehouse, states: ReadonlyMap<string, Evaluated>, gone: readonly string[]): Promise<void> {
  const ids = [...states.keys(), ...gone];
  const keep = [...states].flatMap(([id, { version, kept }]) => [version, version - 1, ...kept].map((one) => `${id} ${one}`));
  const where = `segment IN {ids:Array(String)} AND concat(toString(segment), ' ', toString(version)) NOT IN {keep:Array(String)}`;
  const params = { ids, keep: [...keep, ''] };
  const [row] = await warehouse.query<{ n: string }>(
    { sql: `SELECT count() AS n FROM segment_members WHERE ${where}`, params },
    LIMITS,
  );
  if (ids.length === 0 || row?.n === '0') return;
  await warehouse.command({ sql: `DELETE FROM segment_members WHERE ${where}`, params }, LIMITS);
}
