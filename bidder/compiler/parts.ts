import type { Redis } from 'ioredis';
import { SNAPSHOT_PARTS_KEY } from '../../proto/keys.ts';
import {
  checkPart,
  type NamedPart,
  type PartKind,
  type PartOf,
  partsOf,
  readLineItems,
  type SnapshotHead,
  thingsIn,
  type WrittenPage,
} from '../../proto/snapshot-parts.ts';
import { type PreparedGeofence, prepareGeofence } from '../core/prepared.ts';

/** The parts of the snapshot that was compiled last: of the next one only what is new is read. */
export interface Parts {
  /** Reads what a head names and is not here. What is wrong, null: nothing is. Rejects where Redis is away. */
  load(head: SnapshotHead): Promise<string | null>;
  /** The things of a part that was loaded. */
  read<Kind extends PartKind>(kind: Kind, digest: string): readonly PartOf[Kind][];
  /** Those that are prepared are not kept as they were published. */
  geofences(digest: string): readonly PreparedGeofence[];
  page(digest: string): WrittenPage;
  /** Forgets all but the parts of this head; null: all. */
  keepOnly(head: SnapshotHead | null): void;
}

/** Asked for at once, a megabyte together: Redis copies what it sends, and serves nobody meanwhile. */
const AT_ONCE = 4;

export function createParts(redis: Redis): Parts {
  let kept = new Map<string, Kept>();
  return {
    load,
    read: <Kind extends PartKind>(_kind: Kind, digest: string) => kept.get(digest) as readonly PartOf[Kind][],
    geofences: (digest) => kept.get(digest) as readonly PreparedGeofence[],
    page,
    keepOnly,
  };

  async function load(head: SnapshotHead): Promise<string | null> {
    const missing = partsOf(head).filter(({ digest }) => !kept.has(digest));
    let coming = ask(missing, 0);
    for (let at = 0; at < missing.length; at += AT_ONCE) {
      const values = await coming;
      // They come while these are worked off.
      coming = ask(missing, at + AT_ONCE);
      coming.catch(() => undefined);
      for (const [index, value] of values.entries()) {
        const fault = keep(missing[at + index] as NamedPart, value);
        if (fault !== null) return fault;
      }
    }
    return null;
  }

  async function ask(missing: readonly NamedPart[], at: number): Promise<(Buffer | null)[]> {
    const digests = missing.slice(at, at + AT_ONCE).map(({ digest }) => digest);
    return digests.length === 0 ? [] : redis.hmgetBuffer(SNAPSHOT_PARTS_KEY, ...digests);
  }

  function keep(part: NamedPart, bytes: Buffer | null): string | null {
    try {
      checkPart(part, bytes);
      kept.set(part.digest, keptOf(part.kind, bytes));
      return null;
    } catch (error) {
      return (error as Error).message;
    }
  }

  /** Parsed each time: objects of 100,000 line items were half of what the compiler had, and were looked through by its collector again and again. */
  function page(digest: string): WrittenPage {
    const read = readLineItems(kept.get(digest) as Buffer);
    // Those of an older dmp are written anew, once.
    kept.set(digest, read.bytes);
    return read;
  }

  function keepOnly(head: SnapshotHead | null): void {
    const named = head === null ? [] : partsOf(head);
    kept = new Map(named.map(({ digest }) => [digest, kept.get(digest) as Kept]));
  }
}

/** Things of a part, or its bytes. */
type Kept = readonly unknown[] | Buffer;

function keptOf(kind: PartKind, bytes: Buffer): Kept {
  if (kind === 'lineItems') return bytes;
  return kind === 'geofences' ? thingsIn(kind, bytes).map(prepareGeofence) : thingsIn(kind, bytes);
}
