import type { DmpDeps } from '../deps.ts';

type Deps = Pick<DmpDeps, 'warehouse' | 'now'>;

const LIMITS = { seconds: 60 };

/** An identifier of somebody who is to be erased; profile 0: not known. */
export interface Owned {
  readonly identifier: string;
  readonly profile: number;
}

/**
 * All identifiers of the people whom the keys name, themselves included. What several people share (a till's card, an office's
 * device) joins nobody: it is left out, and with it what is not this person's alone.
 */
export async function peopleBehind({ warehouse }: Deps, keys: readonly string[]): Promise<{ owned: Owned[]; shared: number }> {
  if (keys.length === 0) return { owned: [], shared: 0 };
  const sql = `SELECT toString(i.identifier) AS identifier, profile, shared FROM identities AS i FINAL
    WHERE i.identifier IN {keys:Array(UUID)}
      OR profile IN (SELECT profile FROM identities FINAL WHERE identifier IN {keys:Array(UUID)} AND shared = 0)`;
  const rows = await warehouse.query<Owned & { shared: number }>({ sql, params: { keys } }, LIMITS);
  const shared = new Set(rows.filter((row) => row.shared === 1).map(({ identifier }) => identifier));
  const owned = rows.filter((row) => row.shared === 0).map(({ identifier, profile }) => ({ identifier, profile }));
  const known = new Set(owned.map(({ identifier }) => identifier));
  for (const key of keys) if (!known.has(key) && !shared.has(key)) owned.push({ identifier: key, profile: 0 });
  return { owned, shared: shared.size };
}

/** Writes down who is being erased, before anything of them goes: by this the work goes on where it was cut off. */
export async function remember({ warehouse, now }: Deps, erasure: string, owned: readonly Owned[]): Promise<void> {
  const at = new Date(now()).toISOString();
  await warehouse.insert(
    'erased',
    owned.map((one) => ({ ...one, erasure, at })),
  );
}

export async function remembered({ warehouse }: Deps, erasure: string): Promise<Owned[]> {
  const sql = 'SELECT DISTINCT toString(identifier) AS identifier, profile FROM erased WHERE erasure = {erasure:String}';
  return warehouse.query<Owned>({ sql, params: { erasure } }, LIMITS);
}
