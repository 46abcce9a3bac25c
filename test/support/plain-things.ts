import type { Kind, Thing, ThingBodies, Things } from '../../dmp/things/things.ts';

/** Things that live in memory only: for what reads them and never asks where they are kept. */
export function plainThings(): Things {
  const kept = new Map<Kind, Map<string, Thing<never>>>();
  const of = (kind: Kind): Map<string, Thing<never>> => {
    const known = kept.get(kind) ?? new Map<string, Thing<never>>();
    kept.set(kind, known);
    return known;
  };
  const listeners: ((kind: Kind, id: string) => void)[] = [];
  const put = <K extends Kind>(kind: K, id: string, body: ThingBodies[K]): Thing<ThingBodies[K]> => {
    const before = of(kind).get(id);
    const thing = { id, revision: (before?.revision ?? 0) + 1, createdAt: 0, updatedAt: 0, body };
    of(kind).set(id, thing as unknown as Thing<never>);
    for (const listener of listeners) listener(kind, id);
    return thing;
  };
  return {
    get: (kind, id) => of(kind).get(id),
    list: (kind) => [...of(kind).values()],
    put: async (kind, id, body) => put(kind, id, body),
    putAll: async (kind, things) => {
      for (const { id, body } of things) put(kind, id, body);
    },
    remove: async (kind, id) => {
      of(kind).delete(id);
    },
    onChange: (listener) => void listeners.push(listener),
    close: async () => undefined,
  } as Things;
}
