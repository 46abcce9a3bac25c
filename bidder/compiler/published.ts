import type { Redis } from 'ioredis';
import { SNAPSHOT_CHANNEL, SNAPSHOT_KEY } from '../../proto/keys.ts';

/** Follows the snapshot that is published: by its announcements, and by looking now and then, since an announcement may be lost. */
export interface Published {
  /** Looks now. Never rejects. */
  refresh(): Promise<void>;
  start(): Promise<void>;
  close(): Promise<void>;
}

export interface PublishedOptions {
  readonly pollMs?: number;
  /** Takes a value that was not there before. Must not reject. */
  readonly take: (value: Buffer) => Promise<void>;
  /** Called after a look that found nothing there. */
  readonly onNothing?: () => void;
}

const POLL_MS = 5_000;
/** Of the header of a snapshot, see proto/snapshot.ts: enough to tell one from another without reading hundreds of megabytes. */
const HEADER = 44;

/** `subscriber` is a connection for subscribing only; null to look only. */
export function followPublished(redis: Redis, subscriber: Redis | null, options: PublishedOptions): Published {
  const { pollMs = POLL_MS, take, onNothing } = options;
  /** Header and length of the value that was taken last, whatever became of it. */
  let taken: string | null = null;
  let looking: Promise<void> | null = null;
  let again = false;
  let timer: NodeJS.Timeout | null = null;
  return { refresh, start, close };

  async function start(): Promise<void> {
    timer = setInterval(() => void refresh(), pollMs);
    if (subscriber !== null) {
      subscriber.on('message', (channel: string) => {
        if (channel === SNAPSHOT_CHANNEL) void refresh();
      });
      // What was announced while we were away is found at once, not at the next look.
      subscriber.on('ready', () => {
        subscriber.subscribe(SNAPSHOT_CHANNEL).then(refresh, () => undefined);
      });
      if (subscriber.status === 'ready') await subscriber.subscribe(SNAPSHOT_CHANNEL).catch(() => undefined);
    }
    await refresh();
  }

  /** One at a time; an announcement during a look leads to one more. */
  function refresh(): Promise<void> {
    if (looking !== null) {
      again = true;
      return looking;
    }
    looking = look()
      .catch(() => undefined)
      .finally(() => {
        looking = null;
        if (!again) return;
        again = false;
        void refresh();
      });
    return looking;
  }

  async function look(): Promise<void> {
    const found = markOf(await redis.getrangeBuffer(SNAPSHOT_KEY, 0, HEADER - 1), await redis.strlen(SNAPSHOT_KEY));
    if (found !== taken) {
      const value = await redis.getBuffer(SNAPSHOT_KEY);
      if (value !== null) {
        taken = markOf(value.subarray(0, HEADER), value.length);
        await take(value);
      }
    }
    if (taken === null) onNothing?.();
  }

  async function close(): Promise<void> {
    if (timer !== null) clearInterval(timer);
    await looking;
  }
}

function markOf(header: Buffer, length: number): string {
  return `${header.toString('latin1')}${length}`;
}
