import type { Redis } from 'ioredis';
import type { Warehouse } from '../clickhouse/warehouse.ts';
import { type Announcement, announce, listen } from './announcements.ts';
import { createLatest } from './latest.ts';
import { appendRevisions, type Head, type Revision, readAllHeads, readHeads, readRevisionNumbers } from './revisions.ts';
import { type Kind, RevisionConflict, type Thing, type ThingBodies, type Things, type Write } from './things.ts';
import { createWriteLock } from './write-lock.ts';

export interface ThingsOptions {
  readonly warehouse: Warehouse;
  readonly redis: Redis;
  /** Epoch milliseconds. */
  readonly now: () => number;
  /** How often the process looks whether it missed a change. */
  readonly resyncMs?: number;
}

const RESYNC_MS = 15_000;

interface Change {
  readonly id: string;
  /** Absent: take it away. */
  readonly body?: unknown;
}

/**
 * Opens the things: all latest revisions are read into memory, then kept fresh. A write is durable in ClickHouse before it is
 * seen in memory, and seen here before it is announced, so a process killed at any point leaves a thing either before or
 * after the write. Writes of a kind run one after the other, over all processes.
 */
export async function openThings(options: ThingsOptions): Promise<Things> {
  const { warehouse, redis, now } = options;
  const latest = createLatest();
  const lock = createWriteLock(redis);
  const listeners: ((kind: Kind, id: string) => void)[] = [];
  let closed = false;

  const take = (heads: readonly Head[]): void => {
    for (const head of heads) if (latest.apply(head)) for (const listener of listeners) listener(head.kind, head.id);
  };
  const refresh = createRefresh(async (kind, ids) => take(await readHeads(warehouse, kind, ids)));
  const resync = async (): Promise<void> => {
    if (closed) return;
    const missed = (await readRevisionNumbers(warehouse)).filter((row) => row.revision > latest.revisionOf(row.kind, row.id));
    for (const { kind, id } of missed) refresh.ask(kind, id);
  };
  const hear = (said: Announcement): void => {
    if (!(said.revision <= latest.revisionOf(said.kind, said.id))) refresh.ask(said.kind, said.id);
  };

  const write = (kind: Kind, changes: readonly Change[], { actor, expected, still }: Write): Promise<Head[]> =>
    lock.run(kind, async () => {
      const ids = changes.map((change) => change.id);
      const before = new Map((await readHeads(warehouse, kind, ids)).map((head) => [head.id, head]));
      take([...before.values()]);
      const at = now();
      const revisions: Revision[] = changes.flatMap(({ id, body }) => {
        const head = before.get(id);
        const current = head?.thing?.revision ?? 0;
        if (expected !== undefined && expected !== current) throw new RevisionConflict(current);
        if (body === undefined && current === 0) return [];
        return [{ kind, id, revision: (head?.revision ?? 0) + 1, at, actor, body, deleted: body === undefined }];
      });
      still?.();
      await appendRevisions(warehouse, revisions);
      const heads = revisions.map((revision) => headAfter(revision, before.get(revision.id)));
      take(heads);
      announce(redis, heads);
      return heads;
    });

  const ears = await listen(redis, hear, () => void resync().catch(() => undefined));
  take(await readAllHeads(warehouse));
  const clock = setInterval(() => void resync().catch(() => undefined), options.resyncMs ?? RESYNC_MS);
  clock.unref();

  return {
    get: latest.get,
    list: latest.list,
    put: async <K extends Kind>(kind: K, id: string, body: ThingBodies[K], how: Write) => {
      const [head] = await write(kind, [{ id, body: plain(body) }], how);
      return head?.thing as Thing<ThingBodies[K]>;
    },
    putAll: async (kind, things, how) => {
      // The last of those with the same id.
      const changes = new Map(things.map(({ id, body }) => [id, { id, body: plain(body) }]));
      if (changes.size > 0) await write(kind, [...changes.values()], how);
    },
    remove: async (kind, id, how) => {
      await write(kind, [{ id }], how);
    },
    onChange: (listener) => {
      listeners.push(listener);
    },
    close: async () => {
      closed = true;
      clearInterval(clock);
      ears.close();
      await refresh.idle();
    },
  };
}

/** As it will be read back; what the caller does with its object later changes nothing. */
function plain<Body>(body: Body): Body {
  return JSON.parse(JSON.stringify(body)) as Body;
}

function headAfter({ kind, id, revision, at, body, deleted }: Revision, before: Head | undefined): Head {
  const createdAt = before?.thing?.createdAt ?? at;
  return { kind, id, revision, thing: deleted ? null : { id, revision, createdAt, updatedAt: at, body } };
}

/** Collects what is asked for and reads it in one go, one read at a time. */
function createRefresh(read: (kind: Kind, ids: readonly string[]) => Promise<void>) {
  const asked = new Map<Kind, Set<string>>();
  let running: Promise<void> | null = null;
  const drain = async (): Promise<void> => {
    for (const [kind, ids] of asked) {
      asked.delete(kind);
      // What cannot be read now is found by the next resync.
      await read(kind, [...ids]).catch(() => undefined);
    }
    running = null;
  };
  return {
    ask: (kind: Kind, id: string): void => {
      asked.set(kind, (asked.get(kind) ?? new Set<string>()).add(id));
      running ??= Promise.resolve().then(drain);
    },
    idle: async (): Promise<void> => {
      await running;
    },
  };
}
