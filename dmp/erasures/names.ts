import { ADDRESSABLE_KINDS, type Identifier, identifierKey, inNamespace, normalizeIdentifier } from '../../proto/identifier.ts';
import { everyPepper } from '../../proto/pepper.ts';
import type { DmpDeps } from '../deps.ts';
import { peppersOf } from '../identity/tenant.ts';
import { KEY_PATTERN } from './places.ts';

type Deps = Pick<DmpDeps, 'warehouse' | 'things' | 'pepper'>;

const LIMITS = { seconds: 60 };
/** Keys in one question. */
const PART = 5_000;
const MARKET: ReadonlySet<string> = new Set(ADDRESSABLE_KINDS);

/**
 * What tenants' own facts and refused rows name the identifiers by, of every tenant there is: those that stand anywhere. A fact's leads to the
 * person by its bridge, but somebody whom nothing but a refused row names has none. About 2 µs a tenant and identifier.
 *
 * @param namespace whose numbers loyalty, customer and card identifiers are
 */
export async function namesOf(deps: Deps, identifiers: readonly Identifier[], namespace: string): Promise<string[]> {
  const own = identifiers.flatMap(({ kind, value }) => {
    const normalized = MARKET.has(kind) ? null : normalizeIdentifier(kind, value);
    return normalized === null ? [] : [{ kind, value: inNamespace(kind, normalized, namespace) }];
  });
  const peppers = new Set(deps.things.list('advertiser').flatMap(({ id }) => everyPepper(peppersOf(deps, id).own)));
  for (const pepper of everyPepper(deps.pepper)) peppers.delete(pepper);
  const keys = [...peppers].flatMap((pepper) => own.map(({ kind, value }) => identifierKey(kind, value, pepper)));
  const found: string[] = [];
  for (let from = 0; from < keys.length; from += PART) found.push(...(await standing(deps, keys.slice(from, from + PART))));
  return found;
}

async function standing({ warehouse }: Deps, keys: readonly string[]): Promise<string[]> {
  const sql = `SELECT DISTINCT toString(node) AS key FROM links WHERE node IN {keys:Array(UUID)}
    UNION DISTINCT
    SELECT arrayJoin(arrayConcat(extractAll(original, '${KEY_PATTERN}'), extractAll(value, '${KEY_PATTERN}'))) AS key FROM quarantine
    WHERE key IN {keys:Array(String)}`;
  return (await warehouse.query<{ key: string }>({ sql, params: { keys } }, LIMITS)).map(({ key }) => key);
}
