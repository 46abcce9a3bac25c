import type { Statement } from '../clickhouse/warehouse.ts';

/** Which refused rows are meant. */
export const FILTERS = ['source', 'import', 'type', 'code'] as const;
export type Filter = { readonly [name in (typeof FILTERS)[number]]?: string };

/** Time and id of the last row of a page. */
export type Cursor = readonly [at: string, id: string];

interface Narrowed {
  readonly replayed?: boolean;
  readonly id?: string;
  /** Of these sources alone; null: of all. */
  readonly sources?: readonly string[] | null;
}

/** Rows that wait to be mended, newest first; `replayed`: those that were taken since. */
export function selectRows(
  filter: Filter,
  cursor: Cursor | null,
  limit: number,
  { replayed = false, id, sources = null }: Narrowed = {},
): Statement {
  const wheres = FILTERS.filter((name) => filter[name] !== undefined).map((name) => `${name} = {${name}:String}`);
  wheres.push(replayed ? 'replayed IS NOT NULL' : 'replayed IS NULL');
  if (id !== undefined) wheres.push('id = {row:String}');
  if (sources !== null) wheres.push('source IN {sources:Array(String)}');
  if (cursor !== null) wheres.push("(at, id) < ({at:DateTime64(3, 'UTC')}, {id:String})");
  const params = Object.fromEntries(FILTERS.flatMap((name) => (filter[name] === undefined ? [] : [[name, filter[name]]])));
  return {
    sql: `SELECT id, at, source, import, type, line, pointer, value, code, message, original, replayed FROM quarantine FINAL
      WHERE ${wheres.join(' AND ')}
      ORDER BY at DESC, id DESC LIMIT {limit:UInt32}`,
    params: {
      ...params,
      ...(id === undefined ? {} : { row: id }),
      ...(sources === null ? {} : { sources }),
      ...(cursor === null ? {} : { at: cursor[0], id: cursor[1] }),
      limit,
    },
  };
}
