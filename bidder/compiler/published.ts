import type { Redis } from 'ioredis';
import { SNAPSHOT_CHANNEL, SNAPSHOT_KEY, STOPPED_CHANNEL } from '../../proto/keys.ts';
import { decodeStop, type Stop } from '../../proto/stop.ts';

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
  /** Line items that must not bid any more, ahead of the next value. */
  readonly onStop: (stop: Stop) => void;
  /** Called after a look that found nothing there. */
  readonly onNothing?: () => void;
}

const POLL_MS = 5_000;
/** Of the header of a snapshot, see proto/snapshot.ts: enough to tell one from another without reading hundreds of megabytes. */
const HEADER = 44;
/** Read at once: Redis copies what it sends, and serves nobody meanwhile. */
const PIECE = 1 << 20;

/** `subscriber` is a connection for subscribing only; null to look only. */
export function followPublished(redis: Redis, subscriber: Redis | null, options: PublishedOptions): Published {
  const { pollMs = POLL_MS, take, onStop, onNothing } = options;
  /** Header and length of the value that was taken last, whatever became of it. */
  let taken: string | null = null;
  let looking: Promise<void> | null = null;
  let again = false;
  let timer: NodeJS.Timeout | null = null;
  return { refresh, start, close };

  async function start(): Promise<void> {
    timer = setInterval(() => void refresh(), pollMs);
    if (subscriber !== null) {
      subscriber.on('message', (channel: string, message: string) => {
        if (channel === SNAPSHOT_CHANNEL) void refresh();
        const stop = channel === STOPPED_CHANNEL ? decodeStop(message) : null;
        if (stop !== null) onStop(stop);
      });
      // What was announced while we were away is found at once, not at the next look.
      subscriber.on('ready', () => {
        subscriber.subscribe(SNAPSHOT_CHANNEL, STOPPED_CHANNEL).then(refresh, () => undefined);
      });
      if (subscriber.status === 'ready') {
        await subscriber.subscribe(SNAPSHOT_CHANNEL, STOPPED_CHANNEL).catch(() => undefined);
      }
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
    let there = await peek();
    while (there !== null && there.mark !== taken) {
      const { mark, length } = there;
      const value = await read(length);
      there = await peek();
      // Else another one was published in the midst of it.
      if (there?.mark !== mark) continue;
      taken = mark;
      await take(value);
    }
    if (taken === null) onNothing?.();
  }

  /** What tells the value that is there from others; null where there is none. */
  async function peek(): Promise<{ readonly mark: string; readonly length: number } | null> {
    const [exists, header, length] = await Promise.all([
      redis.exists(SNAPSHOT_KEY),
      redis.getrangeBuffer(SNAPSHOT_KEY, 0, HEADER - 1),
      redis.strlen(SNAPSHOT_KEY),
    ]);
    return exists === 0 ? null : { mark: `${header.toString('latin1')}${length}`, length };
  }

  async function read(length: number): Promise<Buffer> {
    const pieces: Buffer[] = [];
    for (let at = 0; at < length; at += PIECE) pieces.push(await redis.getrangeBuffer(SNAPSHOT_KEY, at, at + PIECE - 1));
    return Buffer.concat(pieces);
  }

  async function close(): Promise<void> {
    if (timer !== null) clearInterval(timer);
    await looking;
  }
}
