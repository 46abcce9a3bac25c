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

const NONE: readonly string[] = [];
const known = new Map<string, readonly string[]>();

/** Those that are still honoured, the newest first. */
export function olderPeppers(ring: string): readonly string[] {
  if (!ring.includes('\n')) return NONE;
  let older = known.get(ring);
  if (older === undefined) {
    if (known.size >= 16) known.clear();
    older = ring.split('\n').slice(1);
    known.set(ring, older);
  }
  return older;
}

/** What is keyed for being known again, and names nobody, stays under the oldest as long as that is honoured. */
export function oldestPepper(ring: string): string {
  return olderPeppers(ring).at(-1) ?? ring;
}

/** Source of the edges that join the keys of one identifier under several peppers. No source can have this id. */
export const PEPPER_SOURCE = '~pepper';
