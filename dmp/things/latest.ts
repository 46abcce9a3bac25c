import type { Head } from './revisions.ts';
import type { Kind, Thing, ThingBodies } from './things.ts';

/** The newest of every thing in this process's memory. */
export interface Latest {
  get<K extends Kind>(kind: K, id: string): Thing<ThingBodies[K]> | undefined;
  list<K extends Kind>(kind: K): readonly Thing<ThingBodies[K]>[];
  /** Newest revision that is known of here, 0 for none; that of a deletion too. */
  revisionOf(kind: Kind, id: string): number;
  /** Takes what is newer than what is known; true where it was. */
  apply(head: Head): boolean;
}

export function createLatest(): Latest {
  const heads = new Map<Kind, Map<string, Head>>();
  // In order of creation, made anew when asked for after a change.
  const lists = new Map<Kind, readonly Thing<unknown>[]>();
  const revisionOf = (kind: Kind, id: string): number => heads.get(kind)?.get(id)?.revision ?? 0;
  return {
    get: <K extends Kind>(kind: K, id: string) =>
      (heads.get(kind)?.get(id)?.thing ?? undefined) as Thing<ThingBodies[K]> | undefined,
    list: <K extends Kind>(kind: K) => {
      let list = lists.get(kind);
      if (list === undefined) {
        list = [...(heads.get(kind)?.values() ?? [])].flatMap(({ thing }) => (thing === null ? [] : [thing])).sort(byCreation);
        lists.set(kind, list);
      }
      return list as readonly Thing<ThingBodies[K]>[];
    },
    revisionOf,
    apply: (head) => {
      if (head.revision <= revisionOf(head.kind, head.id)) return false;
      const ofKind = heads.get(head.kind) ?? new Map<string, Head>();
      heads.set(head.kind, ofKind.set(head.id, head));
      lists.delete(head.kind);
      return true;
    },
  };
}

function byCreation(a: Thing<unknown>, b: Thing<unknown>): number {
  return a.createdAt - b.createdAt || (a.id < b.id ? -1 : 1);
}
