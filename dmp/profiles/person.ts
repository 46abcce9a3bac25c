import type { DmpDeps } from '../deps.ts';
import { SEEN, type Sight, sightParams } from './sight.ts';

export interface PersonKeys {
  readonly profile: number;
  readonly identifiers: readonly { readonly identifier: string; readonly kind: string }[];
  readonly keys: readonly string[];
}

type Deps = Pick<DmpDeps, 'warehouse'>;

/** The person of a number; null where there is none, or none of whom the key may see a source. */
export async function personOf({ warehouse }: Deps, profile: number, sight: Sight): Promise<PersonKeys | null> {
  const sql =
    'SELECT toString(identifier) AS identifier, toString(kind) AS kind FROM identities FINAL WHERE profile = {profile:UInt32} ORDER BY kind, identifier';
  const identifiers = await warehouse.query<{ identifier: string; kind: string }>({ sql, params: { profile } });
  const keys = identifiers.map(({ identifier }) => identifier);
  if (keys.length === 0) return null;
  if (sight.sources === null) return { profile, identifiers, keys };
  // Whom no source of the advertiser's has named is not there for it.
  const seen = await warehouse.query<{ node: string }>({
    sql: `SELECT DISTINCT toString(l.node) AS node FROM links AS l WHERE l.node IN {keys:Array(UUID)} AND ${SEEN.source(sight)}`,
    params: { ...sightParams(sight), keys },
  });
  const named = new Set(seen.map(({ node }) => node));
  return named.size === 0 ? null : { profile, identifiers: identifiers.filter(({ identifier }) => named.has(identifier)), keys };
}

/** Of whom the first of the keys is that is known; they are one identifier under each pepper. */
export async function profileOf({ warehouse }: Deps, keys: readonly string[]): Promise<number | null> {
  const sql =
    'SELECT profile FROM identities FINAL WHERE identifier IN {keys:Array(UUID)} ORDER BY indexOf({keys:Array(UUID)}, identifier) LIMIT 1';
  const [row] = await warehouse.query<{ profile: number }>({ sql, params: { keys } });
  return row?.profile ?? null;
}
