import { hkdfSync } from 'node:crypto';

/**
 * A pepper is the secret under which identifiers are keyed. While it is being replaced there are several: the ring is one text with
 * the current one in its first line and those of before that are still honoured below it, the newest first. A ring of one is the
 * pepper itself. docs/decisions/0013-a-pepper-that-can-be-replaced.md tells how it is used.
 */

/** A bid names up to three identifiers, and `lua/persons.lua` takes nine keys a person. */
export const MOST_PEPPERS = 3;

/** @param older as a setting has them, separated by spaces; the newest first */
export function pepperRing(current: string, older = ''): string {
  const peppers = [current, ...older.split(/\s+/).filter((pepper) => pepper !== '')];
  if (peppers.length > MOST_PEPPERS) throw new Error(`at most ${MOST_PEPPERS - 1} old peppers are honoured`);
  return peppers.join('\n');
}

/** The one that new keys are made under. */
export function currentPepper(ring: string): string {
  const end = ring.indexOf('\n');
  return end === -1 ? ring : ring.slice(0, end);
}

/** Rings that a process keeps worked out: there is one a tenant. */
const MOST_KEPT = 4_096;
const NONE: readonly string[] = [];
const known = new Map<string, readonly string[]>();

/** Those that are still honoured, the newest first. */
export function olderPeppers(ring: string): readonly string[] {
  if (!ring.includes('\n')) return NONE;
  let older = known.get(ring);
  if (older === undefined) {
    if (known.size >= MOST_KEPT) known.clear();
    older = ring.split('\n').slice(1);
    known.set(ring, older);
  }
  return older;
}

/** All that are honoured, the newest first. */
export function everyPepper(ring: string): readonly string[] {
  return [currentPepper(ring), ...olderPeppers(ring)];
}

/** What is keyed for being known again, and names nobody, stays under the oldest as long as that is honoured. */
export function oldestPepper(ring: string): string {
  return olderPeppers(ring).at(-1) ?? ring;
}

/** A generation of a tenant's pepper that is the installation's own: of tenants from before they had one. */
export const COMMON_GENERATION = 0;
/** What a tenant begins with. */
export const FIRST_GENERATION = 1;

const tenants = new Map<string, string>();

/**
 * The ring of a tenant: of each generation that is honoured a pepper under each of the installation's, derived of it (HKDF, RFC 5869), so
 * that there is no other secret to hand around and a rotation of the installation's is one of everybody's. The last is the same as long as
 * neither forgets its oldest.
 *
 * @param generations the newest first
 */
export function tenantRing(ring: string, tenant: string, generations: readonly number[]): string {
  if (generations.length === 1 && generations[0] === COMMON_GENERATION) return ring;
  const name = `${tenant}\n${generations.join()}\n${ring}`;
  let made = tenants.get(name);
  if (made === undefined) {
    if (tenants.size >= MOST_KEPT) tenants.clear();
    made = generations.flatMap((generation) => everyPepper(ring).map((pepper) => derived(pepper, tenant, generation))).join('\n');
    tenants.set(name, made);
  }
  return made;
}

function derived(pepper: string, tenant: string, generation: number): string {
  if (generation === COMMON_GENERATION) return pepper;
  return Buffer.from(hkdfSync('sha256', pepper, 'walkin', `pepper of a tenant\n${generation}\n${tenant}`, 32)).toString('hex');
}

/** Source of the edges that join the keys of one identifier under several peppers. No source can have this id. */
export const PEPPER_SOURCE = '~pepper';
/** Source of the edges from the key by which people are joined to that by which a holder's facts name them. */
export const NAME_SOURCE = '~name';

/** SQL: whether an edge's ends are one identifier. */
export const isBridge = (source: string): string => `startsWith(${source}, '~')`;

/** SQL: keys that are nothing but what facts name an identifier by. */
export const NAMES = `SELECT node FROM links WHERE source = '${NAME_SOURCE}'
  AND node NOT IN (SELECT node FROM links WHERE NOT ${isBridge('source')})`;
