import type { Warehouse } from '../../dmp/clickhouse/warehouse.ts';
import type { Binder } from '../../dmp/segments/binder.ts';
import type { Evaluated } from './state.ts';

/** The members of a segment as its last evaluation left them: rows of `shard`, `members`. */
export function membersOf(segment: string, version: number, bound: Binder): string {
  return `SELECT shard, members FROM segment_members FINAL WHERE segment = ${bound.add('String', segment)} AND version = ${bound.add('UInt32', version)}`;
}

/** The set of a leaf of others under a stamp. */
export function leafSet(key: string, stamp: number, bound: Binder): string {
  return `SELECT shard, members FROM leaf_sets WHERE stamp = ${bound.add('UInt64', stamp)} AND leaf = ${bound.add('String', key)}`;
}

/** A stamp that nothing has yet, also nothing of an evaluation that was cut off, nor a set without anybody. */
export async function freeStamp(warehouse: Warehouse, states: readonly Evaluated[], made: readonly number[]): Promise<number> {
  const [row] = await warehouse.query<{ newest: string }>({ sql: 'SELECT max(stamp) AS newest FROM leaf_sets' });
  return Math.max(Number(row?.newest ?? 0), 0, ...states.flatMap(stampsOf), ...made) + 1;
}

const stampsOf = ({ leaves }: Evaluated): number[] => Object.values(leaves ?? {});

/** Drops sets of leaves that no segment was evaluated with. */
export async function dropLeafSets(warehouse: Warehouse, states: readonly Evaluated[]): Promise<void> {
  const used = new Set(states.flatMap(stampsOf));
  const stamps = await warehouse.query<{ stamp: string }>({ sql: 'SELECT DISTINCT stamp FROM leaf_sets' });
  for (const { stamp } of stamps)
    if (!used.has(Number(stamp))) await warehouse.command({ sql: `ALTER TABLE leaf_sets DROP PARTITION ${Number(stamp)}` });
}
