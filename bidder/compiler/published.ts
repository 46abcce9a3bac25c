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
  /** Takes a head that was not there before, see proto/snapshot-parts.ts. Where it rejects it is given that head again at the next look. */
  readonly take: (head: Buffer) => Promise<void>;
  /** Called after a look that found nothing there. */
  readonly onNothing?: () => void;
}

const POLL_MS = 5_000;

/** `subscriber` is a connection for subscribing only. */
export function followPublished(redis: Redis, subscriber: Redis, options: PublishedOptions): Published {
  const { pollMs = POLL_MS, take, onNothing } = options;
  /** The head that was taken last, whatever became of it. */
  let taken: Buffer | null = null;
  let looking: Promise<void> | null = null;
  let again = false;
  let timer: NodeJS.Timeout | null = null;
  return { refresh, start, close };

  async function start(): Promise<void> {
    timer = setInterval(() => void refresh(), pollMs);
    subscriber.on('message', (channel: string) => {
      if (channel === SNAPSHOT_CHANNEL) void refresh();
    });
    // What was announced while we were away is found at once, not at the next look.
    subscriber.on('ready', () => {
      subscriber.subscribe(SNAPSHOT_CHANNEL).then(refresh, () => undefined);
    });
    if (subscriber.status === 'ready') await subscriber.subscribe(SNAPSHOT_CHANNEL).catch(() => undefined);
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
    for (;;) {
      const head = await redis.getBuffer(SNAPSHOT_KEY);
      if (head === null || taken?.equals(head) === true) break;
      await take(head);
      taken = head;
    }
    if (taken === null) onNothing?.();
  }

  async function close(): Promise<void> {
    if (timer !== null) clearInterval(timer);
    await looking;
  }
}
