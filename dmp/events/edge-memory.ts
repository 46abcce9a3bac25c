import type { EdgeRow } from './tables.ts';
import { edgeKey } from './text-rows.ts';

/**
 * Edges that are durable already: most events repeat an edge that is known, and need not write it. Bounded; what was forgotten
 * is written once more, which changes nothing. An edge seen earlier than known is written again.
 */
export interface EdgeMemory {
  unknown(edges: readonly EdgeRow[]): EdgeRow[];
  /** Call only once the edges are durable. */
  remember(edges: readonly EdgeRow[]): void;
}

const CAPACITY = 100_000;

export function createEdgeMemory(capacity = CAPACITY): EdgeMemory {
  // In order of use: a key that is met is put last, the first is the one to forget.
  const known = new Map<string, string>();
  return {
    unknown: (edges) => {
      const fresh = new Map<string, EdgeRow>();
      for (const edge of edges) {
        const key = edgeKey(edge);
        const seen = known.get(key);
        if (seen !== undefined && seen <= edge.first_seen) {
          known.delete(key);
          known.set(key, seen);
          continue;
        }
        const earlier = fresh.get(key);
        if (earlier === undefined || edge.first_seen < earlier.first_seen) fresh.set(key, edge);
      }
      return [...fresh.values()];
    },
    remember: (edges) => {
      for (const edge of edges) {
        const key = edgeKey(edge);
        known.delete(key);
        known.set(key, edge.first_seen);
      }
      for (const key of known.keys()) {
        if (known.size <= capacity) break;
        known.delete(key);
      }
    },
  };
}
