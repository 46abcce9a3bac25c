import type { Redis } from 'ioredis';
import type { EdgeRow } from './rows.ts';
import { edgeKey } from './text-rows.ts';

/**
 * Edges that are durable already: most events repeat an edge that is known, and need not write it. Bounded; what was forgotten
 * is written once more, which changes nothing. An edge seen earlier than known, or a month later, is written again; so is one that
 * was written a week ago, since an edge that nobody brings any more runs out.
 */
export interface EdgeMemory {
  unknown(edges: readonly EdgeRow[], now: number): EdgeRow[];
  /** Call only once the edges are durable. */
  remember(edges: readonly EdgeRow[], now: number): void;
  /** Of an era after the one that is known all is forgotten. */
  begin(era: string): void;
  /** Part of the token of an insert: what was written before the era is to be written again. */
  era(): string;
}

const ERA_KEY = 'walkin:edges:era';

/** Edges were taken back or deleted: what processes remember of durable ones does not hold any more. Call when that is durable. */
export async function endEra(redis: Redis): Promise<void> {
  await redis.incr(ERA_KEY);
}

/** Asked before edges are held against the memory. */
export async function eraOf(redis: Redis): Promise<string> {
  return (await redis.get(ERA_KEY)) ?? '';
}

const CAPACITY = 100_000;
const DAY_MS = 86_400_000;
const AGAIN_MS = 7 * DAY_MS;
const LATER_MS = 30 * DAY_MS;

/** RFC 3339 times of events, and epoch ms. */
interface Known {
  readonly from: string;
  readonly to: string;
  readonly written: number;
  readonly confidence: number;
}

export function createEdgeMemory(capacity = CAPACITY): EdgeMemory {
  // In order of use: a key that is met is put last, the first is the one to forget.
  const known = new Map<string, Known>();
  let current = '';
  return {
    begin: (era) => {
      if (era === current) return;
      current = era;
      known.clear();
    },
    era: () => current,
    unknown: (edges, now) => {
      const fresh = new Map<string, EdgeRow>();
      for (const edge of edges) {
        const key = edgeKey(edge);
        const seen = known.get(key);
        if (
          seen !== undefined &&
          edge.first_seen >= seen.from &&
          edge.first_seen <= seen.to &&
          isFresh(seen, now) &&
          edge.confidence <= seen.confidence
        ) {
          known.delete(key);
          known.set(key, seen);
          continue;
        }
        const earlier = fresh.get(key);
        if (earlier === undefined) fresh.set(key, edge);
        else fresh.set(key, together(earlier, edge));
      }
      return [...fresh.values()];
    },
    remember: (edges, now) => {
      for (const edge of edges) {
        const key = edgeKey(edge);
        const before = known.get(key);
        known.delete(key);
        const from = before === undefined || edge.first_seen < before.from ? edge.first_seen : before.from;
        const confidence = Math.max(before?.confidence ?? 0, edge.confidence);
        known.set(key, { confidence, from, to: new Date(Date.parse(edge.first_seen) + LATER_MS).toISOString(), written: now });
      }
      for (const key of known.keys()) {
        if (known.size <= capacity) break;
        known.delete(key);
      }
    },
  };
}

function isFresh({ written }: Known, now: number): boolean {
  return now - written < AGAIN_MS;
}

/** The same edge named twice: first seen when it was first, and as sure as it was once said. */
function together(a: EdgeRow, b: EdgeRow): EdgeRow {
  const first = b.first_seen < a.first_seen ? b : a;
  return { ...first, confidence: Math.max(a.confidence, b.confidence) };
}
