import type { Redis } from 'ioredis';
import { SNAPSHOT_KEY } from '../../proto/keys.ts';
import { decodeHead, type SnapshotHead, surroundingsOf, versionIn, type WrittenPage } from '../../proto/snapshot-parts.ts';
import { compilePages } from '../core/compile.ts';
import type { Pieces } from '../core/layout.ts';
import type { Refusal } from '../messages.ts';
import { createParts, type Parts } from './parts.ts';

/** A published snapshot as the workers open it. */
export interface Compiled {
  readonly version: number;
  readonly pieces: Pieces;
  /** Milliseconds that it took to read what was new of it, and to compile it all. */
  readonly took: { readonly read: number; readonly compile: number };
}

export interface Compiler {
  /**
   * The index of the snapshot whose head this is, or why it is refused; null where another one was published meanwhile. Rejects where
   * Redis is away.
   */
  compile(value: Buffer): Promise<Compiled | Refusal | null>;
}

export function createCompiler(redis: Redis): Compiler {
  const parts = createParts(redis);
  /** The last that was compiled. */
  let served: SnapshotHead | null = null;
  return { compile };

  async function compile(value: Buffer): Promise<Compiled | Refusal | null> {
    const since = performance.now();
    const head = orFault(() => decodeHead(value));
    if (typeof head === 'string') return { version: versionIn(value), error: head };
    const fault = await parts.load(head);
    if (fault !== null) return (await isStillThere(value)) ? refused(head, fault) : null;
    const read = performance.now();
    const pieces = orFault(() => compileParts(head, parts));
    if (typeof pieces === 'string') return refused(head, pieces);
    served = head;
    parts.keepOnly(head);
    return { version: head.version, pieces, took: { read: read - since, compile: performance.now() - read } };
  }

  /** What was read of it would pile up with every one that is refused. */
  function refused({ version }: SnapshotHead, error: string): Refusal {
    parts.keepOnly(served);
    return { version, error };
  }

  /** Who publishes takes the parts of the one before away. */
  async function isStillThere(value: Buffer): Promise<boolean> {
    return (await redis.getBuffer(SNAPSHOT_KEY))?.equals(value) ?? false;
  }
}

function compileParts(head: SnapshotHead, parts: Parts): Pieces {
  const around = surroundingsOf({ ...head, parts: { ...head.parts, geofences: [] } }, parts.read);
  return compilePages({ ...around, geofences: head.parts.geofences.flatMap(parts.geofences) }, pagesOf(head, parts));
}

function* pagesOf(head: SnapshotHead, parts: Parts): Generator<WrittenPage> {
  for (const digest of head.parts.lineItems) yield parts.page(digest);
}

function orFault<Result>(make: () => Result): Result | string {
  try {
    return make();
  } catch (error) {
    return (error as Error).message;
  }
}
