import type { Warehouse } from '../clickhouse/warehouse.ts';
import type { LabelCounts } from './label.ts';
import { TABLE_OF } from './presence.ts';
import { SOURCE_KINDS, type SourceKind } from './source.ts';

/** Rows that name somebody by one identifier. */
export const PERSONAL: readonly SourceKind[] = ['purchase', 'ping', 'identify', 'page', 'redemption', 'action'];

/** All rows of a source, replaced ones too. */
export async function rowsOf(warehouse: Warehouse, source: string): Promise<number> {
  const counts = SOURCE_KINDS.map((kind) => `SELECT count() AS n FROM ${TABLE_OF[kind].table} WHERE source = {source:String}`);
  const sql = `SELECT sum(n) AS n FROM (${counts.join(' UNION ALL ')})`;
  const [row] = await warehouse.query<{ n: string }>({ sql, params: { source } });
  return Number(row?.n ?? 0);
}

/** The distinct identifiers of a source's rows, and the profiles that they belong to. */
export async function countForLabel(warehouse: Warehouse, source: string): Promise<LabelCounts> {
  const parts = PERSONAL.map((kind) => {
    const { table, arrived } = TABLE_OF[kind];
    return `SELECT identifier, max(${arrived}) AS last FROM ${table} FINAL WHERE source = {source:String} GROUP BY identifier`;
  });
  const sql = `SELECT uniqExact(f.identifier) AS identifiers, uniqExactIf(i.profile, i.anchor != ${NOBODY}) AS people, toString(max(f.last)) AS last
    FROM (${parts.join(' UNION ALL ')}) AS f LEFT JOIN (SELECT identifier, profile, anchor FROM identities FINAL) AS i ON f.identifier = i.identifier
    WHERE f.identifier != ${NOBODY}`;
  const [row] = await warehouse.query<{ identifiers: string; people: string; last: string }>({ sql, params: { source } });
  const identifiers = Number(row?.identifiers ?? 0);
  return {
    identifiers,
    people: Number(row?.people ?? 0),
    lastRefresh: row === undefined || identifiers === 0 ? null : `${row.last.replace(' ', 'T')}Z`,
  };
}

const NOBODY = "toUUID('00000000-0000-0000-0000-000000000000')";
