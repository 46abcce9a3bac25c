import type { Warehouse } from '../clickhouse/warehouse.ts';

/** What a table that names people holds of one. */
export interface Place {
  readonly table: string;
  /** Columns of keys. */
  readonly keys: readonly string[];
  /** `blank`: the row stays without the person, since money hangs on it. */
  readonly act: 'delete' | 'blank';
  /** Made of the other rows, for work or for sending: it says nothing that they do not. */
  readonly made?: true;
}

/** A test holds these against the schema: who adds a table with keys adds it here. */
export const PLACES: readonly Place[] = [
  { table: 'purchases', keys: ['identifier'], act: 'delete' },
  { table: 'pings', keys: ['identifier'], act: 'delete' },
  { table: 'pages', keys: ['identifier'], act: 'delete' },
  { table: 'redemptions', keys: ['identifier'], act: 'delete' },
  { table: 'actions', keys: ['identifier'], act: 'delete' },
  { table: 'attributes', keys: ['identifier'], act: 'delete' },
  { table: 'visits', keys: ['identifier'], act: 'delete' },
  { table: 'facts', keys: ['identifier'], act: 'delete', made: true },
  { table: 'consents', keys: ['identifier'], act: 'delete' },
  { table: 'ad_events', keys: ['identifier', 'anchor'], act: 'blank' },
  { table: 'edges', keys: ['a', 'b'], act: 'delete' },
  { table: 'sealed', keys: ['identifier'], act: 'delete', made: true },
  { table: 'list_entries', keys: ['identifier', 'entry'], act: 'delete' },
  { table: 'links', keys: ['node', 'neighbour'], act: 'delete' },
  { table: 'identity_scope', keys: ['identifier'], act: 'delete', made: true },
  { table: 'placements', keys: ['identifier'], act: 'delete', made: true },
  { table: 'facts_scope', keys: ['identifier'], act: 'delete', made: true },
  { table: 'facts_fresh', keys: ['identifier'], act: 'delete', made: true },
  { table: 'facts_wanted', keys: ['identifier'], act: 'delete', made: true },
  { table: 'segment_facts', keys: ['identifier'], act: 'delete', made: true },
  // Last: by these the others are found.
  { table: 'identities', keys: ['identifier', 'anchor'], act: 'delete' },
];

/**
 * Tables that keep the keys on purpose: they are what holds the person away. `sent` does until the destinations that hold the person
 * were told to remove them, with the next export.
 */
export const TOMBSTONES: readonly string[] = ['erased', 'opt_outs', 'sent'];

/** Keys as they stand in texts. */
export const KEY_PATTERN = '[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}';

/** Bound: keys (Array(UUID)). */
export function whereNamed({ table, keys }: Pick<Place, 'table' | 'keys'>): string {
  const named = keys.map((column) => `${column} IN {keys:Array(UUID)}`).join(' OR ');
  // An older copy of a line that named somebody else must not come back.
  return table === 'purchases'
    ? `${named} OR (source, receipt, line) IN (SELECT source, receipt, line FROM purchases FINAL WHERE ${named})`
    : named;
}

/** Rows that are a person's by the number of the profile alone. */
export const PROFILE_TABLES: readonly string[] = [
  ...[
    'memberships',
    'facts',
    'facts_fresh',
    'facts_wanted',
    'facts_found',
    'facts_there',
    'placements',
    'touches',
    'segment_asked',
  ],
  'segment_facts',
  'lookalike_scores',
  'unit_values',
];

/** Sets of members: they are written anew without the person. Bound: profiles (Array(UInt32)). */
export const BITMAPS: readonly { readonly table: string; readonly columns: readonly string[] }[] = [
  { table: 'leaf_members', columns: ['members'] },
  { table: 'segment_held', columns: ['members'] },
  { table: 'segment_leaves', columns: ['members'] },
  { table: 'segment_members', columns: ['members'] },
  { table: 'segment_steps', columns: ['members', 'entered', 'gone'] },
];

/** Bound: profiles. */
export function whereMember(column: string): string {
  return `bitmapHasAny(${column}, bitmapBuild({profiles:Array(UInt32)}))`;
}

/** Texts that hold one of the keys. Bound: keys (Array(UUID)). */
export function whereWritten(columns: readonly string[]): string {
  const list = 'arrayMap(key -> toString(key), {keys:Array(UUID)})';
  return columns.map((column) => `hasAny(extractAll(toString(${column}), '${KEY_PATTERN}'), ${list})`).join(' OR ');
}

export interface TableColumns {
  readonly table: string;
  readonly keys: readonly string[];
  readonly texts: readonly string[];
  /** Columns of sets of profiles. */
  readonly bitmaps: readonly string[];
  readonly hasProfile: boolean;
}

interface Column {
  readonly table: string;
  readonly name: string;
  readonly type: string;
}

/** Every table there is, as the engine tells it. */
export async function readSchema(warehouse: Warehouse): Promise<TableColumns[]> {
  const sql = `SELECT table, name, type FROM system.columns WHERE database = currentDatabase()
    AND table IN (SELECT name FROM system.tables WHERE database = currentDatabase() AND engine LIKE '%MergeTree')
    ORDER BY table, position`;
  const columns = await warehouse.query<Column>({ sql });
  const tables = [...new Set(columns.map(({ table }) => table))];
  return tables.map((table) => {
    const own = columns.filter((column) => column.table === table);
    const named = (of: RegExp): string[] => own.filter(({ type }) => of.test(type)).map(({ name }) => name);
    return {
      table,
      keys: named(/UUID/),
      texts: named(/String/),
      bitmaps: named(/AggregateFunction\(groupBitmap/),
      hasProfile: own.some(({ name }) => name === 'profile'),
    };
  });
}
