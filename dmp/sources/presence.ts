import type { Warehouse } from '../clickhouse/warehouse.ts';
import type { Things } from '../things/things.ts';
import type { Moment } from './lineage.ts';
import { SOURCE_KINDS, type SourceKind } from './source.ts';

/** The table of each kind, and when its rows came in. Attributes have the time of their event only. */
export const TABLE_OF: Readonly<Record<SourceKind, { readonly table: string; readonly arrived: string }>> = {
  purchase: { table: 'purchases', arrived: 'ingested' },
  ping: { table: 'pings', arrived: 'ingested' },
  page: { table: 'pages', arrived: 'ingested' },
  redemption: { table: 'redemptions', arrived: 'ingested' },
  action: { table: 'actions', arrived: 'ingested' },
  stock: { table: 'stocks', arrived: 'ingested' },
  product: { table: 'products', arrived: 'ingested' },
  identify: { table: 'attributes', arrived: 'at' },
};

/** When the first row of a kind came from a source, epoch ms. */
export type Presence = ReadonlyMap<SourceKind, ReadonlyMap<string, number>>;

const FIRSTS = SOURCE_KINDS.map(
  (kind) =>
    `SELECT source, '${kind}' AS kind, min(${TABLE_OF[kind].arrived}) AS first FROM ${TABLE_OF[kind].table} GROUP BY source`,
).join(' UNION ALL ');

/** What was remembered when a row was there counts also when its time is over and it is gone. */
const PRESENCE = `SELECT source, kind, toFloat64(toUnixTimestamp64Milli(min(first))) AS at FROM (
  ${FIRSTS} UNION ALL SELECT source, kind, first FROM source_kinds) GROUP BY source, kind`;

export async function readPresence(warehouse: Warehouse): Promise<Presence> {
  const rows = await warehouse.query<{ source: string; kind: SourceKind; at: number }>({ sql: PRESENCE });
  const presence = new Map<SourceKind, Map<string, number>>(SOURCE_KINDS.map((kind) => [kind, new Map()]));
  for (const { source, kind, at } of rows) presence.get(kind)?.set(source, at);
  return presence;
}

/** Keeps in mind which kinds each source has brought, for when their rows are gone: call before rows are deleted. */
export async function rememberPresence(warehouse: Warehouse): Promise<void> {
  await warehouse.command({ sql: `INSERT INTO source_kinds (source, kind, first) ${FIRSTS}` });
}

/** The things as they are now. */
export function momentOf(things: Things, presence: Presence): Moment {
  return {
    get: (kind, id) => things.get(kind, id)?.body,
    sources: () => sourcesOf(presence),
    holds: (source, kind) => presence.get(kind)?.has(source) ?? false,
  };
}

export function sourcesOf(presence: Presence): string[] {
  return [...new Set([...presence.values()].flatMap((sources) => [...sources.keys()]))].sort();
}
