import type { Warehouse } from '../clickhouse/warehouse.ts';
import type { Kind, Thing } from './things.ts';

/** The newest revision of a thing; `thing` is null where that revision took it away. */
export interface Head {
  readonly kind: Kind;
  readonly id: string;
  readonly revision: number;
  readonly thing: Thing<unknown> | null;
}

/** One row of `revisions`. */
export interface Revision {
  readonly kind: Kind;
  readonly id: string;
  readonly revision: number;
  readonly at: number;
  readonly actor: string;
  readonly body: unknown;
  readonly deleted: boolean;
}

interface HeadRow {
  readonly kind: Kind;
  readonly id: string;
  readonly revision: number;
  readonly deleted: number;
  readonly updated: string;
  readonly created: string;
  readonly body: string;
}

/** A thing that was taken away and made again begins anew, but its revisions go on. */
const HEADS = `
SELECT kind, id, revision, deleted, updated, body,
  arrayMin(arrayMap(x -> x.2, arrayFilter(x -> x.1 > gone, history))) AS created
FROM (
  SELECT kind, id, max(r.revision) AS revision, maxIf(r.revision, r.deleted = 1) AS gone, groupArray((r.revision, r.at)) AS history,
    argMax(r.deleted, r.revision) AS deleted, argMax(r.at, r.revision) AS updated, argMax(r.body, r.revision) AS body
  FROM revisions AS r
  WHERE {all:UInt8} = 1 OR (kind = {kind:String} AND id IN {ids:Array(String)})
  GROUP BY kind, id
)`;

const CHUNK = 500;

export async function readAllHeads(warehouse: Warehouse): Promise<Head[]> {
  const rows = await warehouse.query<HeadRow>({ sql: HEADS, params: { all: 1, kind: '', ids: [] } });
  return rows.map(headOf);
}

export async function readHeads(warehouse: Warehouse, kind: Kind, ids: readonly string[]): Promise<Head[]> {
  const heads: Head[] = [];
  for (let from = 0; from < ids.length; from += CHUNK) {
    const params = { all: 0, kind, ids: ids.slice(from, from + CHUNK) };
    heads.push(...(await warehouse.query<HeadRow>({ sql: HEADS, params })).map(headOf));
  }
  return heads;
}

/** The newest revision number of every thing: what tells whether anything was missed. */
export async function readRevisionNumbers(warehouse: Warehouse): Promise<{ kind: Kind; id: string; revision: number }[]> {
  return warehouse.query({ sql: 'SELECT kind, id, max(revision) AS revision FROM revisions GROUP BY kind, id' });
}

/** Returns when they are durable. */
export async function appendRevisions(warehouse: Warehouse, revisions: readonly Revision[]): Promise<void> {
  const rows = revisions.map(({ at, body, deleted, ...rest }) => ({
    ...rest,
    at: new Date(at).toISOString(),
    deleted: deleted ? 1 : 0,
    body: deleted ? '' : JSON.stringify(body),
  }));
  await warehouse.insert('revisions', rows);
}

function headOf(row: HeadRow): Head {
  const { kind, id, revision } = row;
  if (row.deleted === 1) return { kind, id, revision, thing: null };
  const thing = {
    id,
    revision,
    createdAt: timeOf(row.created),
    updatedAt: timeOf(row.updated),
    body: JSON.parse(row.body) as unknown,
  };
  return { kind, id, revision, thing };
}

/** ClickHouse's UTC text → epoch ms. */
function timeOf(text: string): number {
  return Date.parse(`${text.replace(' ', 'T')}Z`);
}
