import type { Redis } from 'ioredis';
import { SNAPSHOT_PARTS_KEY } from '../../proto/keys.ts';
import { checkPart, type NamedPart, partsOf, type SnapshotHead } from '../../proto/snapshot-parts.ts';

/** The parts of the snapshot that was read last, as bytes: of the next one only those are read that are new. */
export interface Parts {
  /** Reads what a head names and is not here. What is wrong, null: nothing is. Rejects where Redis is away. */
  load(head: SnapshotHead): Promise<string | null>;
  /** A part that was loaded. */
  bytesOf(digest: string): Buffer;
  /** Forgets all but the parts of this head. */
  keepOnly(head: SnapshotHead): void;
}

/** Asked for at once, a megabyte together: Redis copies what it sends, and serves nobody meanwhile. */
const AT_ONCE = 4;

export function createParts(redis: Redis): Parts {
  let kept = new Map<string, Buffer>();
  return { load, bytesOf, keepOnly };

  async function load(head: SnapshotHead): Promise<string | null> {
    const missing = partsOf(head).filter(({ digest }) => !kept.has(digest));
    for (let at = 0; at < missing.length; at += AT_ONCE) {
      const asked = missing.slice(at, at + AT_ONCE);
      const values = await redis.hmgetBuffer(SNAPSHOT_PARTS_KEY, ...asked.map(({ digest }) => digest));
      const faults = asked.flatMap((part, index) => keep(part, values[index] ?? null) ?? []);
      if (faults[0] !== undefined) return faults[0];
    }
    return null;
  }

  function keep(part: NamedPart, bytes: Buffer | null): string | null {
    try {
      checkPart(part, bytes);
    } catch (error) {
      return (error as Error).message;
    }
    kept.set(part.digest, bytes);
    return null;
  }

  function bytesOf(digest: string): Buffer {
    return kept.get(digest) as Buffer;
  }

  function keepOnly(head: SnapshotHead): void {
    const wanted = new Set(partsOf(head).map(({ digest }) => digest));
    kept = new Map([...kept].filter(([digest]) => wanted.has(digest)));
  }
}
