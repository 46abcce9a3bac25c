import type { Redis } from 'ioredis';
import type { Logger } from 'pino';
import type { Stop } from '../../proto/stop.ts';
import { type IndexMade, isPrimaryMessage, type SnapshotRefused, type WorkerMessage } from '../messages.ts';
import { compileValue } from './compiled.ts';
import { readIndex } from './folder.ts';
import { followPublished, type Published } from './published.ts';

/** Where a worker's indexes come from. */
export interface IndexSource {
  /** Tells of each from now on. Returns when the first is told or known not to be there. */
  start(tell: Tell): Promise<void>;
  /** Looks now. Never rejects. */
  refresh(): Promise<void>;
  close(): Promise<void>;
}

export interface Tell {
  /** An index, compiled and in memory. */
  readonly index: (bytes: ArrayBuffer) => void;
  /** A snapshot that is broken; it is in the log. */
  readonly refused: (refusal: Refusal) => void;
  /** Line items that must not bid any more, whatever the index says. */
  readonly stopped: (stop: Stop) => void;
}

/** What is wrong with a snapshot, and its version where that can be told. */
export type Refusal = Pick<SnapshotRefused, 'version' | 'error'>;

/** For a worker that is alone: compiles on its own thread. */
export function compileHere(redis: Redis, subscriber: Redis, log: Logger, { pollMs }: { pollMs?: number } = {}): IndexSource {
  let published: Published | null = null;
  /** What was refused last, so that the log says it once. */
  let refused = '';
  return { start, refresh: async () => published?.refresh(), close: async () => published?.close() };

  async function start(tell: Tell): Promise<void> {
    const take = async (value: Buffer): Promise<void> => {
      try {
        tell.index(compileValue(value).bytes);
      } catch (error) {
        const { message } = error as Error;
        if (refused !== message) log.error({ error: message }, 'snapshot refused, the old one serves on');
        refused = message;
        tell.refused({ version: null, error: message });
      }
    };
    published = followPublished(redis, subscriber, { take, onStop: tell.stopped, ...(pollMs === undefined ? {} : { pollMs }) });
    await published.start();
  }
}

/** The part of `process` that a worker of a cluster speaks to its primary through. */
export interface Channel {
  readonly send: (message: WorkerMessage) => void;
  readonly on: (listener: (message: unknown) => void) => void;
  readonly off: (listener: (message: unknown) => void) => void;
}

/** How long a worker that starts waits for its first index before it serves without one. */
const FIRST_MS = 5_000;
const ASK_AGAIN_MS = 100;

/** For a worker of a cluster: its primary's compiler leaves them in a file. */
export function fromPrimary(channel: Channel): IndexSource {
  let tell: Tell | null = null;
  /** The newest that was told of; only it is worth reading. */
  let newest: { readonly path: string; readonly version: number } | null = null;
  let served: number | null = null;
  let reading: Promise<void> | null = null;
  let firstKnown: () => void = () => undefined;
  return { start, refresh, close };

  async function start(to: Tell): Promise<void> {
    tell = to;
    channel.on(listen);
    const first = new Promise<void>((resolve) => {
      firstKnown = resolve;
      setTimeout(resolve, FIRST_MS).unref();
    });
    await refresh();
    await first;
  }

  async function refresh(): Promise<void> {
    channel.send({ type: 'walkin:index-wanted' });
  }

  function listen(message: unknown): void {
    if (!isPrimaryMessage(message)) return;
    if (message.type === 'walkin:index') take(message);
    else if (message.type === 'walkin:stopped') tell?.stopped(message.stop);
    else {
      if (message.type === 'walkin:refused') tell?.refused({ version: message.version, error: message.error });
      firstKnown();
    }
  }

  function take({ path, version }: IndexMade): void {
    // A compiler that was started again makes what we have.
    if (version === served) return;
    newest = { path, version };
    reading ??= readNewest().finally(() => {
      reading = null;
      firstKnown();
    });
  }

  async function readNewest(): Promise<void> {
    for (let done: typeof newest = null; newest !== null && newest !== done; ) {
      done = newest;
      try {
        const bytes = await readIndex(done.path);
        if (newest !== done) continue;
        served = done.version;
        tell?.index(bytes);
      } catch {
        // A newer one has taken its place: we are told of it, or ask.
        if (newest === done) setTimeout(refresh, ASK_AGAIN_MS).unref();
      }
    }
  }

  async function close(): Promise<void> {
    channel.off(listen);
    await reading;
  }
}
