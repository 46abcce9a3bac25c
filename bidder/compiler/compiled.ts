import type { Redis } from 'ioredis';
import { SNAPSHOT_KEY } from '../../proto/keys.ts';
import { decodeHead, type SnapshotHead, surroundingsOf, versionIn } from '../../proto/snapshot-parts.ts';
import { compilePages } from '../core/compile.ts';
import type { Refusal } from '../messages.ts';
import { createParts, type Parts } from './parts.ts';

/** A published snapshot as the workers open it. */
export interface Compiled {
  readonly version: number;
  readonly bytes: ArrayBuffer;
  /** Milliseconds that it took to read and prepare what was new of it, and to compile it all. */
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
  return { compile };

  async function compile(value: Buffer): Promise<Compiled | Refusal | null> {
    const since = performance.now();
    const head = orFault(() => decodeHead(value));
    if (typeof head === 'string') return { version: versionIn(value), error: head };
    const fault = await parts.load(head);
    if (fault !== null) return (await isStillThere(value)) ? { version: head.version, error: fault } : null;
    const read = performance.now();
    const bytes = orFault(() => compileParts(head, parts));
    if (typeof bytes === 'string') return { version: head.version, error: bytes };
    parts.keepOnly(head);
    return { version: head.version, bytes, took: { read: read - since, compile: performance.now() - read } };
  }

  /** Who publishes takes the parts of the one before away. */
  async function isStillThere(value: Buffer): Promise<boolean> {
    return (await redis.getBuffer(SNAPSHOT_KEY))?.equals(value) ?? false;
  }
}

function compileParts(head: SnapshotHead, parts: Parts): ArrayBuffer {
  const { geofences, lineItems } = head.parts;
  const around = surroundingsOf({ ...head, parts: { ...head.parts, geofences: [] } }, parts.read);
  return compilePages({ ...around, geofences: geofences.flatMap(parts.geofences) }, lineItems.map(parts.page));
}

function orFault<Result>(make: () => Result): Result | string {
  try {
    return make();
  } catch (error) {
    return (error as Error).message;
  }
}
