import type { Identifier } from '../../proto/identifier.ts';
import { createKeyring, type KeyedIdentifier, type Keyring, keyEvery } from '../events/keyring.ts';
import { namespaceOf, type Source } from '../sources/source.ts';
import { commonPeppers, type Peppers, peppersOf, peppersOfSource, type TenantDeps } from './tenant.ts';

/** Who asks for a person by raw identifiers. */
export interface Asking {
  /** Of whom the key is; null: the operator, who finds everybody. */
  readonly advertiser: string | null;
  /** The source whose numbers loyalty, customer and card identifiers are; absent: none in particular. */
  readonly contract?: Source | undefined;
  /** Whose numbers they are, where no source says it. */
  readonly namespace?: string | undefined;
  /** Something is to be written down: what an advertiser says of people who do not meet others' is said of its own. */
  readonly says?: boolean;
}

/**
 * Under what the people of the identifiers may be known to who asks, the nearest first: to an advertiser under its own peppers and the
 * installation's; to the operator also under those of tenants whose people do not meet others', and of whoever numbers people as is asked.
 */
export function keyringsFor(
  deps: TenantDeps,
  { advertiser, contract, namespace = namespaceOf(contract), says = false }: Asking,
): Keyring[] {
  const rings: Peppers[] = contract === undefined ? [] : [peppersOfSource(deps, contract)];
  if (advertiser !== null) rings.push(peppersOf(deps, advertiser, namespace));
  if (advertiser === null || !says) rings.push(commonPeppers(deps.pepper));
  if (advertiser === null) for (const tenant of othersOf(deps, namespace)) rings.push(peppersOf(deps, tenant, namespace));
  const different = new Map(rings.map((peppers) => [JSON.stringify(peppers), peppers]));
  return [...different.values()].map((peppers) => createKeyring(peppers, namespace));
}

/** Tenants whose people are not found under the installation's pepper. */
function othersOf({ things }: TenantDeps, namespace: string): string[] {
  const apart = things.list('advertiser').flatMap(({ id, body }) => (body.apart === true ? [id] : []));
  const numbering = things.list('source').flatMap(({ body }) => {
    const holder = body.advertiser ?? null;
    return holder !== null && namespaceOf(body) === namespace ? [holder] : [];
  });
  return [...new Set([...apart, ...numbering])];
}

/** All keys of the identifiers, each once. */
export function keysIn(keyrings: readonly Keyring[], identifiers: readonly Identifier[]): KeyedIdentifier[] {
  const keyed = new Map<string, KeyedIdentifier>();
  for (const keyring of keyrings)
    for (const one of keyEvery(identifiers, keyring)) if (!keyed.has(one.key)) keyed.set(one.key, one);
  return [...keyed.values()];
}

export function keysFor(deps: TenantDeps, asking: Asking, identifiers: readonly Identifier[]): string[] {
  return keysIn(keyringsFor(deps, asking), identifiers).map(({ key }) => key);
}
